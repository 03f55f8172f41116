package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"osm"
	"osm/policy"
)

// session is the dialogue with one client. One goroutine runs it.
type session struct {
	g    *Gateway
	ctx  context.Context
	raw  net.Conn // as accepted
	conn net.Conn // raw, or TLS over it
	wire wire
	out  []byte // answers not sent yet
	door struct {
		tls bool
	}
	from     netip.AddrPort // of the connection: what networks of trust are about
	at       netip.AddrPort // where it has connected to
	client   peer
	admitted netip.Addr // counted by the limiter; invalid: not
	greeted  bool       // EHLO or HELO was said
	esmtp    bool
	cipher   string
	login    string
	method   string // of the login, in small letters

	link   *link
	queue  []pending // commands whose answers are due, in their order
	agreed agreement
	mail   transaction
	asked  policy.Request // room for questions
	spare  *transfer      // room for the next message

	errors    int
	commands  int  // since the last message
	suspected bool // some question was answered with a verdict that stops
	busy      atomic.Bool
	over      bool // after the next answer the connection ends
	quits     bool // because the client has said QUIT
}

func (g *Gateway) newSession(ctx context.Context, conn net.Conn, encrypted bool) *session {
	s := &session{g: g, ctx: ctx, raw: conn, conn: conn}
	s.door.tls = encrypted
	s.wire = wire{conn: conn, wait: time.Duration(g.cfg.Limit.Idle), stop: func() bool { return ctx.Err() != nil && !s.busy.Load() }}
	s.from, s.at = addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	s.client = peer{addr: s.from, at: s.at}
	return s
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		at := tcp.AddrPort()
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	return netip.AddrPort{}
}

