package osm

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// plain tells whether the first eight bytes of s, which has as many, stand for themselves in a JSON string. It may say no
// where they do.
func plain(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, backslash, angle := w^ones*'"', w^ones*'\\', w^ones*'<'
	odd := w | (w + ones) | (w - ones*' ') | (quote - ones) | (backslash - ones) | (angle - ones) // top bits: beyond ASCII, 0x7f, below 0x20, ours
	return odd&tops == 0
}

// AppendJSONString appends s as a JSON string (RFC 8259), quotes included. It allocates only to grow dst. Invalid UTF-8
// becomes U+FFFD; control characters, and what would end a script element or a line in JavaScript, are escaped.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		for i+8 <= len(s) && plain(s[i:]) {
			i += 8
		}
		if i == len(s) || i > len(s)-8 && len(s) >= 8 && plain(s[len(s)-8:]) {
			break
		}
		b := s[i]
		if b >= 0x20 && b < utf8.RuneSelf && b != '"' && b != '\\' && b != '<' && b != 0x7f {
			i++
			continue
		}
		r, size := rune(b), 1
		if b >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if !(r == utf8.RuneError && size == 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b == '\n':
			dst = append(dst, '\\', 'n')
		case b == '\t':
			dst = append(dst, '\\', 't')
		case b == '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		}
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
