package policy

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"osm"
)

// Parse reads one request: lines of name=value up to an empty one, or to the end. Attributes that it does not know are
// ignored, as the protocol wants; a known one with a value that can't be right is an error. Nothing of text is kept.
func Parse(text []byte) (*Request, error) {
	r := new(Request)
	if _, err := new(parser).parse(r, text); err != nil {
		return nil, err
	}
	return r, nil
}

// parser reads requests, one after the other. All values of one become one string: a request costs an allocation, not one for
// each attribute.
type parser struct {
	text               []byte
	values             []value
	client, recipients string
}

// value is a piece of a parser's text, and where it belongs.
type value struct {
	to         *string
	start, end int
}

// parse reads a request, which may have been used before; n is how much of text it is.
func (p *parser) parse(r *Request, text []byte) (n int, err error) {
	*r = Request{UID: -1}
	p.text, p.values = p.text[:0], p.values[:0]
	p.client, p.recipients = "", ""
	asked := false
	for n < len(text) {
		line := text[n:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
			n++
		}
		n += len(line)
		if end := len(line) - 1; end >= 0 && line[end] == '\r' {
			line = line[:end]
		}
		if len(line) == 0 {
			break
		}
		equals := bytes.IndexByte(line, '=')
		if equals <= 0 {
			return 0, fmt.Errorf("%w: a line without name=value", ErrMalformed)
		}
		name, value := line[:equals], line[equals+1:]
		if string(name) == "request" {
			if string(value) != "smtpd_access_policy" {
				return 0, fmt.Errorf("%w: request=%q is not smtpd_access_policy", ErrMalformed, value)
			}
			asked = true
			continue
		}
		if err := p.set(r, name, value); err != nil {
			return 0, fmt.Errorf("%w: %s: %v", ErrMalformed, name, err)
		}
	}
	if !asked {
		return 0, fmt.Errorf("%w: no request=smtpd_access_policy", ErrMalformed)
	}
	if r.State == NoState {
		return 0, fmt.Errorf("%w: no protocol_state", ErrMalformed)
	}
	return n, p.settle(r)
}

// settle gives the values their places, and reads those that are more than a text.
func (p *parser) settle(r *Request) (err error) {
	text, m := string(p.text), &r.Message
	for _, v := range p.values {
		*v.to = text[v.start:v.end]
	}
	m.Protocol = strings.ToLower(m.Protocol)
	if m.ClientHost == "unknown" {
		m.ClientHost = ""
	}
	if m.Script.Path != "" {
		m.Script.Sure = osm.Exact
	}
	m.Recipients = splitRecipients(p.recipients)
	if p.client == "" {
		return nil
	}
	if m.Client, err = netip.ParseAddr(strings.TrimPrefix(p.client, "IPv6:")); err != nil {
		return fmt.Errorf("%w: client_address: %v", ErrMalformed, err)
	}
	return nil
}

func (p *parser) set(r *Request, name, value []byte) (err error) {
	m := &r.Message
	switch string(name) {
	case "protocol_state":
		r.State, err = parseState(value)
	case "protocol_name":
		p.add(&m.Protocol, value)
	case "client_address":
		p.add(&p.client, value)
	case "client_port":
		m.ClientPort, err = port(value)
	case "server_port":
		m.ServerPort, err = port(value)
	case "client_name":
		p.add(&m.ClientHost, value)
	case "helo_name":
		p.add(&m.Helo, value)
	case "queue_id":
		p.add(&m.ID, value)
	case "instance":
		p.add(&r.Instance, value)
	case "sender":
		p.add(&m.Sender, value)
	case "recipient":
		p.add(&r.Recipient, value)
	case "recipient_count":
		r.Count, err = number(value)
	case "size":
		var n int
		n, err = number(value)
		m.Size = int64(n)
	case "sasl_method":
		p.add(&m.Auth, value)
	case "sasl_username":
		p.add(&m.Login, value)
	case "encryption_cipher":
		p.add(&m.TLS, value)
	default:
		err = p.setExim(r, name, value)
	}
	return err
}

// setExim reads the attributes that only osm's own Exim snippets send. What can hold a newline travels in base64.
func (p *parser) setExim(r *Request, name, value []byte) (err error) {
	m := &r.Message
	switch string(name) {
	case "exim_uid":
		if len(value) > 0 {
			r.UID, err = number(value)
		}
	case "exim_ident":
		p.add(&m.User, value)
	case "exim_cwd_b64":
		err = p.decode(&m.Script.Path, value)
	case "exim_subject_b64":
		err = p.decode(&m.Subject, value)
		m.HasSubject = true
	case "exim_address_b64": // the recipient that REWRITE is about, exactly
		err = p.decode(&r.Recipient, value)
	case "exim_recipients_b64":
		err = p.decode(&p.recipients, value)
	}
	return err
}

// add takes a value; where an attribute comes twice the later one counts.
func (p *parser) add(to *string, text []byte) {
	start := len(p.text)
	p.text = append(p.text, text...)
	p.values = append(p.values, value{to, start, len(p.text)})
}

// decode takes a value that is base64.
func (p *parser) decode(to *string, text []byte) (err error) {
	start := len(p.text)
	p.text, err = base64.StdEncoding.AppendDecode(p.text, text)
	p.values = append(p.values, value{to, start, len(p.text)})
	return err
}

func parseState(s []byte) (State, error) {
	for i, name := range stateNames {
		if name == string(s) && i > 0 {
			return State(i), nil
		}
	}
	switch string(s) {
	case "VRFY", "ETRN", "EHLO", "HELO":
		return Connect, nil // Postfix may ask there as well: what is known is the client
	}
	return NoState, fmt.Errorf("unknown state %q", s)
}

func port(s []byte) (uint16, error) {
	if len(s) == 0 || string(s) == "unknown" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(s), 10, 16)
	return uint16(n), err
}

func number(s []byte) (int, error) {
	if len(s) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(s), 10, 31)
	return int(n), err
}

// splitRecipients takes Exim's $recipients apart: addresses separated by ", ", where a quoted local part may hold the
// same.
func splitRecipients(list string) []string {
	if strings.IndexByte(list, ',') < 0 {
		return appendTrimmed(nil, list)
	}
	all := make([]string, 0, min(1+strings.Count(list, ","), 100))
	start, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && quoted:
			i++
		case list[i] == '"':
			quoted = !quoted
		case list[i] == ',' && !quoted:
			all = appendTrimmed(all, list[start:i])
			start = i + 1
		}
	}
	return appendTrimmed(all, list[min(start, len(list)):])
}

func appendTrimmed(all []string, address string) []string {
	if address = strings.TrimSpace(address); address != "" {
		all = append(all, address)
	}
	return all
}
