package gateway_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"osm/gateway"
)

// script is an upstream whose answers a test writes.
type script struct {
	addr string
	mu   sync.Mutex
	said []string // lines, and the header of the PROXY protocol as it came
}

// newScript answers each line with what answer makes of it; "" closes the connection. A PROXY header is read first where
// one comes.
func newScript(t testing.TB, proxy bool, answer func(line string) string) *script {
	t.Helper()
	s := &script{}
	s.addr = listen(t, func(conn net.Conn) { s.serve(conn, proxy, answer) })
	return s
}

func (s *script) serve(conn net.Conn, proxy bool, answer func(string) string) {
	in := bufio.NewReader(conn)
	if proxy {
		head := make([]byte, 16)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		rest := make([]byte, int(head[14])<<8|int(head[15]))
		if _, err := io.ReadFull(in, rest); err != nil {
			return
		}
		s.note(string(head) + string(rest))
	}
	said := "220 script\r\n"
	for {
		if _, err := io.WriteString(conn, said); err != nil {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.note(line)
		if said = answer(line); said == "" {
			return
		}
	}
}

func (s *script) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

func (s *script) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.said...)
}

func agree(line string) string {
	switch {
	case strings.HasPrefix(line, "EHLO"):
		return "250-script\r\n250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n250 PIPELINING\r\n"
	case strings.HasPrefix(line, "XCLIENT"):
		return "220 script again\r\n"
	case line == "QUIT":
		return "221 bye\r\n"
	}
	return "250 fine\r\n"
}

const proxyHead = "\r\n\r\n\x00\r\nQUIT\n"

// TestProxy takes a client's address from a balancer and hands it on to the upstream, both by the PROXY protocol.
func TestProxy(t *testing.T) {
	up := newScript(t, true, agree)
	cfg := settings(up.addr)
	cfg.HandOn, cfg.ProxyFrom, cfg.RejectAt = gateway.ByProxy, []string{"127.0.0.9"}, gateway.AtMail
	f := newFront(t, cfg, nil)
	balancer := netip.MustParseAddr("127.0.0.9")
	for _, c := range []struct{ name, header, client string }{
		{"IPv4", proxyHead + "\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x34\x00\x19", "192.0.2.7"},
		{"IPv4 with an extension", proxyHead + "\x21\x11\x00\x10\xc0\x00\x02\x08\x7f\x00\x00\x01\x12\x34\x00\x19\x04\x00\x01x", "192.0.2.8"},
		{"IPv6", proxyHead + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + strings.Repeat("\x00", 15) + "\x01\x12\x34\x00\x19", "2001:db8::1"},
		{"health check", proxyHead + "\x20\x00\x00\x00", "127.0.0.9"},
	} {
		k := dialFrom(t, f.addr, balancer)
		k.send(c.header)
		k.hello()
		k.ask("MAIL FROM:<a@osm.test>", "250 fine")
		q := f.questions()
		if m := q[len(q)-1].Message; m.Client.String() != c.client {
			t.Errorf("%s: asked about %v", c.name, m.Client)
		}
		lines := up.lines()
		head := []byte(lines[len(lines)-3])
		at := bytes.Index(head, []byte(proxyHead))
		want := netip.MustParseAddr(c.client).AsSlice()
		if at != 0 || head[12] != 0x21 || !bytes.HasPrefix(head[16:], want) || lines[len(lines)-2] != "EHLO client.example" {
			t.Errorf("%s: the upstream was told %q", c.name, lines[len(lines)-3:])
		}
	}
	for _, bad := range []string{"EHLO client.example\r\n\r\n\r\n\r\n\r\n", proxyHead + "\x31\x11\x00\x0c" + strings.Repeat("x", 12), proxyHead + "\x21\x11\x00\x04abcd",
		proxyHead + "\x21\x11\xff\xff" + strings.Repeat("x", 12)} {
		k := dialFrom(t, f.addr, balancer)
		k.send(bad)
		k.ended()
	}
	k := dial(t, f.addr) // who is not a balancer has nothing to tell
	k.want("220 ")
	k.send(proxyHead + "\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x12\x34\x00\x19\r\n")
	k.want("500 ")
}

