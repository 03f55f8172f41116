package track

import (
	"slices"
	"strings"

	"osm"
	"osm/exim"
)

// fillMessage makes a message of an arrival line and tells how many bytes its strings take. They are copied off the
// line into one block, unless they have a copy of it already.
func (b *Batch) fillMessage(m *osm.Message, e *exim.Entry) int64 {
	*m = osm.Message{} // and field by field: a literal would be made beside it and copied
	m.ID, m.Time = e.ID, e.Time
	m.Login, m.Auth = e.Login, e.Auth
	m.ClientHost, m.ClientPort, m.Helo, m.ServerPort = e.Host, e.Port, e.Helo, e.LocalPort
	m.Protocol, m.TLS = e.Protocol, e.Cipher
	m.Sender, m.Subject, m.HasSubject = e.Sender, e.Subject, e.HasSubject
	m.MessageID, m.Parent, m.Queue, m.Size = e.MessageID, e.Parent, e.Queue, e.Size
	if e.IP == "" {
		m.User = e.User // over SMTP U= is what the client's ident service says (spec 14.19): worth nothing
	} else {
		m.Client, _ = exim.ParseIP(e.IP) // an address that can't be read is left out
	}
	b.recipients = b.recipients[:0]
	for r := range exim.EachRecipient(e.Recipients) {
		b.recipients = append(b.recipients, r)
	}
	if len(b.recipients) > 0 {
		m.Recipients = slices.Clone(b.recipients)
	}
	escaped := strings.IndexByte(e.Line, '\\') >= 0
	if e.Kept && !escaped {
		return int64(len(e.Line)) + int64(len(m.Recipients))*stringBytes
	}
	fields := messageStrings(m)
	if escaped {
		for _, s := range fields {
			*s = exim.Unescape(*s)
		}
		for i, r := range m.Recipients {
			m.Recipients[i] = exim.Unescape(r)
		}
	}
	pack(fields[:], m.Recipients)
	return messageBytes(m)
}

// messageStrings are the fields of a message that come from its arrival line.
func messageStrings(m *osm.Message) [13]*string {
	return [...]*string{&m.ID, &m.Login, &m.Auth, &m.User, &m.ClientHost, &m.Helo, &m.Protocol, &m.TLS, &m.Sender,
		&m.Subject, &m.MessageID, &m.Parent, &m.Queue}
}

// messageBytes is how much memory the strings of a message take.
func messageBytes(m *osm.Message) int64 {
	n := len(m.Script.Path)
	for _, s := range messageStrings(m) {
		n += len(*s)
	}
	for _, r := range m.Recipients {
		n += len(r)
	}
	return int64(n) + int64(len(m.Recipients))*stringBytes
}

// fillDelivery makes a delivery of its line. Its strings stay parts of the line.
func fillDelivery(d *osm.Delivery, e *exim.Entry) {
	*d = osm.Delivery{}
	d.Time, d.Outcome = e.Time, outcomes[e.Kind]
	d.Recipient, d.Original = e.Address, e.Original
	d.Router, d.Transport = e.Router, e.Transport
	d.Host, d.Port = e.Host, e.Port
	d.Code, d.Enhanced, d.Text = e.Code, e.Enhanced, e.Answer
	if e.IP != "" {
		d.IP, _ = exim.ParseIP(e.IP)
	}
	if strings.IndexByte(e.Line, '\\') >= 0 {
		for _, s := range deliveryStrings(d) {
			*s = exim.Unescape(*s)
		}
	}
	// Exim logs a local delivery as "=> bob <bob@example.org>" (spec 52.10): the address is the part in brackets.
	local, _, _ := strings.Cut(d.Original, "@")
	if d.Original == "" {
		d.Original = d.Recipient
	} else if strings.EqualFold(d.Recipient, local) {
		d.Recipient = d.Original
	}
}

var outcomes = [...]osm.Outcome{
	exim.Delivery:   osm.Delivered,
	exim.Cutthrough: osm.Delivered,
	exim.Suppressed: osm.Suppressed,
	exim.Deferral:   osm.Deferred,
	exim.Failure:    osm.Failed,
}

// copyDelivery copies a delivery with strings that outlive the line. It tells how many bytes they take.
func copyDelivery(d, from *osm.Delivery) int64 {
	*d = *from
	fields := deliveryStrings(d)
	return pack(fields[:], nil)
}

func deliveryStrings(d *osm.Delivery) [7]*string {
	return [...]*string{&d.Recipient, &d.Original, &d.Router, &d.Transport, &d.Host, &d.Enhanced, &d.Text}
}

// pack copies strings into one block, so that they cost one allocation together, and tells its size.
func pack(fields []*string, list []string) int64 {
	size := 0
	for _, s := range fields {
		size += len(*s)
	}
	for _, s := range list {
		size += len(s)
	}
	var block strings.Builder
	block.Grow(size)
	for _, s := range fields {
		block.WriteString(*s)
	}
	for _, s := range list {
		block.WriteString(s)
	}
	rest := block.String()
	for _, s := range fields {
		*s, rest = rest[:len(*s)], rest[len(*s):]
	}
	for i, s := range list {
		list[i], rest = rest[:len(s)], rest[len(s):]
	}
	return int64(size)
}
