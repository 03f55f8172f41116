package policy

import (
	"errors"

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
