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
	// asked once for an id that a delivery line names and the tracker does not know, and returns nil when there is
	// none.
	Lookup func(id string) *osm.Message
}

// Tracker holds the messages between their arrival and their completion. It must not be shared between goroutines.
type Tracker struct {
	options     Options
	age         int64 // seconds
	now         int64 // log time, Unix seconds; see advance
	slots       map[key]*slot
	live        queue // arrived and not completed, in the order they arrived
	early       queue // not arrived yet, but delivered
	done        *slot // completed by the line before
	free        []*slot
	submissions submissions
	recipients  []string // scratch of fillMessage
	delivery    osm.Delivery
	stats       Stats
}

// New makes an empty tracker.
func New(o Options) *Tracker {
	return &Tracker{
		options: o,
		age:     int64(time.Duration(o.Config.Age) / time.Second),
		slots:   make(map[key]*slot),
	}
}

// Add takes the next line of the log.
func (t *Tracker) Add(e *exim.Entry) Event {
	if t.done != nil {
		t.forget(t.done, &t.live)
		t.done = nil
	}
	t.advance(e.Time)
	event := Event{Kind: e.Kind, Forged: e.Forged}
	if e.Forged != exim.NoSign {
		t.forged(e)
		return event
	}
	switch e.Kind {
	case exim.Arrival, exim.Fakereject:
		t.arrival(e, &event)
	case exim.Delivery, exim.Cutthrough, exim.Suppressed, exim.Deferral, exim.Failure:
		t.attempt(e, &event)
	case exim.Completed:
		t.completed(e, &event)
	case exim.Submission:
		t.submissions.add(e, t.now)
	case exim.Rejection:
		t.rejection(e, &event)
	case exim.Unknown:
		t.unknown(e.Line)
	default:
		if s := t.slots[keyOf(e.ID)]; s != nil && s.arrived {
			event.Message = &s.message
		}
	}
	return event
}

// maxStep is how far one line may move the tracker's time: a single line from a wrong clock then forgets nothing, and
// the next line moves the time back.
const maxStep = 3600

// advance follows the time of the log. Times go to and fro a little, since Exim's processes write side by side.
func (t *Tracker) advance(at time.Time) {
	if at.IsZero() {
		return
	}
	now := at.Unix()
	if t.now == 0 {
		t.now = now
	}
	t.now += min(max(now-t.now, -maxStep), maxStep)
	t.expire()
}

func (t *Tracker) arrival(e *exim.Entry, event *Event) {
	k := keyOf(e.ID)
	if k == (key{}) {
		return
	}
	s := t.slots[k]
	if s != nil && s.arrived { // read twice, or written by someone who knows the id
		t.stats.Repeated++
		event.Message = &s.message
		return
	}
	if s == nil {
		s = t.slot(k)
	} else {
		t.early.remove(s)
		event.Early, s.early = s.early, nil
	}
	s.arrived = true
	s.bytes = slotBytes + t.fillMessage(&s.message, e)
	if e.IP == "" {
		s.message.Script = t.submissions.take(e, t.now)
	}
	t.live.push(s, t.now)
	t.stats.Messages++
	t.makeRoom(s)
	event.Message, event.New = &s.message, true
}

// attempt is one line of a delivery: it is tied to its message, or kept until the message arrives.
func (t *Tracker) attempt(e *exim.Entry, event *Event) {
	k := keyOf(e.ID)
	if k == (key{}) {
		return
	}
	s := t.slots[k]
	if s == nil {
		s = t.restore(k, e.ID)
	}
	if s == nil || !s.arrived {
		t.keepEarly(s, k, e)
		return
	}
	fillDelivery(&t.delivery, e)
	event.Message, event.Delivery = &s.message, &t.delivery
}

func (t *Tracker) completed(e *exim.Entry, event *Event) {
	s := t.slots[keyOf(e.ID)]
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
func (t *Tracker) rejection(e *exim.Entry, event *Event) {
	if e.IP == "" && e.ID != "" {
		t.submissions.take(e, t.now)
	}
	s := t.slots[keyOf(e.ID)]
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
func (t *Tracker) forged(e *exim.Entry) {
	t.stats.Forged++
	if e.Kind == exim.Submission && e.Forged == exim.TornCwd {
		t.submissions.addNameless(e, t.now)
	}
}
