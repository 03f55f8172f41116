package track

import (
	"iter"

	"osm"
	"osm/exim"
)

// Batch is a piece of a log, read: what each of its lines tells by itself. Reading needs no Tracker, so that it can be done
// on another processor than the tying. Lines of which a Tracker learns nothing but the time are left out. The zero
// value is ready. What it reads points into the entries' lines: they must stay until the batch is tied.
type Batch struct {
	lines       []line
	slots       []*slot // of the arrivals
	deliveries  []osm.Delivery
	submissions []submission
	entries     []exim.Entry // of the kinds that are rare
	events      []Event
	dropped     []*slot  // forgotten while the batch was tied
	stock       []*slot  // for reuse
	recipients  []string // scratch of fillMessage
	last        int64    // time of the last line that was kept
}

// line is one line of a batch.
type line struct {
	key   exim.Key
	unix  int64
	kind  exim.Kind
	dated bool
	at    int32 // index in slots, deliveries, submissions or entries, by kind
}

// maxSilence is how many seconds of a log may be left out at once: the Tracker follows its time.
const maxSilence = 900

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.lines, b.deliveries, b.submissions, b.entries = b.lines[:0], b.deliveries[:0], b.submissions[:0], b.entries[:0]
	b.stock = append(append(b.stock, b.slots...), b.dropped...) // slots remain where the batch was not tied
	b.stock = b.stock[:min(len(b.stock), maxFree)]
	b.slots, b.dropped = b.slots[:0], b.dropped[:0]
	b.last = 0
}

// Deliveries are the attempts that were read, for whoever finds out more about each.
func (b *Batch) Deliveries() []osm.Delivery { return b.deliveries }

// Arrivals gives the messages that were read, for the same purpose. Of their scripts nothing is known yet.
func (b *Batch) Arrivals() iter.Seq2[int, *osm.Message] {
	return func(yield func(int, *osm.Message) bool) {
		for i, s := range b.slots {
			if !yield(i, &s.message) {
				return
			}
		}
	}
}

// Read takes the next line, which nobody has forged: see exim.Glance.
func (b *Batch) Read(e *exim.Entry) {
	now, dated := unix(e)
	kind, at, told := b.told(e)
	if !told && (!dated || now-b.last <= maxSilence && b.last-now <= maxSilence) {
		return
	}
	b.lines = append(b.lines, line{})
	l := &b.lines[len(b.lines)-1]
	if l.unix, l.dated, l.kind, l.at = now, dated, kind, at; told { // of others only the time matters
		l.key = exim.KeyOf(e.ID)
	}
	b.last = now
}

// unix is a line's time in seconds, if it bears one.
func unix(e *exim.Entry) (seconds int64, dated bool) {
	if e.Time.IsZero() {
		return 0, false
	}
	return e.Time.Unix(), true
}

// told keeps what a line tells by itself, under the index at of its kind; ok is false where that is nothing but its time and id.
func (b *Batch) told(e *exim.Entry) (kind exim.Kind, at int32, ok bool) {
	switch e.Kind {
	case exim.Arrival, exim.Fakereject:
		at = int32(len(b.slots))
		b.slots = append(b.slots, b.arrival(e))
	case exim.Delivery, exim.Cutthrough, exim.Suppressed, exim.Deferral, exim.Failure:
		at = int32(len(b.deliveries))
		if len(b.deliveries) < cap(b.deliveries) { // it is written over
			b.deliveries = b.deliveries[:at+1]
		} else {
			b.deliveries = append(b.deliveries, osm.Delivery{})
		}
		fillDelivery(&b.deliveries[at], e)
	case exim.Submission:
		c, submits := readArgs(e.Args)
		if !submits {
			return exim.Notice, 0, false
		}
		c.dir, c.pid = e.Dir, e.PID
		at = int32(len(b.submissions))
		b.submissions = append(b.submissions, c)
	case exim.Rejection, exim.AuthFailure, exim.Unknown:
		at = int32(len(b.entries))
		b.entries = append(b.entries, *e)
	case exim.Completed:
	default:
		return exim.Notice, 0, false
	}
	return e.Kind, at, true
}

// arrival makes the slot of a message that arrives.
func (b *Batch) arrival(e *exim.Entry) *slot {
	s := b.slot()
	s.key, s.arrived, s.early = exim.KeyOf(e.ID), true, nil
	s.bytes = slotBytes + b.fillMessage(&s.message, e)
	if s.local = e.IP == ""; s.local {
		s.pid = processOf(e)
	}
	return s
}

// slot is one for reuse, or a new one.
func (b *Batch) slot() *slot {
	n := len(b.stock)
	if n == 0 {
		return new(slot)
	}
	s := b.stock[n-1]
	b.stock = b.stock[:n-1]
	return s
}

// processOf is the pid of the process that received a message.
func processOf(e *exim.Entry) int {
	if e.PID != 0 {
		return e.PID
	}
	_, pid, _ := exim.DecodeID(e.ID)
	return pid
}
