package exim

import "strings"

// The fields of a line are KEY=value, separated by spaces, in an order that Exim keeps to. A value ends at a space, where
// it is quoted or bracketed at its closing quote or bracket. Exim escapes the quotes inside a subject or a reply; so
// whoever reads the fields in order and stops at the quotes is not deceived by a subject that looks like fields.

// maxKey is the length of the longest key that Exim writes ("DMARC").
const maxKey = 5

// key returns the length of the key that a field at s[i:] begins with, 0 if no field begins there.
func key(s string, i int) int {
	for n := 0; n <= maxKey && i+n < len(s); n++ {
		switch c := s[i+n]; {
		case c == '=':
			return n
		case digits[c] == 0 && c != '*':
			return 0
		}
	}
	return 0
}

// valueEnd returns the end of the value at s[i:].
func valueEnd(s string, i int) int {
	if i < len(s) {
		switch s[i] {
		case '"':
			return min(quoteEnd(s, i+1)+1, len(s))
		case '<':
			if end := angleEnd(s, i); end >= 0 {
				return end + 1
			}
		}
	}
	return wordEnd(s, i)
}

// wordEnd returns the index of the next space, or the end of s. A colon before a space is not part of the word: an
// error's text follows it.
func wordEnd(s string, i int) int {
	end := spaceAt(s, i)
	if end > i && end < len(s) && s[end-1] == ':' {
		end--
	}
	return end
}

// spaceOver returns the index behind the space at s[i], or i where there is none.
func spaceOver(s string, i int) int {
	if i < len(s) && s[i] == ' ' {
		return i + 1
	}
	return i
}

// common reads the field at s[i:], whose key has n bytes, if it means the same on every line. Others are skipped: CV, DN,
// SNI, PRX, DKIM, M8S, RT, QT, DT and what later versions of Exim add. It returns the index of what follows.
func common(s string, i, n int, e *Entry) int {
	v := i + n + 1
	if n > 1 {
		return valueEnd(s, v)
	}
	switch s[i] {
	case 'H':
		return host(s, v, e)
	case 'I':
		return local(s, v, e)
	}
	end := valueEnd(s, v)
	switch s[i] {
	case 'X':
		e.Cipher = s[v:end]
	case 'A':
		e.Auth, e.Login, _ = strings.Cut(s[v:end], ":")
		e.Login, _, _ = strings.Cut(e.Login, ":") // +smtp_mailauth adds a sender, which the client chose
	case 'U':
		e.User = s[v:end]
	case 'Q':
		e.Queue = s[v:end]
	case 'S':
		e.Size = size(s[v:end])
	case 'F':
		e.Sender, e.HasSender = unbracketed(s[v:end]), true
	}
	return end
}

func unbracketed(s string) string {
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return strings.TrimPrefix(s, `"`)
}

// size reads a number of bytes; what is no number, or too long a one, is 0.
func size(s string) int64 {
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' || i > 17 {
			return 0
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// host reads the other host at s[i:]: its verified name, "(what it said in HELO)" and "[address]:port", each of which
// may be missing (specification, section "Logging message reception"). It returns the index of what follows.
//
// The first ") [" ends the HELO name. A client can put one into the name itself only where helo_accept_junk_hosts lets
// it break RFC 5321.
func host(s string, i int, e *Entry) int {
	if i < len(s) && s[i] != '(' && s[i] != '[' {
		end := wordEnd(s, i)
		e.Host, i = s[i:end], end
		next := spaceOver(s, i)
		if strings.HasPrefix(s[next:], "DS [") { // the name was verified with DNSSEC
			next += 3
		}
		if next == i || next == len(s) || s[next] != '(' && s[next] != '[' {
			return i
		}
		i = next
	}
	if i < len(s) && s[i] == '(' {
		end := strings.Index(s[i:], ") [")
		if end < 0 {
			return wordEnd(s, i)
		}
		e.Helo, i = s[i+1:i+end], i+end+2
	}
	e.IP, e.Port, i = socket(s, i)
	if i < len(s) && s[i] == '*' { // not the first host of the list
		i++
	}
	return i
}

// local reads our own address of a connection.
func local(s string, i int, e *Entry) int {
	e.LocalIP, e.LocalPort, i = socket(s, i)
	return i
}

// socket reads "[address]:port" at s[i:].
func socket(s string, i int) (ip string, port uint16, next int) {
	if i >= len(s) || s[i] != '[' {
		return "", 0, wordEnd(s, i)
	}
	n := strings.IndexByte(s[i:], ']')
	if n < 0 {
		return "", 0, wordEnd(s, i)
	}
	ip, i = s[i+1:i+n], i+n+1
	if i+1 < len(s) && s[i] == ':' && s[i+1] != ' ' {
		n, length := number(s[i+1:])
		if n <= 0xffff {
			port = uint16(n)
		}
		i += 1 + length
		if length == 0 { // not a number; Exim's test suite hides them
			i = wordEnd(s, i)
		}
	}
	return ip, port, i
}
