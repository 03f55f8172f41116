package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/gateway"
	"osm/lab"
	"osm/policy"
)

// bigLetter is a message of at least size bytes with everything that a transfer can damage: 8-bit text, dots at the beginning
// of lines, long lines, empty lines, a header beyond ASCII. wire is how it travels.
func bigLetter(size int) (text, wire string) {
	var b strings.Builder
	b.WriteString("From: =?utf-8?q?J=C3=BCrgen?= <jürgen@osm.test>\r\nSubject: 50 große Grüße\r\nMessage-ID: <big@osm.test>\r\n\r\n")
	lines := []string{".", "..", ". a dot", ".\tx", "", "caf\xc3\xa9", "\xff\xfe\x80 no UTF-8", strings.Repeat("long ", 190), "From the beginning", "\t\t  ", "=3D\r"[:3]}
	for n := 0; b.Len() < size; n++ {
		b.WriteString(lines[n%len(lines)] + "\r\n")
	}
	text = b.String()
	wire = strings.ReplaceAll(text, "\r\n.", "\r\n..") + ".\r\n"
	return text, wire
}

// mixed gives a hundred recipients: of ten each one is refused, deferred, discarded and unknown to the upstream.
func mixed(domain string) (commands string, answers, let []string) {
	var b strings.Builder
	for i := range 100 {
		name, answer := fmt.Sprintf("jürgen%d", i), "250 "
		switch i % 10 {
		case 1:
			name, answer = "never"+name, "550 5.7.1"
		case 2:
			name, answer = "notnow"+name, "451 4.7.1"
		case 3:
			name, answer = "away"+name, "250 2.1.5"
		default:
			let = append(let, name+"@"+domain)
		}
		fmt.Fprintf(&b, "RCPT TO:<%s@%s>\r\n", name, domain)
		answers = append(answers, answer)
	}
	return b.String(), answers, let
}

func decideMixed(r *policy.Request) osm.Verdict {
	switch {
	case r.State != policy.Rcpt:
	case strings.HasPrefix(r.Recipient, "never"):
		return reject
	case strings.HasPrefix(r.Recipient, "notnow"):
		return later
	case strings.HasPrefix(r.Recipient, "away"):
		return discard
	}
	return osm.Verdict{}
}

// TestBigMixedMessage passes 50 MB, 8-bit, dot-stuffed, SMTPUTF8, to a hundred recipients of mixed verdicts: it arrives byte
// for byte, for those that were let through.
func TestBigMixedMessage(t *testing.T) {
	s := newSink(t, nil)
	f := newFront(t, settings(s.addr), decideMixed)
	text, wire := bigLetter(50 << 20)
	recipients, answers, let := mixed("x.example")
	for _, chunks := range []bool{false, true} {
		c := dial(t, f.addr)
		c.hello()
		c.send("MAIL FROM:<jürgen@osm.test> SMTPUTF8 BODY=8BITMIME SIZE=" + fmt.Sprint(len(text)) + "\r\n" + recipients)
		c.want(append([]string{"250 "}, answers...)...)
		if chunks {
			for rest := text; rest != ""; {
				n := min(len(rest), 3<<20+1)
				last := map[bool]string{true: " LAST"}[n == len(rest)]
				c.send(fmt.Sprintf("BDAT %d%s\r\n", n, last))
				c.send(rest[:n])
				c.want("250 ")
				rest = rest[n:]
			}
		} else {
			c.ask("DATA", "354 ")
			c.send(wire)
			c.want("250 2.0.0 OK id=1")
		}
		l := s.all()
		if got := l[len(l)-1]; string(got.text) != text || !slices.Equal(got.to, let) || got.from != "jürgen@osm.test" || !got.utf8 {
			t.Fatalf("%d bytes of %d to %d recipients arrived", len(got.text), len(text), len(got.to))
		}
	}
	p := slices.DeleteFunc(f.told(), func(p gateway.Passage) bool { return p.Stage != gateway.Accepted })
	if last := p[len(p)-1]; len(p) != 2 || last.Message.Subject != "50 große Grüße" || last.Message.From != "jürgen@osm.test" || len(last.Message.Recipients) != len(let) {
		t.Errorf("told of %+v", last.Message)
	}
}

// real is a real upstream: it knows the client's address and lets 192.0.2.0/24 relay.
type real struct {
	addr   string
	handOn gateway.HandOn
	wait   func(ctx context.Context, parts ...string) (string, error)
	sink   func(t *testing.T, recipient string) []byte // what came out behind it for a recipient
}

