package gateway

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// attribute is one of XCLIENT's or XFORWARD's (Postfix, XCLIENT_README and XFORWARD_README), its value in xtext.
type attribute struct{ key, value string }

// unknownValue stands for what is not known.
const unknownValue = "[UNAVAILABLE]"

// xclientAttributes are how a client is told to an upstream.
func xclientAttributes(p peer) []attribute {
	address := p.addr.Addr().Unmap().String()
	if p.addr.Addr().Unmap().Is6() {
		address = "IPV6:" + address
	}
	proto := "ESMTP"
	if p.smtp {
		proto = "SMTP"
	}
	or := func(s string) string {
		if s == "" {
			return unknownValue
		}
		return xtext(s)
	}
	return []attribute{{"ADDR", address}, {"PORT", strconv.Itoa(int(p.addr.Port()))}, {"NAME", or(p.host)}, {"HELO", or(p.helo)}, {"PROTO", proto}}
}

// xtext is RFC 3461 section 4.
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '+' && c != '=' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "+%02X", c)
		}
	}
	return b.String()
}

func unxtext(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			b.WriteByte(s[i])
			continue
		}
		if len(s) < i+3 {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

// trusted tells whether the server at the other end may say who the client is.
func (s *session) trusted() bool { return s.g.xclients.contain(s.from.Addr()) }

// xclient takes the client's address from a trusted server; the dialogue begins anew.
func (s *session) xclient(c command) {
	if s.tells(c) {
		s.greeted, s.esmtp, s.login, s.method = false, false, "", ""
		s.greet()
	}
}

// xforward is the same in the middle of a dialogue.
func (s *session) xforward(c command) {
	if s.tells(c) {
		s.say(250, "2.0.0", "OK")
	}
}

// tells notes what a trusted server says of the client, all of it or nothing.
func (s *session) tells(c command) bool {
	switch {
	case !s.trusted():
		s.refuse(550, "5.7.0", c.verb+" is not for you")
		return false
	case s.mail.begun:
		s.refuse(503, "5.5.1", c.verb+" is not allowed here")
		return false
	}
	p := s.client
	for word := range strings.FieldsSeq(c.args) {
		key, value, _ := strings.Cut(word, "=")
		value, ok := unxtext(value)
		if !ok || !p.set(strings.ToUpper(key), value) {
			s.refuse(501, "5.5.4", "an attribute of "+c.verb+" can't be read")
			return false
		}
	}
	if !s.abandon() {
		return false
	}
	s.release()
	s.client, s.agreed.up = p, nil
	return true
}

func (p *peer) set(key, value string) bool {
	known := value != unknownValue && value != "[TEMPUNAVAIL]"
	switch key {
	case "ADDR":
		if !known {
			return true
		}
		if len(value) > 5 && strings.EqualFold(value[:5], "IPV6:") {
			value = value[5:]
		}
		a, err := netip.ParseAddr(value)
		if err != nil {
			return false
		}
		p.addr = netip.AddrPortFrom(a.Unmap(), p.addr.Port())
	case "PORT":
		if !known {
			return true
		}
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return false
		}
		p.addr = netip.AddrPortFrom(p.addr.Addr(), uint16(n))
	case "NAME", "HELO":
		if !known {
			value = ""
		} else if !validName(value) {
			return false
		}
		if key == "NAME" {
			p.host = value
		} else {
			p.helo = value
		}
	case "PROTO", "SOURCE":
	default:
		return false
	}
	return true
}
