package osm

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable makes a hostile string safe to show on one line of a terminal, a log or an alert: control characters (so
// line ends and escape sequences too), characters that change the direction of writing, other invisible ones and
// bytes that are not UTF-8 become \n, \x1b, \u202e and the like. What is printable stays as it is, a backslash too: the
// result is for eyes, it cannot be read back. HTML needs its own escaping besides.
func Printable(s string) string {
	start := plainPrefix(s)
	if start == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:start])
	for i := start; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x`)
			b.WriteString(strconv.FormatUint(0x100+uint64(s[i]), 16)[1:])
		case strconv.IsPrint(r):
			b.WriteString(s[i : i+n])
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += n
	}
	return b.String()
}

// plainPrefix tells how many bytes from the start are printable ASCII: nearly always all of them.
func plainPrefix(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return i
		}
	}
	return len(s)
}