func newExim(t *testing.T) real {
	t.Helper()
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	out, err := lab.NewSink(lab.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	e, err := lab.Start(t.Context(), lab.Options{Sink: out, Main: "hosts_proxy = 127.0.0.1\nacl_smtp_rcpt = gate_rcpt\n", ACL: "gate_rcpt:\n" +
		"  accept authenticated = *\n  accept hosts = 192.0.2.0/24\n  deny message = relay not permitted to $sender_host_address\n",
		Accounts: []lab.Account{{Address: "ann@osm.test", Password: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return real{addr: e.SMTP().String(), handOn: gateway.ByProxy, wait: e.WaitLog, sink: func(t *testing.T, recipient string) []byte {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		m, err := out.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, recipient) })
		if err != nil {
			t.Fatal(err)
		}
		return m.Data
	}}
}

func newPostfix(t *testing.T) real {
	t.Helper()
	out := newSink(t, nil)
	at, err := netip.ParseAddrPort(out.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, err := lab.StartPostfix(ctx, lab.PostfixOptions{Relayhost: at, Main: "mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\nsmtpd_authorized_xclient_hosts = 127.0.0.1\n"})
	if errors.Is(err, lab.ErrNoPostfix) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return real{addr: p.SMTP().String(), handOn: gateway.ByXclient, wait: p.WaitLog, sink: func(t *testing.T, recipient string) []byte {
		for {
			for _, l := range out.all() {
				if slices.Contains(l.to, recipient) {
					return l.text
				}
			}
			select {
			case <-out.came:
			case <-time.After(2 * time.Minute):
				t.Fatalf("nothing came for %s\n%s", recipient, p.Logged())
			}
		}
	}}
}

// TestRealUpstreams stands before Exim and before Postfix: both see the client's own address and name, refuse strangers in
// their own words, and pass on byte for byte what the client has sent.
func TestRealUpstreams(t *testing.T) {
	for name, start := range map[string]func(*testing.T) real{"Exim": newExim, "Postfix": newPostfix} {
		t.Run(name, func(t *testing.T) {
			up := start(t)
			cfg := settings(up.addr)
			cfg.HandOn, cfg.ProxyFrom = up.handOn, []string{"127.0.0.9"}
			f := newFront(t, cfg, nil)
			from := func(d byte) *talker {
				c := dialFrom(t, f.addr, netip.MustParseAddr("127.0.0.9"))
				c.send(proxyHead + "\x21\x11\x00\x0c\xc6\x33\x64" + string([]byte{d}) + "\x7f\x00\x00\x01\x12\x34\x00\x19")
				return c
			}
			stranger := from(7) // 198.51.100.7
			stranger.want("220 ")
			stranger.ask("EHLO stranger.example", "250")
			stranger.ask("MAIL FROM:<x@else.example>", "250 ")
			if got := stranger.ask("RCPT TO:<b@far.example>", "55"); !strings.Contains(got, "elay") {
				t.Errorf("a stranger is refused with %q", got)
			}
			c := dialFrom(t, f.addr, netip.MustParseAddr("127.0.0.9"))
			c.send(proxyHead + "\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x34\x00\x19")
			c.want("220 ")
			if offered := c.ask("EHLO pc.customer.example", "250"); !strings.Contains(offered, "8BITMIME") || !strings.Contains(offered, "SIZE ") {
				t.Errorf("offered %q", offered)
			}
			text, wire := bigLetter(2 << 20)
			for n, how := range []string{"DATA", "DATA", "BDAT"} {
				to := fmt.Sprintf("friend%d@far.example", n)
				c.send("MAIL FROM:<x@osm.test> BODY=8BITMIME\r\nRCPT TO:<" + to + ">\r\n")
				c.want("250 ", "250 ")
				if how == "BDAT" {
					c.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
				} else {
					c.ask("DATA", "354 ")
					c.send(wire)
				}
				c.want("250 ")
				got := up.sink(t, to)
				if body := text[strings.Index(text, "\r\n\r\n"):]; !bytes.HasSuffix(got, []byte(body)) {
					t.Errorf("%d bytes came out, not with the %d that went in at their end", len(got), len(body))
				}
				if !bytes.Contains(got, []byte("pc.customer.example")) || !bytes.Contains(got, []byte("192.0.2.7")) {
					t.Errorf("the client is not in %q", got[:min(len(got), 500)])
				}
			}
			c.ask("QUIT", "221 ")
			for _, p := range f.told() {
				if p.Stage == gateway.Accepted && (p.QueueID == "" || p.Seen.String() != "192.0.2.7") {
					t.Errorf("the answer %q has the id %q, seen %v", p.Text, p.QueueID, p.Seen)
				}
			}
			swaks(t, f.addr)
		})
	}
}

// swaks sends with a program that people use to try mail servers.
func swaks(t *testing.T, addr string) {
	t.Helper()
	program, err := exec.LookPath("swaks")
	if err != nil {
		t.Log("swaks is not installed")
		return
	}
	out, err := exec.CommandContext(t.Context(), program, "--server", addr, "--from", "x@osm.test", "--to", "b@far.example", "--pipeline").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 24 || !strings.Contains(string(out), "elay") { // 24: no recipient was accepted
		t.Errorf("swaks from an address that may not relay: %v\n%s", err, out)
	}
}
