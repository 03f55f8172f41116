package gateway

import (
	"strconv"
	"strings"
)

// command is one command line taken apart.
type command struct {
	verb string // in capitals
	args string
}

func parseCommand(line []byte) command {
	verb, args, _ := strings.Cut(string(line), " ")
	return command{strings.ToUpper(verb), strings.TrimSpace(args)}
}

// path is the address in MAIL or RCPT with the parameters after it.
type path struct {
	text    string // the address as it was written, without angle brackets; "" for <>
	params  []param
	written string // the parameters as they were written, with a space before each
}

type param struct{ key, value string } // key in capitals

func (p *path) param(key string) (string, bool) {
	for _, one := range p.params {
		if one.key == key {
			return one.value, true
		}
	}
	return "", false
}

// pathMost is what an address may have: 64 bytes before the @ and 255 after it (RFC 5321 section 4.5.3.1), and the same
// again for characters that need several bytes or backslashes.
const pathMost = 640

// parsePath reads what follows MAIL FROM: or RCPT TO: (RFC 5321 section 4.1.2). Spaces before the address are forgiven,
// everything else has to be right: what is understood in two ways can be used to go around a rule. A source route is left
// out, as appendix C of the RFC wants.
func parsePath(s string) (p path, ok bool) {
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, "<") {
		return p, false
	}
	end := pathEnd(s)
	if end < 0 || end > pathMost {
		return p, false
	}
	p.text = s[1:end]
	if strings.HasPrefix(p.text, "@") {
		_, after, routed := strings.Cut(p.text, ":")
		if !routed || after == "" {
			return p, false
		}
		p.text = after
	}
	if p.text != "" && !validMailbox(p.text) {
		return p, false
	}
	rest := s[end+1:]
	if rest != "" && rest[0] != ' ' {
		return p, false
	}
	for word := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(word, "=")
		if !validKeyword(key) || !validValue(value) {
			return p, false
		}
		p.params = append(p.params, param{strings.ToUpper(key), value})
		p.written += " " + word
	}
	return p, true
}

// pathEnd is where the > of a path is, -1 when there is none. In quotes it is a character like others.
func pathEnd(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
			return -1
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == '>':
			return i
		case !quoted && (c == ' ' || c == '<'):
			return -1
		}
	}
	return -1
}

// validMailbox tells whether an address is a local part with or without a domain: a dot-string or a quoted one, a name or
// an address literal. Bytes above ASCII are those of SMTPUTF8 (RFC 6531).
func validMailbox(s string) bool {
	local := s
	if s[0] == '"' {
		end := 1
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(s) {
			return false
		}
		local = s[:end+1]
	} else if at := strings.IndexByte(s, '@'); at >= 0 {
		local = s[:at]
	}
	if local == "" || local[0] != '"' && strings.ContainsAny(local, `()<>[]:;\," `) {
		return false
	}
	domain, has := strings.CutPrefix(s[len(local):], "@")
	if !has {
		return domain == ""
	}
	if strings.HasPrefix(domain, "[") {
		return strings.HasSuffix(domain, "]") && !strings.ContainsAny(domain[1:len(domain)-1], "[]\\\" <>@")
	}
	return domain != "" && !strings.ContainsAny(domain, `()<>[];:\,"@ `)
}

func validKeyword(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' && i > 0) {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '=' })
}

// parseSize reads the value of SIZE (RFC 1870).
func parseSize(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 62)
	return int64(n), err == nil && len(s) <= 20
}

// validName tells whether an argument of EHLO can be a name or an address literal: anything printable without spaces, as
// long as a domain may be. What it should be, rules say.
func validName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
