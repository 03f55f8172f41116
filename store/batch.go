package store

import (
	"time"

	"osm"
)

// BatchSize is the Pending at which a Flush pays best; less often costs memory, more often work.
const BatchSize = 50_000

// maxLine is how much of a raw line is kept, in bytes.
const maxLine = 64 << 10

// batch is what was added since the last flush. It stays as it is until a flush succeeds, so a flush can be repeated.
type batch struct {
	messages   []pendingMessage
	byID       map[string]int32 // Exim's id -> index of messages
	deliveries []pendingDelivery
	events     []pendingEvent
	state      map[string][]byte
	text       []byte // raw lines, each with its newline
	cuts       []cut  // where a new day begins in text
	lines      int
}

// cut says that the lines from an offset of the batch's text on belong to a day.
type cut struct {
	offset int
	day    day
}

// pendingMessage is a message of which something was heard: its arrival, or only what came later.
type pendingMessage struct {
	osm.Message
	arrived     bool
	heard       time.Time // the first thing that was heard
	completed   time.Time
	line, last  int             // offsets in batch.text of the arrival and of the last thing that was heard
	counts      [4]int64        // attempts by osm.Outcome
	first, tail int32           // chain of deliveries, index+1
	place       place           // while a flush runs
	envelope    map[string]bool // its recipients, where that was asked
}

type pendingDelivery struct {
	osm.Delivery
	line int
	next int32 // of the same message, index+1
}

type pendingEvent struct {
	Event
	line    int
	message int32 // index+1 of batch.messages
}

func newBatch() batch {
	return batch{byID: map[string]int32{}, state: map[string][]byte{}}
}

// reset empties the batch. Its memory is kept for the next one, unless that was needed for a burst only.
func (b *batch) reset() {
	if cap(b.text) > 4*len(b.text)+1<<20 {
		*b = newBatch()
		return
	}
	clear(b.messages) // lets go of the texts
	clear(b.deliveries)
	clear(b.events)
	b.messages, b.deliveries, b.events = b.messages[:0], b.deliveries[:0], b.events[:0]
	b.text, b.cuts, b.lines = b.text[:0], b.cuts[:0], 0
	clear(b.byID)
	clear(b.state)
}

func (b *batch) pending() int { return len(b.messages) + len(b.deliveries) + len(b.events) + b.lines }

// offset is the place of the newest line.
func (b *batch) offset() int { return max(len(b.text)-1, 0) }

// message finds or makes the entry of a message.
func (b *batch) message(m *osm.Message, at time.Time) *pendingMessage {
	i, ok := b.byID[m.ID]
	if !ok || m.ID == "" {
		b.messages = append(b.messages, pendingMessage{Message: *m, heard: at, line: b.offset()})
		i = int32(len(b.messages))
		b.byID[m.ID] = i
	}
	entry := &b.messages[i-1]
	entry.last = b.offset()
	return entry
}

// dated is the time of what was read from a line: that of the line before it where it bears none.
func (s *Store) dated(t time.Time) time.Time {
	if t.IsZero() {
		return s.clock
	}
	return t
}

// Line adds one raw line. It must come before the Arrival, Delivery or Event that was read from it: they remember
// where their line is.
func (s *Store) Line(at time.Time, line string) {
	s.clock = s.dated(at)
	d, ok := s.dayFor(s.clock)
	if !ok {
		return // older than anything that is kept
	}
	b := &s.batch
	// Days only go forward here: a few lines out of order do not break up the blocks.
	if d > s.lineDay {
		b.cuts = append(b.cuts, cut{len(b.text), d})
		s.lineDay = d
	}
	b.text = append(append(b.text, line[:min(len(line), maxLine)]...), '\n')
	b.lines++
}

// Arrival adds a message to the batch. m is copied; its strings and slices must not be changed in place afterwards.
// A second arrival of the same id is ignored.
func (s *Store) Arrival(m *osm.Message) {
	at := s.dated(m.Time)
	entry := s.batch.message(m, at)
	if entry.arrived {
		return
	}
	entry.Message, entry.Time, entry.arrived, entry.line = *m, at, true, s.batch.offset()
}

// Delivery adds an attempt for one recipient of m, which may have arrived long ago or (cut-through, a log that begins in
// the middle) not yet. m and d are copied as in Arrival.
func (s *Store) Delivery(m *osm.Message, d *osm.Delivery) {
	b := &s.batch
	at := s.dated(d.Time)
	entry := b.message(m, at)
	if !entry.arrived {
		entry.Message = *m
	}
	entry.counts[d.Outcome]++
	b.deliveries = append(b.deliveries, pendingDelivery{Delivery: *d, line: b.offset()})
	i := int32(len(b.deliveries))
	b.deliveries[i-1].Time = at
	if entry.first == 0 {
		entry.first = i
	} else {
		b.deliveries[entry.tail-1].next = i
	}
	entry.tail = i
}

// Event adds what happened to a message, or to none.
func (s *Store) Event(e Event) {
	b := &s.batch
	e.Time = s.dated(e.Time)
	pending := pendingEvent{Event: e, line: b.offset()}
	if e.ID != "" {
		entry := b.message(&osm.Message{ID: e.ID}, e.Time)
		pending.message = b.byID[e.ID]
		if e.Kind == Completed {
			entry.completed = e.Time
			return // one for each message: kept with it
		}
	}
	b.events = append(b.events, pending)
}

// SaveState puts a blob into the batch under its key, in place of any earlier one; an empty blob removes the key.
// The blob belongs to the store afterwards.
func (s *Store) SaveState(key string, blob []byte) { s.batch.state[key] = blob }

// Pending is the number of lines, messages, deliveries and events in the batch: flush at BatchSize, or after a second.
func (s *Store) Pending() int { return s.batch.pending() }
