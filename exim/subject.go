package exim

import (
	"mime"
	"strings"

	"github.com/emersion/go-message/charset"
)

// DecodeSubject makes a logged subject readable: Exim's escapes are undone, and then the encoded words of RFC 2047 that
// Exim left (it decodes those it can). What cannot be decoded stays as it is; bytes that are no UTF-8 become U+FFFD. The result is
// still hostile: it can hold newlines and control characters.
func DecodeSubject(s string) string {
	s = Unescape(s)
	if strings.Contains(s, "=?") {
		words := mime.WordDecoder{CharsetReader: charset.Reader}
		if decoded, err := words.DecodeHeader(s); err == nil {
			s = decoded
		}
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
