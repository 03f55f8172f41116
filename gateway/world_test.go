package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"osm"
	"osm/gateway"
	"osm/policy"
)

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

// sink is an upstream that takes everything, but what its local part says otherwise: no@ is unknown, later@ is deferred.
type sink struct {
	server *smtp.Server
	addr   string

	mu      sync.Mutex
	letters []letter
	came    chan struct{} // one for each letter, as long as there is room
}

type letter struct {
	from  string
	to    []string
	text  []byte
	utf8  bool
	login string
	conn  *smtp.Conn
}

type sinkSession struct {
	*sink
	conn *smtp.Conn
	now  letter
}

func newSink(t testing.TB, change func(*smtp.Server)) *sink {
	t.Helper()
	s := &sink{came: make(chan struct{}, 10_000)}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s, conn: c}, nil }))
	s.server.Domain = "sink.osm.test"
	s.server.MaxMessageBytes, s.server.MaxRecipients, s.server.MaxLineLength = 200<<20, 10_000, 100_000
	s.server.EnableSMTPUTF8, s.server.EnableDSN = true, true
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(s.server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(l) }()
	t.Cleanup(func() {
		s.server.Close()
		l.Close() // the server does not know it when Close comes before Serve
		<-ended
	})
	return s
}

func (s *sinkSession) Reset()        { s.now = letter{login: s.now.login} }
func (s *sinkSession) Logout() error { return nil }

func (s *sinkSession) AuthMechanisms() []string { return []string{"PLAIN", "LOGIN", "XOAUTH2"} }

func (s *sinkSession) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if password != "secret" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong, says the sink"}
		}
		s.now.login = user
		return nil
	}
	switch mech {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case "LOGIN":
		return &loginServer{check: check}, nil
	}
	return &xoauthServer{check: check}, nil
}

// loginServer and xoauthServer are what go-sasl has no servers for.
type loginServer struct {
	check func(user, password string) error
	user  *string
}

func (l *loginServer) Next(said []byte) ([]byte, bool, error) {
	text := string(said)
	switch {
	case said == nil && l.user == nil:
		return []byte("Username:"), false, nil
	case l.user == nil:
		l.user = &text
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, text)
}

type xoauthServer struct {
	check func(user, password string) error
}

func (x *xoauthServer) Next(said []byte) ([]byte, bool, error) {
	parts := strings.Split(string(said), "\x01")
	if len(parts) < 2 {
		return nil, false, nil
	}
	return nil, true, x.check(strings.TrimPrefix(parts[0], "user="), strings.TrimPrefix(parts[1], "auth=Bearer "))
}

func (s *sinkSession) Mail(from string, o *smtp.MailOptions) error {
	s.now.from, s.now.utf8 = from, o.UTF8
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch local, _, _ := strings.Cut(to, "@"); local {
	case "no":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody here\nof that name, says the sink"}
	case "later":
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "come again, says the sink"}
	}
	s.now.to = append(s.now.to, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte("refuse this")) {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "not this, says the sink"}
	}
	one := s.now
	one.text, one.conn, one.to = text, s.conn, slices.Clone(one.to)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, one)
	select {
	case s.came <- struct{}{}:
	default:
	}
	return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: fmt.Sprintf("OK id=%d", len(s.letters))}
}

// listen serves connections on a free port until the test ends, and tells where.
func listen(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return l.Addr().String()
}

// deadAddress is one that nobody listens on.
func deadAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *sink) all() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

// front is a gateway in a test, and what it asked and told.
type front struct {
	*gateway.Gateway
	addr string

	mu       sync.Mutex
	asked    []policy.Request
	passages []gateway.Passage
	decide   func(*policy.Request) osm.Verdict
}

// settings are the defaults for tests: one listener on a free port, nothing handed on.
func settings(upstream ...string) gateway.Config {
	cfg := gateway.DefaultConfig()
	cfg.Listen, cfg.Upstream, cfg.HandOn, cfg.Name = []string{"127.0.0.1:0"}, upstream, gateway.NotAtAll, "gate.osm.test"
	return cfg
}

// newFront starts a gateway. The settings are checked first, as osm does.
func newFront(t testing.TB, cfg gateway.Config, decide func(*policy.Request) osm.Verdict, change ...func(*gateway.Options)) *front {
	t.Helper()
	cfg.Check(func(key, problem string) { t.Errorf("gateway.%s: %s", key, problem) })
	f := &front{decide: decide}
	o := gateway.Options{Now: time.Now, Ask: f.ask, Tell: f.tell}
	for _, c := range change {
		c(&o)
	}
	g, err := gateway.New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	f.Gateway, f.addr = g, g.Addresses()[0].String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *front) ask(_ context.Context, r *policy.Request) osm.Verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := *r
	kept.Content = slices.Clone(r.Content)
	f.asked = append(f.asked, kept)
	if f.decide == nil {
		return osm.Verdict{}
	}
	return f.decide(r)
}

func (f *front) tell(p *gateway.Passage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := *p
	m := *p.Message
	kept.Message = &m
	f.passages = append(f.passages, kept)
}

func (f *front) told() []gateway.Passage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.passages)
}

func (f *front) questions() []policy.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// talker speaks SMTP byte by byte.
type talker struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func dial(t testing.TB, addr string) *talker {
	t.Helper()
	return dialFrom(t, addr, netip.Addr{})
}

func dialFrom(t testing.TB, addr string, from netip.Addr) *talker {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return talk(t, conn)
}

func talk(t testing.TB, conn net.Conn) *talker {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &talker{t, conn, bufio.NewReader(conn)}
}

func (c *talker) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("send %.60q: %v", text, err)
	}
}

// read returns one reply, its lines as they came; "" when the connection has ended.
func (c *talker) read() string {
	c.t.Helper()
	all := ""
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.t.Fatalf("no answer: %q", all)
			}
			return all
		}
		all += line
		if len(line) < 4 || line[3] != '-' {
			return all
		}
	}
}

// want reads replies that begin with the given texts.
func (c *talker) want(begins ...string) string {
	c.t.Helper()
	got := ""
	for _, b := range begins {
		if got = c.read(); !strings.HasPrefix(got, b) || got == "" && b != "" {
			c.t.Fatalf("got %q, want %q", got, b)
		}
	}
	return got
}

// ask sends a line and wants an answer.
func (c *talker) ask(line, begins string) string {
	c.t.Helper()
	c.send(line + "\r\n")
	got := c.read()
	if !strings.HasPrefix(got, begins) {
		c.t.Fatalf("%.80q was answered with %q, want %q", line, got, begins)
	}
	return got
}

// hello is the dialogue up to EHLO's answer, which it returns.
func (c *talker) hello() string {
	c.t.Helper()
	c.want("220 ")
	return c.ask("EHLO client.example", "250")
}

// ended wants the connection to be closed.
func (c *talker) ended() {
	c.t.Helper()
	if got := c.read(); got != "" {
		c.t.Fatalf("got %q, want the end of the connection", got)
	}
}

func (c *talker) startTLS(roots *x509.CertPool) {
	c.t.Helper()
	c.ask("STARTTLS", "220")
	c.overTLS(roots)
}

func (c *talker) overTLS(roots *x509.CertPool) *tls.Conn {
	c.t.Helper()
	conn := tls.Client(c.conn, &tls.Config{ServerName: "gate.osm.test", RootCAs: roots})
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	return conn
}

// writeCertificate makes one for a name and tells who believes in it.
func writeCertificate(t testing.TB, dir, name string) (certPath, keyPath string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certPath, keyPath = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, text := range map[string][]byte{certPath: cert, keyPath: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return certPath, keyPath, roots
}