// TestXclient takes a client's address from a trusted server, and hands it on in Postfix's way.
func TestXclient(t *testing.T) {
	up := newScript(t, false, agree)
	cfg := settings(up.addr)
	cfg.HandOn, cfg.XclientFrom, cfg.RejectAt = gateway.ByXclient, []string{"127.0.0.8"}, gateway.AtMail
	f := newFront(t, cfg, nil)
	k := dial(t, f.addr)
	if offered := k.hello(); strings.Contains(offered, "XCLIENT") {
		t.Errorf("a stranger is offered %q", offered)
	}
	k.ask("XCLIENT ADDR=192.0.2.7", "550 ")
	k.ask("XFORWARD ADDR=192.0.2.7", "550 ")
	k = dialFrom(t, f.addr, netip.MustParseAddr("127.0.0.8"))
	if offered := k.hello(); !strings.Contains(offered, "XCLIENT NAME ADDR PORT PROTO HELO") {
		t.Errorf("a trusted server is offered %q", offered)
	}
	k.ask("XCLIENT ADDR=not", "501 ")
	k.ask("XCLIENT NAME=mail.example ADDR=IPV6:2001:db8::5 PORT=1234 HELO=odd+2Bname PROTO=ESMTP", "220 ")
	k.ask("MAIL FROM:<a@osm.test>", "503 ")
	k.ask("EHLO other.example", "250")
	k.ask("XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.9 SOURCE=REMOTE", "250 ")
	k.ask("MAIL FROM:<a@osm.test>", "250 fine")
	k.ask("XFORWARD ADDR=192.0.2.10", "503 ")
	q := f.questions()
	if m := q[len(q)-1].Message; m.Client.String() != "192.0.2.9" || m.ClientPort != 1234 || m.Helo != "other.example" || m.ClientHost != "" {
		t.Errorf("asked about %+v", m)
	}
	lines := up.lines()
	if got := strings.Join(lines[len(lines)-4:], "|"); got != "EHLO other.example|XCLIENT ADDR=192.0.2.9 PORT=1234 NAME=[UNAVAILABLE] HELO=other.example PROTO=ESMTP|"+
		"EHLO other.example|MAIL FROM:<a@osm.test>" {
		t.Errorf("the upstream was told %q", got)
	}
	without := newSink(t, nil) // offers no XCLIENT: it would take everybody for the gateway
	cfg.Upstream = []string{without.addr}
	f = newFront(t, cfg, nil)
	k = dial(t, f.addr)
	k.want("421 4.3.2 no mail server can be reached, try again later: not ready")
	if p := f.Problems(); len(p) != 1 || !strings.HasPrefix(p[0], "upstream "+without.addr+" does not work: it does not offer XCLIENT") {
		t.Errorf("told %q", p)
	}
}

// TestRelaying is about an upstream that knows only the gateway: strangers may write to the domains named, and nowhere else.
func TestRelaying(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.RelayFrom, cfg.RelayTo = []string{"127.0.0.7"}, []string{"ours.example"}
	cfg.Limit.Errors = 20
	f := newFront(t, cfg, nil)
	k := dial(t, f.addr)
	k.hello()
	k.ask("MAIL FROM:<a@ours.example>", "250 ")
	for _, stranger := range []string{"b@far.example", "b%far.example@ours.example", "far.example!b@ours.example", `"b@far.example"@ours.example`, "b@[127.0.0.1]",
		"b@sub.ours.example", "@ours.example:b@far.example"} {
		k.ask("RCPT TO:<"+stranger+">", "550 5.7.1 relaying")
	}
	k.ask("RCPT TO:<b@OURS.example>", "250 ")
	k.ask("RCPT TO:<postmaster>", "") // whatever the upstream says
	k = dialFrom(t, f.addr, netip.MustParseAddr("127.0.0.7"))
	k.hello()
	k.ask("MAIL FROM:<a@ours.example>", "250 ")
	k.ask("RCPT TO:<b@far.example>", "250 ")
}
