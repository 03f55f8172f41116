package policy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"osm"
)

// State is the point of the SMTP dialogue (or of a local submission) at which a question is asked.
type State uint8

const (
	NoState      State = iota
	Connect            // the client has connected
	Auth               // it wants to log in
	Mail               // MAIL FROM
	Rcpt               // RCPT TO: Recipient is this one
	Data               // all recipients are known; from Exim the content as well
	EndOfMessage       // Postfix: the content was received
	NotSMTP            // a local submission, complete
	Rewrite            // Exim's address rewriting: one recipient of a message whose id is known
	states
)

var stateNames = [states]string{"", "CONNECT", "AUTH", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "NOTSMTP", "REWRITE"}

func (s State) String() string { return stateNames[s] }

// Request is one question in the terms of the policy delegation protocol (Postfix's SMTPD_POLICY_README). Message holds
// what it tells of the message; its Recipients are complete only where exim_recipients_b64 gave them.
type Request struct {
	State     State
	Message   osm.Message
	Instance  string // Postfix: the same for all questions about one message
	Recipient string // the one that RCPT and REWRITE are about
	Count     int    // recipients accepted so far, as told
	UID       int    // of a local submission's caller; -1 when not told

	// Content is the message as received, headers first, as far as the checks want to see it; Whole tells that nothing is missing
	// at its end. The protocol does not carry it: only an asker inside osm has it.
	Content []byte
	Whole   bool
}

// What can be wrong with a request. All of them end the connection.
var (
	ErrTooLarge  = errors.New("the request is larger than allowed")
	ErrMalformed = errors.New("the request is malformed")
)

// Parse reads one request without its final empty line: lines of name=value. Attributes that it does not know are
// ignored, as the protocol wants; a known one with a value that can't be right is an error.
func Parse(text string) (*Request, error) {
	r := new(Request)
	if err := r.parse(text); err != nil {
		return nil, err
	}
	return r, nil
}

// parse is Parse into a Request that may have been used before.
func (r *Request) parse(text string) error {
	*r = Request{UID: -1}
	asked := false
	for len(text) > 0 {
		line := text
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			line, text = text[:end], text[end+1:]
		} else {
			text = ""
		}
		equals := strings.IndexByte(line, '=')
		if equals <= 0 {
			return fmt.Errorf("%w: a line without name=value", ErrMalformed)
		}
		name, value := line[:equals], line[equals+1:]
		if n := len(value); n > 0 && value[n-1] == '\r' {
			value = value[:n-1]
		}
		if name == "request" {
			if value != "smtpd_access_policy" {
				return fmt.Errorf("%w: request=%q is not smtpd_access_policy", ErrMalformed, value)
			}
			asked = true
			continue
		}
		if err := r.set(name, value); err != nil {
			return fmt.Errorf("%w: %s: %v", ErrMalformed, name, err)
		}
	}
	if !asked {
		return fmt.Errorf("%w: no request=smtpd_access_policy", ErrMalformed)
	}
	if r.State == NoState {
		return fmt.Errorf("%w: no protocol_state", ErrMalformed)
	}
	return nil
}

func (r *Request) set(name, value string) (err error) {
	m := &r.Message
	switch name {
	case "protocol_state":
		r.State, err = parseState(value)
	case "protocol_name":
		m.Protocol = strings.ToLower(value)
	case "client_address":
		if value != "" {
			m.Client, err = netip.ParseAddr(strings.TrimPrefix(value, "IPv6:"))
		}
	case "client_port":
		m.ClientPort, err = port(value)
	case "server_port":
		m.ServerPort, err = port(value)
	case "client_name":
		if value != "unknown" {
			m.ClientHost = value
		}
	case "helo_name":
		m.Helo = value
	case "queue_id":
		m.ID = value
	case "instance":
		r.Instance = value
	case "sender":
		m.Sender = value
	case "recipient":
		r.Recipient = value
	case "recipient_count":
		r.Count, err = number(value)
	case "size":
		var n int
		n, err = number(value)
		m.Size = int64(n)
	case "sasl_method":
		m.Auth = value
	case "sasl_username":
		m.Login = value
	case "encryption_cipher":
		m.TLS = value
	default:
		err = r.setExim(name, value)
	}
	return err
}

// setExim reads the attributes that only osm's own Exim snippets send. What can hold a newline travels in base64.
func (r *Request) setExim(name, value string) (err error) {
	m := &r.Message
	switch name {
	case "exim_uid":
		if value != "" {
			r.UID, err = number(value)
		}
	case "exim_ident":
		m.User = value
	case "exim_cwd_b64":
		m.Script.Path, err = decode(value)
		if m.Script.Path != "" {
			m.Script.Sure = osm.Exact
		}
	case "exim_subject_b64":
		m.Subject, err = decode(value)
		m.HasSubject = true
	case "exim_address_b64": // the recipient that REWRITE is about, exactly
		r.Recipient, err = decode(value)
	case "exim_recipients_b64":
		var list string
		list, err = decode(value)
		m.Recipients = splitRecipients(list)
	}
	return err
}

func parseState(s string) (State, error) {
	for i, name := range stateNames {
		if name == s && i > 0 {
			return State(i), nil
		}
	}
	if s == "VRFY" || s == "ETRN" || s == "EHLO" || s == "HELO" {
		return Connect, nil // Postfix may ask there as well: what is known is the client
	}
	return NoState, fmt.Errorf("unknown state %q", s)
}

func port(s string) (uint16, error) {
	if s == "" || s == "unknown" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}

func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}

func decode(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	var short [512]byte // most values are, and cost one allocation then
	b, err := base64.StdEncoding.AppendDecode(short[:0], []byte(s))
	return string(b), err
}

// splitRecipients takes Exim's $recipients apart: addresses separated by ", ", where a quoted local part may hold the
// same.
func splitRecipients(list string) []string {
	if list == "" {
		return nil
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