// hurry ends a connection that waits for its client; one with a message on its way ends it first.
func (s *session) hurry() {
	if !s.busy.Load() {
		s.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

func (s *session) close() {
	s.drop()
	s.tellStopped()
	s.release()
	if s.over && !s.quits && s.ctx.Err() == nil {
		s.linger()
	}
	if s.admitted.IsValid() {
		s.g.limiter.dismiss(s.admitted)
	}
	s.g.limiter.leave()
	s.conn.Close()
}

// linger lets the client read the last answer: closing a socket with unread input takes it away (RFC 1122 section
// 4.2.2.13).
func (s *session) linger() {
	tcp, ok := s.raw.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil || tcp.SetReadDeadline(time.Now().Add(lingerFor)) != nil {
		return
	}
	io.CopyN(io.Discard, tcp, lingerMost) // what comes is of no interest any more
}

const (
	lingerFor  = 2 * time.Second
	lingerMost = 1 << 20
)

// run is the dialogue from the first byte to the last.
func (s *session) run() {
	if !s.open() {
		return
	}
	for !s.over {
		if !s.wire.hasLine() {
			if !s.answeredAll() {
				s.settle()
			}
			if !s.flush() || s.over {
				return
			}
		}
		line, err := s.wire.line(s.lineLimit())
		if err != nil && !s.broken(err) {
			break
		}
		if err == nil {
			s.command(parseCommand(line))
		}
		s.count()
	}
	s.settle()
	s.flush()
}

// lineLimit is how long a command may be. AUTH may carry a ticket in its line (RFC 4954 section 4).
func (s *session) lineLimit() int {
	if b := s.wire.unread(); len(b) >= 4 && strings.EqualFold(string(b[:4]), "AUTH") {
		return authLine
	}
	return int(s.g.cfg.Limit.Line)
}

// broken answers a line that can't be taken; false: nothing more can be read.
func (s *session) broken(err error) bool {
	var late net.Error
	switch {
	case errors.Is(err, errBare):
		s.refuse(500, "5.5.2", "lines must end in CR LF, and nowhere else may there be a CR or LF")
	case errors.Is(err, errNul):
		s.refuse(500, "5.5.2", "NUL characters are not allowed")
	case errors.Is(err, errLong):
		s.refuse(500, "5.5.2", "the line is too long")
		s.over = true
	case errors.Is(err, errStopping), s.ctx.Err() != nil:
		s.end(421, "4.3.2", "the gateway stops, try again later")
	case errors.As(err, &late) && late.Timeout():
		s.end(421, "4.4.2", "you were silent for too long")
	default:
		return false
	}
	return true
}

// count ends a dialogue that leads nowhere.
func (s *session) count() {
	limit := &s.g.cfg.Limit
	switch {
	case s.over:
	case s.errors > limit.Errors:
		s.end(421, "4.7.0", "too many errors")
	case s.commands > limit.Commands:
		s.end(421, "4.7.0", "too many commands without a message")
	}
}

// open takes a connection from its first byte to the greeting. false: it has ended.
func (s *session) open() bool {
	if s.g.proxies.contain(s.from.Addr()) {
		s.raw.SetReadDeadline(time.Now().Add(time.Duration(s.g.cfg.Limit.Connect)))
		client, err := readProxy(s.raw)
		if err != nil {
			s.g.counts.Turned.Add(1)
			s.g.log.Warn("a connection from proxy_from has no PROXY header", "from", s.from, "error", err)
			return false
		}
		if client.IsValid() {
			s.client.addr = client
		}
	}
	if why := s.g.limiter.admit(s.client.addr.Addr()); why != "" {
		s.g.turn(s.raw, s.door.tls, why)
		return false
	}
	s.admitted = s.client.addr.Addr()
	if s.door.tls && !s.secure() {
		return false
	}
	if err := s.g.pool.ready(s.ctx); err != nil {
		s.g.counts.Turned.Add(1)
		s.end(421, "4.3.2", noUpstream+reasons(err))
		s.flush()
		return false
	}
	return s.greet()
}

// greet says who is here, unless the client is refused at once or has talked before its turn.
func (s *session) greet() bool {
	v, speak := s.consider(policy.Connect, AtConnect, "")
	if speak {
		s.turnDown(v)
		s.flush()
		return false
	}
	if s.suspected {
		s.slow()
	}
	if !s.door.tls && early(s.raw) {
		s.g.counts.Turned.Add(1)
		s.end(554, "5.5.0", "commands before the greeting")
		s.flush()
		return false
	}
	s.out = fmt.Appendf(s.out, "220 %s ESMTP\r\n", s.g.cfg.Name)
	return s.flush()
}

// turnDown speaks a refusal in place of the greeting (RFC 5321 section 3.1: 554).
func (s *session) turnDown(v osm.Verdict) {
	if v.Action == osm.Defer {
		s.end(421, "4.7.1", policy.Text(v))
		return
	}
	s.end(554, "5.7.1", policy.Text(v))
}

// secure goes over to TLS.
func (s *session) secure() bool {
	conn := tls.Server(s.raw, s.g.tls)
	s.raw.SetDeadline(time.Now().Add(time.Duration(s.g.cfg.Limit.Connect)))
	if err := conn.HandshakeContext(s.ctx); err != nil {
		return false // the client has no ears for an answer
	}
	s.raw.SetDeadline(time.Time{})
	s.conn, s.wire.conn = conn, conn
	s.wire.renew()
	s.cipher = tls.CipherSuiteName(conn.ConnectionState().CipherSuite)
	return true
}

// verbs is the table of commands. What they say of the dialogue's order is RFC 5321 section 4.1.4.
var verbs = map[string]func(*session, command){
	"EHLO": (*session).hello, "HELO": (*session).hello, "STARTTLS": (*session).startTLS, "AUTH": (*session).auth,
	"MAIL": (*session).mailFrom, "RCPT": (*session).rcptTo, "DATA": (*session).data, "BDAT": (*session).bdat,
	"RSET": (*session).reset, "NOOP": (*session).noop, "QUIT": (*session).quit, "VRFY": (*session).verify, "HELP": (*session).help,
	"XCLIENT": (*session).xclient, "XFORWARD": (*session).xforward,
}

func (s *session) command(c command) {
	do, known := verbs[c.verb]
	if c.verb != "RCPT" {
		s.commands++
	}
	switch {
	case known:
		do(s, c)
	case bytes.Contains([]byte(" GET POST CONNECT PUT HEAD OPTIONS "), []byte(" "+c.verb+" ")), strings.HasPrefix(c.verb, "\x16"):
		s.refuse(554, "5.5.0", "this is a mail server")
		s.over = true
	default:
		s.refuse(500, "5.5.2", "command not recognized")
	}
}

// say gives an answer of the gateway's own, in its turn.
func (s *session) say(code int, enhanced, text string) {
	line := appendAnswer(nil, code, enhanced, text)
	if len(s.queue) > 0 {
		s.queue = append(s.queue, pending{answer: line})
		return
	}
	s.out = append(s.out, line...)
}

func appendAnswer(dst []byte, code int, enhanced, text string) []byte {
	if enhanced != "" {
		enhanced += " "
	}
	return fmt.Appendf(dst, "%d %s%s\r\n", code, enhanced, text)
}

// refuse is an answer that counts as the client's mistake.
func (s *session) refuse(code int, enhanced, text string) {
	s.errors++
	s.say(code, enhanced, text)
}

// end is the last answer.
func (s *session) end(code int, enhanced, text string) {
	s.say(code, enhanced, text)
	s.over = true
}

// flush sends the answers; false: the client is gone.
func (s *session) flush() bool {
	if len(s.out) == 0 {
		return true
	}
	if s.suspected {
		s.slow()
	}
	err := s.wire.write(s.out)
	s.out = s.out[:0]
	if cap(s.out) > smallBuffer {
		s.out = nil
	}
	return err == nil
}

// slow keeps a suspected client waiting, as long as there is a place for it.
func (s *session) slow() {
	if s.g.cfg.Tarpit == 0 {
		return
	}
	select {
	case s.g.tarpit <- struct{}{}:
	default:
		return
	}
	defer func() { <-s.g.tarpit }()
	s.g.counts.Slowed.Add(1)
	select {
	case <-s.ctx.Done():
	case <-time.After(time.Duration(s.g.cfg.Tarpit)):
	}
}

// consider asks about what is known at a point of the dialogue. speak: it is refused or deferred, and this may be said here.
func (s *session) consider(state policy.State, at Point, recipient string) (v osm.Verdict, speak bool) {
	spoken := reaches(at, s.g.cfg.RejectAt)
	if !spoken && s.g.cfg.Tarpit == 0 {
		return v, false
	}
	r := &s.asked
	*r = policy.Request{State: state, Early: true, UID: -1, Recipient: recipient, Count: len(s.mail.recipients)}
	s.describe(&r.Message)
	v = s.g.options.Ask(s.ctx, r)
	if !v.Stops() {
		return v, false
	}
	s.suspected = s.suspected || v.Action != osm.Discard
	return v, spoken && (v.Action == osm.Reject || v.Action == osm.Defer)
}

// reaches tells whether a point of the dialogue is at or behind the one that refusals begin at.
func reaches(at, from Point) bool {
	for _, p := range points {
		if p == from {
			return true
		}
		if p == at {
			return false
		}
	}
	return false
}

// describe tells what is known of the client and its message.
func (s *session) describe(m *osm.Message) {
	m.Time = s.g.options.Now()
	m.Client, m.ClientPort, m.ClientHost, m.Helo = s.client.addr.Addr(), s.client.addr.Port(), s.client.host, s.client.helo
	m.ServerPort, m.Login, m.Auth, m.TLS = s.at.Port(), s.login, s.method, s.cipher
	m.Protocol = s.protocol()
	m.Sender, m.Size = s.mail.from.text, s.mail.declared
}

// protocol is what the client speaks, RFC 3848.
func (s *session) protocol() string {
	if !s.esmtp {
		return "smtp"
	}
	p := "esmtp"
	if s.cipher != "" {
		p += "s"
	}
	if s.login != "" {
		p += "a"
	}
	return p
}

func oneLine(err error) string {
	return osm.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// early tells whether a client has sent something already. Only a socket can be asked without waiting.
func early(conn net.Conn) bool {
	n, err := peek(conn)
	return err == nil && n > 0
}
