package exim

import "strings"

// Unescape undoes the escapes that Exim writes into a logged string: \n, \r, \t, \b, \v, \f, \\ and \" and three octal
// digits for any other byte that does not print. Where there is no backslash s itself is returned, without allocation.
// A backslash that starts no escape stays.
func Unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for {
		out = append(out, s[:i]...)
		c, n := escape(s[i:])
		out = append(out, c)
		s = s[i+n:]
		if i = strings.IndexByte(s, '\\'); i < 0 {
			return string(append(out, s...))
		}
	}
}

// escape reads the escape at the start of s and returns its byte and its length.
func escape(s string) (byte, int) {
	if len(s) < 2 {
		return '\\', 1
	}
	switch c := s[1]; c {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'v':
		return '\v', 2
	case 'f':
		return '\f', 2
	case '\\', '"':
		return c, 2
	}
	if len(s) >= 4 && s[1] <= '3' && octal(s[1]) && octal(s[2]) && octal(s[3]) {
		return (s[1]-'0')<<6 | (s[2]-'0')<<3 | (s[3] - '0'), 4
	}
	return '\\', 1
}

func octal(c byte) bool { return '0' <= c && c <= '7' }
