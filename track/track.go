// Package track ties the lines of one message id to one osm.Message: the arrival, the script whose cwd= line came
// before it, and every delivery, until the message is completed. What it holds is bounded in number, bytes and age,
// whatever is written into the log: about 700 bytes a message and the length of its strings (Config). It leaves to
// others the grammar of a line (exim), who a message belongs to and by which way it came (enrich), and keeping
// messages for longer than they are in the queue (store).
package track

import (
	"time"

	"osm"
	"osm/exim"
)

// Event is what one line told. Its pointers, and what they point to, are valid until the next Add: whoever keeps a
// message or a delivery copies the struct. The strings in a Message and in Early may be kept, those of Delivery are
// parts of the line.
type Event struct {
	Kind     exim.Kind
	Forged   exim.Sign      // not NoSign: the line was not written by Exim, was counted and changed nothing
	Entry    *exim.Entry    // of a rejection, a failed login and a line that was not understood
	Message  *osm.Message   // the message that the line is about; nil when it is about none, or about one not known
	Delivery *osm.Delivery  // of a delivery, cutthrough, suppressed, deferral or failure line whose Message is known
	Early    []osm.Delivery // with an arrival: its deliveries that were logged before it
	New      bool           // this is the arrival itself
	Arrival  int            // with New: which of Batch.Arrivals it is
	Done     bool           // completed: the message is forgotten at the next Add
}

// Options are what a Tracker needs from outside.
type Options struct {
	Config Config
	// Lookup finds a message that arrived before what the tracker remembers; nil when there is nowhere to look. It is
	// asked once for an id that a delivery line names and the tracker does not know, and returns nil when there is
	// none.
	Lookup func(id string) *osm.Message
}

// Tracker holds the messages between their arrival and their completion. It must not be shared between goroutines.
type Tracker struct {
	options     Options
	age         int64 // seconds
	now         int64 // log time, Unix seconds; see advance
	slots       index
	live        queue  // arrived and not completed, in the order they arrived
	early       queue  // not arrived yet, but delivered
	done        *slot  // completed by the line before
	keep        *Batch // the one being tied: what is forgotten meanwhile stays as it is until it is reset
	submissions submissions
	single      Batch // of one line: see Add
	stats       Stats
}

// New makes an empty tracker.
func New(o Options) *Tracker {
	return &Tracker{
		options: o,
		age:     int64(time.Duration(o.Config.Age) / time.Second),
		slots:   newIndex(),
	}
}

// Add takes the next line of the log.
func (t *Tracker) Add(e *exim.Entry) Event {
	b := &t.single
	b.Reset()
	l := line{key: exim.KeyOf(e.ID)}
	l.unix, l.dated = unix(e)
	if e.Forged != exim.NoSign {
		t.begin(&l)
		t.forged(e, l.unix)
		return Event{Kind: e.Kind, Forged: e.Forged}
	}
	l.kind, l.at, _ = b.told(e)
	event := Event{}
	t.tie(b, &l, &event)
	event.Kind = e.Kind
	b.slots = b.slots[:0]
	return event
}

// Tie takes the lines of a batch, which are the next ones of the log, together. What the events point to is valid until the
// batch is reset.
func (t *Tracker) Tie(b *Batch) []Event {
	t.keep = b
	b.events = b.events[:0]
	for i := range b.lines {
		b.events = append(b.events, Event{})
		t.tie(b, &b.lines[i], &b.events[i])
	}
	b.slots = b.slots[:0] // they are the tracker's now
	t.keep = nil
	return b.events
}

