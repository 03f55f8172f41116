package gateway

import (
	"bytes"
	"mime"
	"strings"

	"osm"
	"osm/check"
)

// headerEnd is where the body of a message begins, -1 while its header is not complete.
func headerEnd(b []byte) int {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return 2
	}
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return i + 4
	}
	return -1
}

// readHeader notes what osm wants to know of a header: its Subject, From and Message-ID, the first of each.
func readHeader(b []byte, m *osm.Message) {
	if end := headerEnd(b); end >= 0 {
		b = b[:end]
	}
	for len(b) > 0 {
		field := b[:fieldEnd(b)]
		b = b[len(field):]
		name, value, ok := bytes.Cut(field, []byte(":"))
		if !ok {
			continue
		}
		name = bytes.TrimRight(name, " \t")
		switch {
		case bytes.EqualFold(name, []byte("subject")):
			if !m.HasSubject {
				m.Subject, m.HasSubject = decodeWords(unfold(value)), true
			}
		case bytes.EqualFold(name, []byte("from")):
			if m.From == "" {
				m.From = check.FirstAddress(unfold(value))
			}
		case bytes.EqualFold(name, []byte("message-id")):
			if m.MessageID == "" {
				m.MessageID = strings.TrimSuffix(strings.TrimPrefix(unfold(value), "<"), ">")
			}
		}
	}
}

// fieldEnd is where the next field begins: at a line that does not begin with a space (RFC 5322 section 2.2.3).
func fieldEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return len(b)
		}
		if at += i + 1; at == len(b) || b[at] != ' ' && b[at] != '\t' {
			return at
		}
	}
}

func unfold(b []byte) string {
	return strings.ReplaceAll(string(bytes.TrimSpace(b)), "\r\n", "")
}

// decodeWords undoes RFC 2047; what can't be decoded stays as it is.
func decodeWords(s string) string {
	decoder := mime.WordDecoder{}
	if text, err := decoder.DecodeHeader(s); err == nil {
		return text
	}
	return s
}
