// Package track ties the lines of one message id to one osm.Message: the arrival, the script whose cwd= line came before
// it, and every delivery, until the message is completed. What it holds is bounded in number, bytes and age, whatever is
// written into the log. It leaves to others the grammar of a line (exim), who a message belongs to and by which way it
// came (enrich), and keeping messages for longer than they are in the queue (store).
package track

import (
	"osm"
	"osm/exim"
)

// Event is what one line told. Its pointers, and what they point to, are valid until the next Add.
type Event struct {
	Kind     exim.Kind
	Forged   exim.Sign      // not NoSign: the line was not written by Exim, was counted and changed nothing
	Message  *osm.Message   // the message that the line is about; nil when it is about none, or about one not known
	Delivery *osm.Delivery  // of a delivery, cutthrough, suppressed, deferral or failure line whose Message is known
	Early    []osm.Delivery // with an arrival: its deliveries that were logged before it
	New      bool           // this is the arrival itself
	Done     bool           // completed: the message is forgotten at the next Add
}

// Options are what a Tracker needs from outside.
type Options struct {
	Config Config
	// Lookup finds a message that arrived before what the tracker remembers; nil when there is nowhere to look. It is
	// asked once for an id that a delivery line names and the tracker does not know, and returns nil when there is none.
	Lookup func(id string) *osm.Message
}

// Tracker holds the messages between their arrival and their completion. It must not be shared between goroutines.
type Tracker struct {
	options Options
	stats   Stats
}

// New makes an empty tracker.
func New(o Options) *Tracker { return &Tracker{options: o} }

// Add takes the next line of the log.
func (t *Tracker) Add(e *exim.Entry) Event { return Event{Kind: e.Kind} }

// Stats are the tracker's counts since it was made.
func (t *Tracker) Stats() Stats { return t.stats }

// Stats are counts for osm doctor. The first three are of now, the others since the tracker was made.
type Stats struct {
	Live     int      // messages between arrival and completion
	Bytes    int64    // memory that they take
	Pending  int      // ids whose deliveries came before their arrival
	Messages uint64   // arrivals
	Restored uint64   // messages found by Lookup
	Evicted  uint64   // messages forgotten unfinished for want of room
	Expired  uint64   // messages and pending deliveries forgotten unfinished because of their age
	Orphans  uint64   // deliveries whose message is not known
	Repeated uint64   // arrivals of an id that had already arrived: ignored
	Forged   uint64   // lines that bear a sign of forgery
	Unknown  uint64   // lines that were not understood
	Samples  []string // the latest lines that were not understood, cut
}
