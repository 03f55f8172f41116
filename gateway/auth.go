package gateway

import (
	"encoding/base64"
	"slices"
	"strings"
)

// authLine is how long a line of AUTH may be (RFC 4954 section 4).
const authLine = 12288

// auth lets the upstream check a login (RFC 4954): what the client says goes there and what the upstream says comes back,
// word for word. The password is neither kept nor logged. The connection to the upstream belongs to this client from then on.
func (s *session) auth(c command) {
	if !s.settle() {
		return
	}
	name, initial, _ := strings.Cut(c.args, " ")
	name = strings.ToUpper(name)
	switch {
	case !s.esmtp || s.mail.begun:
		s.refuse(503, "5.5.1", "AUTH is not allowed here")
	case s.login != "":
		s.refuse(503, "5.5.1", "you have logged in already")
	case s.cipher == "" && !s.g.cfg.AuthWithoutTLS:
		s.refuse(538, "5.7.11", "encryption is needed to log in: STARTTLS first")
	case !slices.Contains(s.mechanisms(), name):
		s.refuse(504, "5.5.4", "this way to log in is not offered")
	case s.bind(true):
		line := "AUTH " + name
		if initial != "" {
			line += " " + strings.TrimSpace(initial)
		}
		s.authenticate(name, line, initial)
	}
}

func (s *session) authenticate(name, line, initial string) {
	var said []string // what the client has said, in base64
	if initial != "" {
		said = append(said, initial)
	}
	for {
		answer, err := s.link.ask(line)
		if err != nil {
			s.lost()
			return
		}
		s.out = append(s.out, answer.raw...)
		if answer.code != 334 {
			s.authenticated(name, answer.code, said)
			return
		}
		if !s.flush() {
			s.over = true
			return
		}
		b, err := s.wire.line(authLine)
		if err != nil {
			s.lose() // it waits for an answer that does not come
			if !s.broken(err) {
				s.over = true
			}
			return
		}
		line = string(b)
		said = append(said, line)
	}
}

// authenticated notes the login that the upstream has confirmed.
func (s *session) authenticated(name string, code int, said []string) {
	s.link.fresh = false
	if code != 235 {
		s.errors++
		s.release()
		return
	}
	s.link.login, s.agreed.up = true, nil
	s.login, s.method = loginOf(name, said), strings.ToLower(name)
	if s.login == "" { // the upstream understands it otherwise: whom its mail is charged to is not known
		s.login = "unknown"
	}
}

// loginOf is the name in what a client has said: of PLAIN the second of three parts (RFC 4616), of LOGIN the first answer,
// of XOAUTH2 the part user= (Google, "XOAUTH2 Mechanism").
func loginOf(mechanism string, said []string) string {
	if len(said) == 0 {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(said[0])
	if err != nil {
		return ""
	}
	switch mechanism {
	case "PLAIN":
		if part := strings.Split(string(text), "\x00"); len(part) == 3 {
			return part[1]
		}
	case "LOGIN":
		return string(text)
	case "XOAUTH2":
		for part := range strings.SplitSeq(string(text), "\x01") {
			if user, ok := strings.CutPrefix(part, "user="); ok {
				return user
			}
		}
	}
	return ""
}
