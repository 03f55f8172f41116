package gateway_test

import (
	"crypto/tls"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"osm/gateway"
)

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestLogin logs in by each way: the upstream checks, and its words and the login come through.
func TestLogin(t *testing.T) {
	dir := t.TempDir()
	cert, key, roots := writeCertificate(t, dir, "gate.osm.test")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := newSink(t, func(server *smtp.Server) { server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}} })
	cfg := settings(s.addr)
	cfg.Certificate, cfg.Key, cfg.ListenTLS = cert, key, []string{"127.0.0.1:0"}
	cfg.UpstreamTLS, cfg.RelayFrom = gateway.TLSMust, nil // the sink offers AUTH only in TLS
	f := newFront(t, cfg, nil, func(o *gateway.Options) { o.Roots = roots })
	for _, way := range []struct {
		name  string
		steps []string // a line and the beginning of its answer, in turn
	}{
		{"plain", []string{"AUTH PLAIN " + encode("\x00ann@osm.test\x00secret"), "235 "}},
		{"plain in two lines", []string{"AUTH PLAIN", "334 ", encode("\x00ann@osm.test\x00secret"), "235 "}},
		{"login", []string{"AUTH LOGIN", "334 " + encode("Username:"), encode("ann@osm.test"), "334 " + encode("Password:"), encode("secret"), "235 "}},
		{"xoauth2", []string{"AUTH XOAUTH2 " + encode("user=ann@osm.test\x01auth=Bearer secret\x01\x01"), "235 "}},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := dial(t, f.addr)
			if offered := c.hello(); strings.Contains(offered, "AUTH") || !strings.Contains(offered, "STARTTLS") {
				t.Errorf("offered %q in the clear", offered)
			}
			c.ask("AUTH PLAIN "+encode("\x00ann@osm.test\x00secret"), "538 5.7.11")
			c.startTLS(roots)
			c.ask("MAIL FROM:<ann@osm.test>", "503 ")
			if offered := c.ask("EHLO client.example", "250"); !strings.Contains(offered, "AUTH PLAIN LOGIN XOAUTH2") || strings.Contains(offered, "STARTTLS") {
				t.Errorf("offered %q", offered)
			}
			c.ask("AUTH PLAIN "+encode("\x00ann@osm.test\x00wrong"), "535 5.7.8 wrong, says the sink")
			c.ask("AUTH CRAM-MD5", "504 ")
			for i := 0; i < len(way.steps); i += 2 {
				c.ask(way.steps[i], way.steps[i+1])
			}
			c.ask("AUTH PLAIN "+encode("\x00ann@osm.test\x00secret"), "503 ")
			for range 2 {
				c.ask("MAIL FROM:<ann@osm.test>", "250 ")
				c.ask("RCPT TO:<b@anywhere.example>", "250 ")
				c.ask("DATA", "354 ")
				c.send("Subject: x\r\n\r\n.\r\n")
				c.want("250 ")
			}
			l := s.all()
			if got := l[len(l)-1]; got.login != "ann@osm.test" || l[len(l)-2].conn != got.conn {
				t.Errorf("the sink knows the login %q", got.login)
			}
			q := f.questions()
			if m := q[len(q)-1].Message; m.Login != "ann@osm.test" || m.TLS == "" || m.Protocol != "esmtpsa" || !strings.Contains(way.name, m.Auth) {
				t.Errorf("asked about login %q, TLS %q, protocol %q, auth %q", m.Login, m.TLS, m.Protocol, m.Auth)
			}
		})
	}
	c := dial(t, f.Addresses()[1].String())
	c.overTLS(roots)
	c.hello()
	c.ask("MAIL FROM:<ann@osm.test>", "250 ")
	c.ask("RCPT TO:<b@anywhere.example>", "550 5.7.1 relaying") // the login of others is not this one's
	c.ask("QUIT", "221 ")
	for _, p := range f.told() {
		if strings.Contains(p.Text, "secret") {
			t.Error("the password is told")
		}
	}
}

// TestCertificateIsReadAgain replaces the files while connections come, first by something broken.
func TestCertificateIsReadAgain(t *testing.T) {
	s := newSink(t, nil)
	dir := t.TempDir()
	cfg := settings(s.addr)
	cert, key, roots := writeCertificate(t, dir, "gate.osm.test")
	cfg.Certificate, cfg.Key = cert, key
	now := time.Now()
	f := newFront(t, cfg, nil, func(o *gateway.Options) {
		o.Now = func() time.Time { now = now.Add(10 * time.Second); return now } // asked under the certificate's lock, one connection at a time
	})
	serial := func() string {
		t.Helper()
		c := dial(t, f.addr)
		c.hello()
		c.ask("STARTTLS", "220 ")
		return c.overTLS(roots).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	if serial() != first {
		t.Error("another certificate without a change")
	}
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial() != first {
		t.Error("a broken file is used")
	}
	other := t.TempDir()
	cert2, key2, more := writeCertificate(t, other, "gate.osm.test")
	roots = more
	for from, to := range map[string]string{cert2: cert, key2: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if serial() == first {
		t.Error("the old certificate after a change")
	}
	if _, err := os.Stat(filepath.Join(dir, "cert.pem")); err != nil {
		t.Error(err)
	}
}

// TestUpstreamTLS wants a certificate that is believed where the settings say so.
func TestUpstreamTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := writeCertificate(t, dir, "elsewhere.osm.test")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	secure := newSink(t, func(server *smtp.Server) { server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}} })
	plain := newSink(t, nil)
	for _, c := range []struct {
		to   *sink
		mode gateway.TLSMode
		want string
	}{{secure, gateway.TLSMust, "421 4.3.2"}, {plain, gateway.TLSMust, "421 4.3.2"}, {secure, gateway.TLSMay, "220 "}, {plain, gateway.TLSMay, "220 "},
		{secure, gateway.TLSNever, "220 "}} {
		cfg := settings(c.to.addr)
		cfg.UpstreamTLS = c.mode
		k := dial(t, newFront(t, cfg, nil).addr)
		k.want(c.want)
	}
}