// tie makes the event, which is empty, of a line.
func (t *Tracker) tie(b *Batch, l *line, event *Event) {
	t.begin(l)
	event.Kind = l.kind
	switch l.kind {
	case exim.Arrival, exim.Fakereject:
		t.arrival(b.slots[l.at], l.unix, event)
		event.Arrival = int(l.at)
	case exim.Delivery, exim.Cutthrough, exim.Suppressed, exim.Deferral, exim.Failure:
		t.attempt(l.key, &b.deliveries[l.at], event)
	case exim.Completed:
		t.completed(l.key, event)
	case exim.Submission:
		t.submissions.add(b.submissions[l.at], l.unix)
	case exim.Rejection:
		event.Entry = &b.entries[l.at]
		t.rejection(l, event.Entry, event)
	case exim.Unknown:
		event.Entry = &b.entries[l.at]
		t.unknown(event.Entry.Line)
	case exim.AuthFailure:
		event.Entry = &b.entries[l.at]
		t.about(l.key, event)
	default:
		t.about(l.key, event)
	}
}

// begin is what every line begins with.
func (t *Tracker) begin(l *line) {
	if t.done != nil {
		t.forget(t.done, &t.live)
		t.done = nil
	}
	if l.dated {
		t.advance(l.unix)
	}
}

// about finds the message that a line is about.
func (t *Tracker) about(k exim.Key, event *Event) {
	if k == (exim.Key{}) {
		return
	}
	if s := t.slots.get(k); s != nil && s.arrived {
		event.Message = &s.message
	}
}

// maxStep is how far one line may move the tracker's time: a single line from a wrong clock then forgets nothing, and
// the next line moves the time back.
const maxStep = 3600

// advance follows the time of the log. Times go to and fro a little, since Exim's processes write side by side.
func (t *Tracker) advance(now int64) {
	if t.now == 0 {
		t.now = now
	}
	t.now += min(max(now-t.now, -maxStep), maxStep)
	t.expire()
}

func (t *Tracker) arrival(s *slot, at int64, event *Event) {
	switch before := t.slots.get(s.key); {
	case s.key == exim.Key{}:
		t.drop(s)
		return
	case before != nil && before.arrived: // read twice, or written by someone who knows the id
		t.stats.Repeated++
		event.Message = &before.message
		t.drop(s)
		return
	case before != nil:
		event.Early = before.early
		t.forget(before, &t.early)
	}
	t.slots.put(s)
	if s.local {
		s.message.Script = t.submissions.take(&s.message, s.pid, at)
	}
	t.live.push(s, t.now)
	t.stats.Messages++
	t.makeRoom(s)
	event.Message, event.New = &s.message, true
}

// attempt is one line of a delivery: it is tied to its message, or kept until the message arrives.
func (t *Tracker) attempt(k exim.Key, d *osm.Delivery, event *Event) {
	if k == (exim.Key{}) {
		return
	}
	s := t.slots.get(k)
	if s == nil {
		s = t.restore(k)
	}
	if s == nil || !s.arrived {
		t.keepEarly(s, k, d)
		return
	}
	event.Message, event.Delivery = &s.message, d
}

func (t *Tracker) completed(k exim.Key, event *Event) {
	s := t.slots.get(k)
	switch {
	case s == nil:
	case s.arrived:
		event.Message, event.Done = &s.message, true
		t.done = s
	default: // it arrived before what we have read
		t.orphan(s)
	}
}

// rejection may be about a message that was cut through to its receiver and then not accepted, or about a local
// submission, whose cwd= line then belongs to no arrival.
func (t *Tracker) rejection(l *line, e *exim.Entry, event *Event) {
	if e.IP == "" && e.ID != "" {
		t.submissions.take(&osm.Message{Protocol: e.Protocol, Parent: e.Parent, User: e.User}, processOf(e), l.unix)
	}
	s := t.slots.get(l.key)
	switch {
	case s == nil:
	case s.arrived:
		event.Message = &s.message
	default:
		t.orphan(s)
	}
}

// forged counts a line that Exim did not write. The torn cwd= line itself comes from Exim: somebody did submit, from a
// folder that we can't name, so the message that follows must not be charged to another folder.
func (t *Tracker) forged(e *exim.Entry, at int64) {
	t.stats.Forged++
	if e.Kind == exim.Submission && e.Forged == exim.TornCwd {
		t.submissions.addNameless(e, at)
	}
}
