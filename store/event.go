package store

import (
	"net/netip"
	"time"
)

// EventKind says what happened. The names are those of osm parse, where it has one.
type EventKind uint8

const (
	Completed EventKind = iota + 1 // the message is done with: kept with it, not among the events
	Frozen
	Thawed
	Removed     // by an administrator, or cancelled
	Rejection   // a client was refused
	AuthFailure // a login failed
	Unknown     // a line that was not understood: at most 1000 a day are kept
	Forged      // a line that bears a sign of not being Exim's: at most 1000 a day are kept
	Complaint   // a recipient complained about a message
	eventKinds
)

var eventNames = [eventKinds]string{"", "completed", "frozen", "thawed", "removed", "rejection", "auth-failure", "unknown",
	"forged", "complaint"}

func (k EventKind) String() string {
	if k >= eventKinds {
		return ""
	}
	return eventNames[k]
}

// Event is what happened to a message besides deliveries, or without one. Its texts are hostile.
type Event struct {
	Time      time.Time
	Kind      EventKind
	ID        string // Exim's message id; "" when it is about none
	Client    netip.Addr
	Login     string
	Sender    string
	Recipient string
	Text      string // the reason, or the line, for people
}
