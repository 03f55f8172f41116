// Package sim makes up the outgoing mail of a mail and hosting server over some weeks: people, shops, newsletters,
// forms, forwarders, and the spam campaigns among them, each message with the truth about it. A world is drawn from a
// seed, is the same every time, and can be run in memory against a judge or written as the log lines Exim would write.
// It judges nothing and sends nothing: it is imported by tests, by cmd/leak and by the demo only.
package sim

import (
	"net/netip"
	"time"

	"osm"
)

// EventKind tells which fields of an Event are set.
type EventKind uint8

const (
	Arrival     EventKind = iota // Message came in: the judge answers
	Delivery                     // Delivery is one attempt for one recipient of Message
	AuthFailure                  // Failure is a wrong password
	Completed                    // Message left the queue
)

// Event is one thing that happened on the server, in time order. Message is the same pointer in all events of one
// message and is filled as the tracker and the enricher would have filled it.
type Event struct {
	Kind    EventKind
	Time    time.Time
	Message *osm.Message
	// Recipients is how many an arriving message really has, also where the log's style does not tell.
	Recipients int
	Delivery   *osm.Delivery
	AtData     bool // the receiver answered after the end of data, not after RCPT
	Failure    Failure
	Label      Label
}

// Failure is one failed login.
type Failure struct {
	Login  string // the login that was tried
	Client netip.Addr
	Helo   string
}

// Label is the truth about a message. A message is exactly one of three: spam of a campaign (Campaign is set), apart
// (what strangers sent to the server, and what it forwarded of that: nobody's fault here), or wanted.
type Label struct {
	Kind     string // kind of its sender: person, shop, newsletter, ...; for spam the campaign's kind
	Campaign string // kind of the campaign, "" when it is not spam
	ID       int    // number of the campaign in World.Campaigns plus 1; 0 when it is not spam
	Sender   int    // number of the sender in World.Senders
	Apart    bool   // came from outside or is the server's own bounce: counted by itself
}

// Wanted tells whether stopping the message is a mistake that counts.
func (l Label) Wanted() bool { return l.ID == 0 && !l.Apart }

// Decide is a judge of one world: it is given every event in order and its answer counts for arrivals. It is not shown
// deliveries of messages that it did not accept.
type Decide func(ev *Event) osm.Action
