// Package hold is the life of held mail: who is charged with a message, since when and until when it is held, what
// was ordered about it and by whom, and what became of it. It also makes the samples that people judge held mail by,
// the tokens with which senders release it themselves, and keeps the count of the fast lane. It is a pure function of
// the messages, orders and times it is given. It leaves to others the decision to hold (detect, policy), Exim's queue
// (exim), and keeping the two in step (daemon).
package hold

import (
	"fmt"
	"strings"
	"time"
	"unique"

	"osm"
)

// State is where a message is in its life.
type State uint8

const (
	Held      State = iota // waits for somebody's word, or for its end
	Releasing              // is to be released
	Deleting               // is to be deleted, at Due
	Released
	Deleted
	Expired // its time was over, and it was deleted or released as configured
	Gone    // was released, delivered or deleted by somebody else
	states
)

var stateNames = [states]string{"held", "releasing", "deleting", "released", "deleted", "expired", "gone"}

func (s State) String() string { return stateNames[s] }

// MarshalText writes the name, as JSON has it.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is its inverse.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q: want one of %v", text, stateNames)
}

// Live tells whether the message is still in the queue because of osm.
func (s State) Live() bool { return s <= Deleting }

// Message is one held message. Its texts are hostile.
type Message struct {
	ID         string    `json:"id"`    // Exim's
	Queue      string    `json:"queue"` // named queue, "" for the default one
	Verdict    string    `json:"verdict"`
	Key        osm.Key   `json:"key"` // whom it is charged to
	Rule       string    `json:"rule"`
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail"`
	Weighed    bool      `json:"weighed"` // the detection held it, not a rule of the administrator's: it may clear
	Sender     string    `json:"sender"`
	Account    string    `json:"account,omitempty"` // whose mail it is, as the panel knows it
	Owner      string    `json:"owner,omitempty"`   // login or unix user that sent it, who may be told; "" when there is none
	To         []string  `json:"to"`                // its first recipients
	Recipients int       `json:"recipients"`
	Subject    string    `json:"subject"`
	Size       int64     `json:"size"` // bytes
	Since      time.Time `json:"since"`
	Expires    time.Time `json:"expires"`
	State      State     `json:"state"`
	Changed    time.Time `json:"changed"`        // when it entered that state
	By         string    `json:"by,omitempty"`   // who ordered it
	Due        time.Time `json:"due,omitzero"`   // of Deleting: not before
	Deed       string    `json:"deed,omitempty"` // id in the audit trail
	Error      string    `json:"error,omitempty"`

	at      int    // its place in the book
	working bool   // the order is being carried out
	seen    uint32 // number of the walk that saw it last
	checked uint32 // number of the walk that read its spool file last
}

// What is kept of a message's texts.
const (
	mostTo      = 3
	mostText    = 200 // bytes
	mostAddress = 320 // RFC 5321 section 4.5.3.1: local part 64, domain 255
)

// FromVerdict is what a message looks like that was held at its arrival.
func FromVerdict(m *osm.Message) Message {
	v := &m.Verdict
	h := Message{ID: strings.Clone(m.ID), Queue: m.Queue, Verdict: v.ID, Key: v.Key, Rule: v.Rule, Reason: v.Reason,
		Detail:  v.Detail,
		Weighed: v.Score > 0 && len(v.Findings) > 0, Sender: m.Sender, Account: m.Account, Owner: m.Login, To: m.Recipients,
		Recipients: len(m.Recipients),
		Subject:    m.Subject, Size: m.Size, Since: m.Time}
	if h.Owner == "" {
		h.Owner = m.User
	}
	return h
}

// tidy bounds the texts, and lets equal ones share their memory: a campaign has few senders and rules. The id is the
// caller's own.
func (m *Message) tidy() {
	one := func(s string, most int) string { return unique.Make(clip(s, most)).Value() }
	m.Queue, m.Rule, m.Reason = one(m.Queue, mostText), one(m.Rule, mostText), one(m.Reason, mostText)
	m.Key.Value, m.Sender, m.Owner = one(m.Key.Value, mostAddress), one(m.Sender, mostAddress), one(m.Owner, mostAddress)
	m.Account = one(m.Account, mostText)
	m.Subject, m.Detail = one(m.Subject, mostText), one(m.Detail, mostText)
	m.Verdict = clip(m.Verdict, mostText)
	to := make([]string, min(len(m.To), mostTo))
	for i := range to {
		to[i] = clip(m.To[i], mostAddress)
	}
	m.To = to
}

// clip cuts a text to so many bytes, into memory of its own and valid UTF-8.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.Clone(strings.ToValidUTF8(s, "\ufffd"))
}
