package exim

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends what was understood of a line as one JSON object, without a newline. Fields that are empty are left
// out; kind is always there, time and id where the line has them. Subject, answer and text are decoded; the other strings
// are as they were logged. Bytes that are no UTF-8 become U+FFFD.
func AppendJSON(dst []byte, e *Entry) []byte {
	o := object{append(dst, '{')}
	if !e.Time.IsZero() {
		o.time("time", e.Time, e.Millis)
	}
	o.text("id", e.ID)
	o.text("kind", e.Kind.String())
	o.number("pid", int64(e.PID))
	o.flag("fakereject", e.Kind == Fakereject)
	o.flag("additional", e.Additional)
	o.flag("temporary", e.Temporary)
	o.text("phase", e.Phase)
	if e.HasSender {
		o.key("sender")
		o.quoted(e.Sender)
	}
	o.recipients(e.Recipients)
	o.text("address", e.Address)
	o.text("parents", e.Parents)
	o.text("original", e.Original)
	o.text("return_path", e.ReturnPath)
	o.peer(e)
	o.text("user", e.User)
	o.text("parent", e.Parent)
	o.text("message_id", e.MessageID)
	o.text("queue", e.Queue)
	o.number("size", e.Size)
	if e.HasSubject {
		o.key("subject")
		o.quoted(DecodeSubject(e.Subject))
	}
	o.text("router", e.Router)
	o.text("transport", e.Transport)
	o.number("errno", int64(e.Errno))
	o.number("code", int64(e.Code))
	o.text("enhanced", e.Enhanced)
	o.text("answer", Unescape(e.Answer))
	o.text("dir", e.Dir)
	o.text("args", e.Args)
	o.text("forged", e.Forged.String())
	if e.worded() {
		o.text("text", Unescape(e.Text))
	}
	return append(o.dst, '}')
}

// worded tells whether the line's own words say more than its fields.
func (e *Entry) worded() bool {
	return e.Kind == Unknown || e.Kind >= Rejection
}

// peer writes the fields of the other host and of the connection.
func (o *object) peer(e *Entry) {
	o.text("host", e.Host)
	o.text("helo", e.Helo)
	o.text("ip", e.IP)
	o.number("port", int64(e.Port))
	o.text("local_ip", e.LocalIP)
	o.number("local_port", int64(e.LocalPort))
	o.text("protocol", e.Protocol)
	o.text("tls", e.Cipher)
	o.text("auth", e.Auth)
	o.text("login", e.Login)
}

// object writes the fields of a JSON object (RFC 8259).
type object struct{ dst []byte }

func (o *object) key(name string) {
	if o.dst[len(o.dst)-1] != '{' {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) text(name, value string) {
	if value != "" {
		o.key(name)
		o.quoted(value)
	}
}

func (o *object) number(name string, n int64) {
	if n != 0 {
		o.key(name)
		o.dst = strconv.AppendInt(o.dst, n, 10)
	}
}

func (o *object) flag(name string, set bool) {
	if set {
		o.key(name)
		o.dst = append(o.dst, "true"...)
	}
}

func (o *object) time(name string, t time.Time, millis bool) {
	layout := `"` + time.RFC3339 + `"`
	if millis {
		layout = `"2006-01-02T15:04:05.000Z07:00"`
	}
	o.key(name)
	o.dst = t.AppendFormat(o.dst, layout)
}

func (o *object) recipients(list string) {
	if list == "" {
		return
	}
	o.key("recipients")
	open := byte('[')
	for address := range EachRecipient(list) {
		o.dst = append(o.dst, open)
		o.quoted(address)
		open = ','
	}
	if open == '[' {
		o.dst = append(o.dst, open)
	}
	o.dst = append(o.dst, ']')
}

// quoted appends s as a JSON string.
func (o *object) quoted(s string) {
	o.dst = append(o.dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				o.dst = append(append(o.dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			o.dst = appendEscaped(append(o.dst, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	o.dst = append(append(o.dst, s[start:]...), '"')
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	}
	return hex.AppendEncode(append(dst, `\u00`...), []byte{c})
}
