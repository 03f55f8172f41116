package policy

import (
	"bytes"
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
	Early     bool   // before the message is there rules are asked as well as lists: the asker tells itself what it has refused

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

// Parse reads one request: lines of name=value up to an empty one, or to the end. Attributes that it does not know are
// ignored, as the protocol wants; a known one with a value that can't be right is an error. Nothing of text is kept.
func Parse(text []byte) (*Request, error) {
	r := new(Request)
	if _, err := r.parse(text); err != nil {
		return nil, err
	}
	return r, nil
}

// parse is Parse into a Request that may have been used before; n is how much of text is this request.
func (r *Request) parse(text []byte) (n int, err error) {
	*r = Request{UID: -1}
	asked := false
	for n < len(text) {
		line := text[n:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
			n++
		}
		n += len(line)
		if line = bytes.TrimSuffix(line, []byte{'\r'}); len(line) == 0 {
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
		if err := r.set(name, value); err != nil {
			return 0, fmt.Errorf("%w: %s: %v", ErrMalformed, name, err)
		}
	}
	if !asked {
		return 0, fmt.Errorf("%w: no request=smtpd_access_policy", ErrMalformed)
	}
	if r.State == NoState {
		return 0, fmt.Errorf("%w: no protocol_state", ErrMalformed)
	}
	return n, nil
}

func (r *Request) set(name, value []byte) (err error) {
	m := &r.Message
	switch string(name) {
	case "protocol_state":
		r.State, err = parseState(value)
	case "protocol_name":
		m.Protocol = strings.ToLower(string(value))
	case "client_address":
		if len(value) > 0 {
			m.Client, err = netip.ParseAddr(string(bytes.TrimPrefix(value, []byte("IPv6:"))))
		}
	case "client_port":
		m.ClientPort, err = port(value)
	case "server_port":
		m.ServerPort, err = port(value)
	case "client_name":
		if string(value) != "unknown" {
			m.ClientHost = string(value)
		}
	case "helo_name":
		m.Helo = string(value)
	case "queue_id":
		m.ID = string(value)
	case "instance":
		r.Instance = string(value)
	case "sender":
		m.Sender = string(value)
	case "recipient":
		r.Recipient = string(value)
	case "recipient_count":
		r.Count, err = number(value)
	case "size":
		var n int
		n, err = number(value)
		m.Size = int64(n)
	case "sasl_method":
		m.Auth = string(value)
	case "sasl_username":
		m.Login = string(value)
	case "encryption_cipher":
		m.TLS = string(value)
	default:
		err = r.setExim(name, value)
	}
	return err
}

// setExim reads the attributes that only osm's own Exim snippets send. What can hold a newline travels in base64.
func (r *Request) setExim(name, value []byte) (err error) {
	m := &r.Message
	switch string(name) {
	case "exim_uid":
		if len(value) > 0 {
			r.UID, err = number(value)
		}
	case "exim_ident":
		m.User = string(value)
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

func decode(s []byte) (string, error) {
	var short [512]byte // most values are: then the string is the one allocation
	b, err := base64.StdEncoding.AppendDecode(short[:0], s)
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
