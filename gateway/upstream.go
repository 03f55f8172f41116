package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// peer is who the client is, as far as an upstream may be told.
type peer struct {
	addr netip.AddrPort // invalid: the gateway itself
	host string         // its name, where a trusted server has told it
	helo string
	at   netip.AddrPort // where it has connected to
	smtp bool           // it said HELO
}

// capabilities are what an upstream has offered in EHLO: keywords in capitals with their parameters.
type capabilities map[string]string

// link is one connection to an upstream.
type link struct {
	up     *upstream
	conn   net.Conn
	wire   wire
	out    []byte // not sent yet
	raw    []byte // room for replies
	offers capabilities
	told   peer // who it takes the client for
	local  netip.AddrPort
	open   bool      // MAIL was sent, and neither the message's end nor RSET was answered
	login  bool      // a client has logged in on it: it can't serve another one
	fresh  bool      // nothing was sent on it yet for a client
	idle   time.Time // since when it waits in the pool
}

// errGreeting is an upstream's refusal before any command for a message: of this client perhaps, not of the gateway.
type errGreeting struct {
	said reply
	what string
}

func (e *errGreeting) Error() string {
	return fmt.Sprintf("%s was answered with %d %s", e.what, e.said.code, e.said.text())
}

// errTLS says that a connection failed in TLS; where TLS is optional it is tried without.
var errTLS = errors.New("TLS")

// dial opens a connection for a client and takes it up to where MAIL can be said.
func (u *upstream) dial(ctx context.Context, p peer) (*link, error) {
	l, err := u.dialOnce(ctx, p, u.pool.cfg.UpstreamTLS != TLSNever)
	if errors.Is(err, errTLS) && u.pool.cfg.UpstreamTLS == TLSMay {
		l, err = u.dialOnce(ctx, p, false)
	}
	return l, err
}

func (u *upstream) dialOnce(ctx context.Context, p peer, encrypt bool) (l *link, err error) {
	limit := &u.pool.cfg.Limit
	ctx, cancel := context.WithTimeout(ctx, time.Duration(limit.Connect))
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	l = &link{up: u, conn: conn, told: p, fresh: true}
	l.wire = wire{conn: conn, wait: time.Duration(limit.Connect)}
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		l.local = a.AddrPort()
	}
	if err := l.begin(ctx, u.pool.cfg, encrypt); err != nil {
		conn.Close()
		return nil, err
	}
	l.wire.wait = time.Duration(limit.Upstream)
	return l, nil
}

// begin says who is there: a PROXY header, EHLO, STARTTLS, XCLIENT, as configured.
func (l *link) begin(ctx context.Context, cfg *Config, encrypt bool) error {
	if cfg.HandOn == ByProxy && !l.up.quarantine {
		l.out = appendProxy(l.out, l.told.addr, l.told.at)
		if err := l.flush(); err != nil {
			return err
		}
	}
	if err := l.expect("the connection", 220); err != nil {
		return err
	}
	if err := l.hello(cfg); err != nil {
		return err
	}
	offered := l.has("STARTTLS")
	if !offered && cfg.UpstreamTLS == TLSMust {
		return errors.New("it does not offer STARTTLS, which upstream_tls = \"must\" wants")
	}
	if offered && encrypt {
		if err := l.startTLS(ctx, cfg); err != nil {
			return fmt.Errorf("%w: %w", errTLS, err)
		}
		if err := l.hello(cfg); err != nil {
			return err
		}
	}
	if cfg.HandOn == ByXclient && !l.up.quarantine {
		return l.introduce(cfg, l.told)
	}
	return nil
}

// hello says EHLO. Where the client's address is handed on its name is as well.
func (l *link) hello(cfg *Config) error {
	name := l.told.helo
	if name == "" || cfg.HandOn == NotAtAll || l.up.quarantine {
		name = l.up.pool.name
	}
	said, err := l.ask("EHLO " + name)
	if err != nil {
		return err
	}
	if said.code/100 == 5 && said.code != 550 && said.code != 554 { // it knows no EHLO
		said, err = l.ask("HELO " + name)
	}
	if err != nil {
		return err
	}
	if !said.ok() {
		return &errGreeting{said.clone(), "EHLO"}
	}
	l.offers = capabilities{}
	lines := strings.Split(strings.TrimSuffix(string(said.raw), "\r\n"), "\r\n")
	for _, line := range lines[1:] {
		if len(line) > 4 {
			key, value, _ := strings.Cut(line[4:], " ")
			l.offers[strings.ToUpper(key)] = value
		}
	}
	return nil
}

