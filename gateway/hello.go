package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// passedOn are the extensions that are offered as the upstreams offer them, and whose parameters are handed on.
var passedOn = []string{"SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING"}

// mechanisms are those of AUTH that tell who logs in.
var mechanisms = []string{"PLAIN", "LOGIN", "XOAUTH2"}

// hello answers EHLO and HELO, which begin the dialogue anew (RFC 5321 section 4.1.4).
func (s *session) hello(c command) {
	first := !s.greeted
	switch {
	case first && len(s.wire.unread()) > 0: // PIPELINING was not offered yet (RFC 2920 section 3.1)
		s.end(554, "5.5.0", "commands before the answer to "+c.verb)
		return
	case !validName(c.args):
		s.refuse(501, "5.5.4", c.verb+" needs a name or an address")
		return
	}
	if !s.abandon() {
		return
	}
	if s.link != nil && !s.link.login && c.args != s.client.helo {
		s.release()
	}
	s.client.helo, s.greeted, s.esmtp = c.args, true, c.verb == "EHLO"
	s.agreed.up = nil
	s.client.smtp = !s.esmtp
	if !s.esmtp {
		s.say(250, "", s.g.cfg.Name+" Hello "+c.args)
		return
	}
	lines := append([]string{s.g.cfg.Name + " Hello " + c.args}, s.extensions()...)
	for i, l := range lines {
		separator := '-'
		if i == len(lines)-1 {
			separator = ' '
		}
		s.out = fmt.Appendf(s.out, "250%c%s\r\n", separator, l)
	}
}

// extensions are what is offered to this client now.
func (s *session) extensions() []string {
	all := []string{"PIPELINING"}
	offers := s.g.pool.offers()
	for _, key := range passedOn {
		value, ok := offers[key]
		if !ok {
			continue
		}
		if key == "SIZE" {
			value = strconv.FormatInt(s.sizeLimit(), 10)
		}
		all = append(all, strings.TrimRight(key+" "+value, " "))
	}
	if _, ok := offers["ENHANCEDSTATUSCODES"]; ok {
		all = append(all, "ENHANCEDSTATUSCODES")
	}
	if s.g.tls != nil && s.cipher == "" {
		all = append(all, "STARTTLS")
	}
	if offered := s.mechanisms(); len(offered) > 0 {
		all = append(all, "AUTH "+strings.Join(offered, " "))
	}
	if s.trusted() {
		all = append(all, "XCLIENT NAME ADDR PORT PROTO HELO", "XFORWARD NAME ADDR PORT PROTO HELO SOURCE")
	}
	return all
}

// sizeLimit is the largest message that the gateway and all upstreams take.
func (s *session) sizeLimit() int64 { return s.g.pool.size.Load() }

// mechanisms are the ways to log in that this client is offered now.
func (s *session) mechanisms() []string {
	if s.login != "" || s.cipher == "" && !s.g.cfg.AuthWithoutTLS {
		return nil
	}
	offered := strings.Fields(strings.ToUpper(s.g.pool.offers()["AUTH"]))
	return slices.DeleteFunc(offered, func(m string) bool { return !slices.Contains(mechanisms, m) })
}

// startTLS goes over to TLS (RFC 3207). What came before it in plain text is forgotten, and nothing may follow it: it
// would be taken for encrypted (CVE-2011-0411).
func (s *session) startTLS(c command) {
	switch {
	case s.g.tls == nil:
		s.refuse(502, "5.5.1", "STARTTLS is not available")
	case c.args != "":
		s.refuse(501, "5.5.4", "STARTTLS has no arguments")
	case s.cipher != "":
		s.refuse(503, "5.5.1", "TLS is in use already")
	case !s.esmtp:
		s.refuse(503, "5.5.1", "EHLO first")
	case len(s.wire.unread()) > 0:
		s.end(554, "5.5.0", "commands after STARTTLS, before TLS")
	default:
		if !s.abandon() {
			return
		}
		s.say(220, "2.0.0", "ready for TLS")
		if !s.flush() || !s.secure() {
			s.over = true
			return
		}
		s.release()
		s.client.helo, s.greeted, s.esmtp, s.login, s.method = "", false, false, "", ""
	}
}

func (s *session) noop(command) { s.say(250, "2.0.0", "OK") }

func (s *session) quit(command) {
	s.quits = true
	s.end(221, "2.0.0", s.g.cfg.Name+" closing connection")
}

func (s *session) verify(command) {
	s.say(252, "2.0.0", "send some mail, and see")
}

func (s *session) help(command) {
	s.say(214, "2.0.0", "see RFC 5321")
}

// reset answers RSET.
func (s *session) reset(command) {
	if s.abandon() {
		s.say(250, "2.0.0", "OK")
	}
}

// abandon ends what was begun of a message. false: the dialogue has ended with that.
func (s *session) abandon() bool {
	if !s.settle() {
		return false
	}
	s.drop()
	s.finish()
	return !s.over
}

// drop breaks off a transfer by BDAT.
func (s *session) drop() {
	if t := s.mail.transfer; t != nil {
		s.mail.transfer = nil
		t.giveUp()
	}
}

// finish forgets the message and makes the connection to the upstream ready for the next one.
func (s *session) finish() {
	s.tellStopped()
	s.mail = transaction{}
	s.wire.end = time.Time{}
	s.busy.Store(false)
	if s.link == nil {
		return
	}
	if err := s.link.reset(); err != nil {
		login := s.link.login
		s.lose()
		if login {
			s.end(421, "4.4.2", "the connection to the mail server was lost")
		}
		return
	}
	if !s.link.login && s.g.cfg.HandOn != ByProxy {
		s.release()
	}
}

// release gives the connection to the upstream back.
func (s *session) release() {
	if s.link != nil {
		s.g.pool.put(s.link)
		s.link = nil
	}
}

// lose closes the connection to the upstream.
func (s *session) lose() {
	if s.link != nil {
		s.link.conn.Close()
		s.link = nil
	}
}