func (l *link) startTLS(ctx context.Context, cfg *Config) error {
	if err := l.say("STARTTLS", 220); err != nil {
		return err
	}
	if len(l.wire.unread()) > 0 { // plain text that would be taken for encrypted (CVE-2011-0411)
		return errors.New("the upstream sent more than its answer to STARTTLS")
	}
	host, _, err := net.SplitHostPort(l.up.address)
	if err != nil {
		return err
	}
	secure := tls.Client(l.conn, &tls.Config{ServerName: host, InsecureSkipVerify: cfg.UpstreamTLS == TLSMay, RootCAs: l.up.pool.roots})
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	l.conn, l.wire.conn = secure, secure
	return nil
}

// introduce tells the client by XCLIENT (Postfix, XCLIENT_README), after which the session begins anew.
func (l *link) introduce(cfg *Config, p peer) error {
	offered, ok := l.offers["XCLIENT"]
	attributes := strings.Fields(strings.ToUpper(offered))
	if !ok || !slices.Contains(attributes, "ADDR") {
		return errors.New("it does not offer XCLIENT to this gateway: see smtpd_authorized_xclient_hosts, or hand_on")
	}
	if !p.addr.IsValid() { // a health check
		return nil
	}
	line := "XCLIENT"
	for _, a := range xclientAttributes(p) {
		if slices.Contains(attributes, a.key) {
			line += " " + a.key + "=" + a.value
		}
	}
	if err := l.say(line, 220); err != nil {
		return err
	}
	l.told = p
	return l.hello(cfg)
}

// say sends a command and wants one answer.
func (l *link) say(line string, code int) error {
	l.out = append(append(l.out, line...), "\r\n"...)
	if err := l.flush(); err != nil {
		return err
	}
	verb, _, _ := strings.Cut(line, " ")
	return l.expect(verb, code)
}

func (l *link) expect(what string, code int) error {
	said, err := l.read()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if said.code != code {
		return &errGreeting{said.clone(), what}
	}
	return nil
}

// ask sends a command and reads the answer, which is good until the next one.
func (l *link) ask(line string) (reply, error) {
	l.out = append(append(l.out, line...), "\r\n"...)
	return l.exchange()
}

// exchange sends what has been gathered and reads the first answer.
func (l *link) exchange() (reply, error) {
	if err := l.flush(); err != nil {
		return reply{}, err
	}
	return l.read()
}

// chunk sends a message by BDAT (RFC 3030). The end is a chunk of its own: when the connection breaks within a chunk,
// go-smtp's server (v0.25.1) takes what has come for all of it, and must not take it for the whole message.
func (l *link) chunk(message []byte, b *buffers) (reply, error) {
	out := b.get()
	out = append(fmt.Appendf(out, "BDAT %d\r\n", len(message)), message...)
	out = append(out, "BDAT 0 LAST\r\n"...)
	err := l.wire.write(out)
	b.put(out)
	if err != nil {
		return reply{}, err
	}
	said, err := l.read()
	if err != nil || said.code == 421 {
		return said, err
	}
	if !said.ok() { // the end is refused for that
		said = said.clone()
		_, err = l.read()
		return said, err
	}
	return l.read()
}

func (l *link) read() (reply, error) {
	said, err := readReply(&l.wire, l.raw[:0])
	l.raw = said.raw[:0:cap(said.raw)]
	return said, err
}

// flush sends what has been gathered.
func (l *link) flush() error {
	err := l.wire.write(l.out)
	l.out = l.out[:0]
	return err
}

func (l *link) has(extension string) bool {
	_, ok := l.offers[extension]
	return ok
}

// reset ends a transaction that shall not be finished.
func (l *link) reset() error {
	if !l.open {
		return nil
	}
	said, err := l.ask("RSET")
	if err == nil && !said.ok() {
		err = fmt.Errorf("RSET was answered with %d", said.code)
	}
	l.open = false
	return err
}

// quit ends a connection that is of no use any more, without waiting.
func (l *link) quit() {
	if !l.open {
		l.wire.write([]byte("QUIT\r\n")) // a courtesy: the connection ends either way
	}
	l.conn.Close()
}

func (r reply) clone() reply { return reply{r.code, slices.Clone(r.raw)} }
