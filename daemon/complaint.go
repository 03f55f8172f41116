package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"osm"
	"osm/check"
	"osm/exim"
	"osm/incident"
	"osm/store"
)

// Complained is what became of a recipient's complaint. Its texts are hostile.
type Complained struct {
	Result    Grievance `json:"result"`
	Message   string    `json:"message,omitempty"`   // Exim's id of the message
	Recipient string    `json:"recipient,omitempty"` // who complained; "" when the report does not tell
	Key       osm.Key   `json:"key,omitzero"`        // whom it is charged to
	Type      string    `json:"type"`                // abuse, fraud, ...
	Reporter  string    `json:"reporter,omitempty"`

	saved bool // the history has it
}

// Grievance says how a complaint ended.
type Grievance string

const (
	Charged   Grievance = "charged"   // it counts against the sender
	Noted     Grievance = "noted"     // the message is in the history and nobody's here, such as forwarded mail
	Duplicate Grievance = "duplicate" // it counted before
	Unknown   Grievance = "unknown"   // the history has no such message, or not as the report has it
	Ignored   Grievance = "ignored"   // the report accuses nobody
	NoReport  Grievance = "no-report" // it is no report, or does not tell what it is about
)

// complaints are those that are not saved yet. The session's mutex guards the first two.
type complaints struct {
	events []store.Event
	seen   map[string]bool // message and recipient, of those that the history may not have yet

	asking atomic.Int32 // users that hand one in at the moment
	turn   sync.Mutex   // held, without the session's, while one is looked up in the history
}

// seenMost bounds what is remembered between two flushes, and askingMost the reports that are held in memory.
const (
	seenMost   = 10_000
	askingMost = 8
)

// save hands out what is new since the last call.
func (c *complaints) save(fn func(store.Event)) {
	for _, e := range c.events {
		fn(e)
	}
	c.events = nil
}

// first tells whether a complaint is the first of its recipient about its message.
func (c *complaints) first(id, recipient string) bool {
	key := id + " " + strings.ToLower(recipient)
	if c.seen[key] {
		return false
	}
	if len(c.seen) >= seenMost || c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[key] = true
	return true
}

// Report is a receiver's report as it came.
type Report struct {
	Text []byte `json:"text"`
}

// handleComplaint serves osm complaint. Any user of the machine may hand one in, as any stranger may send one: nothing in it is
// believed that the history does not know.
func (s *session) handleComplaint(w http.ResponseWriter, r *http.Request) {
	defer s.complaints.asking.Add(-1)
	if s.complaints.asking.Add(1) > askingMost {
		reply(w, http.StatusServiceUnavailable, map[string]string{"error": "too many complaints at once: try again later"})
		return
	}
	var report Report
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*check.MaxComplaint)).Decode(&report); err != nil {
		reply(w, http.StatusUnprocessableEntity, map[string]string{"error": fmt.Sprintf("read the complaint: %v", err)})
		return
	}
	c, err := s.complain(r.Context(), report.Text, time.Now())
	if err != nil {
		reply(w, http.StatusServiceUnavailable, map[string]string{"error": err.Error()})
		return
	}
	reply(w, http.StatusOK, c)
}

// complain takes a report, and charges it to the sender of the message when the history has that message. An error is the
// history's.
func (s *session) complain(ctx context.Context, text []byte, now time.Time) (Complained, error) {
	report, err := check.ReadComplaint(text)
	if err != nil {
		return Complained{Result: NoReport}, nil // whatever it is, it is not an error of ours
	}
	c := Complained{Result: Ignored, Type: report.Type, Reporter: report.Reporter}
	if !report.Accuses() {
		return c, nil
	}
	s.complaints.turn.Lock()
	t, err := s.complainedAbout(ctx, report, now)
	s.complaints.turn.Unlock()
	if err != nil {
		return c, err
	}
	if t == nil {
		c.Result = Unknown
		return c, nil
	}
	c.Message, c.Recipient = t.ID, complainer(report, t)
	c.saved = slices.ContainsFunc(t.Events, func(e store.Event) bool {
		return e.Kind == store.Complaint && strings.EqualFold(e.Recipient, c.Recipient)
	})
	s.charge(&c, &t.Message, now)
	return c, nil
}

// charge counts a complaint, once.
func (s *session) charge(c *Complained, m *osm.Message, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.saved || !s.complaints.first(c.Message, c.Recipient) {
		c.Result = Duplicate
		return
	}
	c.Result = Noted
	about := "the message " + c.Message
	if c.Recipient != "" {
		about = c.Recipient
	}
	text := osm.Printable(fmt.Sprintf("a complaint (%s) about %s, reported by %s", c.Type, about, c.Reporter))
	if key, ok := s.engine.Detect.Complaint(m, now); ok {
		c.Key, c.Result = key, Charged
		filed := *m
		filed.Time = now
		filed.Verdict = osm.Verdict{Rule: complaintRule, Reason: "complaints", Detail: text, Key: key, Passive: true}
		s.alarm.complain(&filed, now)
	}
	s.complaints.events = append(s.complaints.events, store.Event{Time: now, Kind: store.Complaint, ID: c.Message, Client: m.Client,
		Login: m.Login, Sender: m.Sender, Recipient: c.Recipient, Text: text})
}

// complaintRule is what incidents of complaints are named after.
const complaintRule = "complaint"

func (a *alarm) complain(m *osm.Message, now time.Time) (i *incident.Incident) {
	i, turned := a.book.Complain(m)
	if turned {
		a.turned(i, now)
	}
	return i
}

// complainedAbout finds the message in the history: by the ids that our own Received headers bear, or else by its Message-ID.
// nil is none.
func (s *session) complainedAbout(ctx context.Context, c *check.Complaint, now time.Time) (*store.Trace, error) {
	for _, id := range c.IDs {
		if !exim.ValidID(id) {
			continue
		}
		if t, err := s.confirmed(ctx, id, c, now); t != nil || err != nil {
			return t, err
		}
	}
	if c.MessageID == "" || c.Date.IsZero() || now.Sub(c.Date) > time.Duration(s.arf.Within)+writtenWithin {
		return nil, nil
	}
	lines, err := s.store.LinesWith(ctx, c.MessageID, c.Date.Add(-writtenWithin), c.Date.Add(writtenWithin))
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if entry := s.arrivalOf(line); entry.MessageID == c.MessageID {
			if t, err := s.confirmed(ctx, entry.ID, c, now); t != nil || err != nil {
				return t, err
			}
		}
	}
	return nil, nil
}

// writtenWithin is how far a message's Date may be from its arrival, for it to be found by its Message-ID.
const writtenWithin = 2 * time.Hour

// arrivalOf reads a line of the log; it is empty when that tells of no arrival.
func (s *session) arrivalOf(line string) (entry exim.Entry) {
	exim.NewParser(s.zone).Parse(line, &entry)
	if entry.Kind != exim.Arrival {
		return exim.Entry{}
	}
	return entry
}

// confirmed gives the message of this id when the history has it as the report tells: of late, and under the same Message-ID.
// Where one of both does not know that, a recipient must be right: an id alone can be guessed.
func (s *session) confirmed(ctx context.Context, id string, c *check.Complaint, now time.Time) (*store.Trace, error) {
	t, err := s.store.Trace(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look up the message of a complaint: %w", err)
	case t.NoArrival || now.Sub(t.Time) > time.Duration(s.arf.Within):
		return nil, nil
	}
	logged := ""
	for _, line := range t.Lines {
		if entry := s.arrivalOf(line); entry.ID == id {
			logged = entry.MessageID
		}
	}
	same := logged == c.MessageID
	if logged == "" || c.MessageID == "" {
		same = complainer(c, t) != ""
	}
	if !same {
		return nil, nil
	}
	return t, nil
}

// complainer is the recipient who complained, "" when the report does not tell of one that the message went to.
func complainer(c *check.Complaint, t *store.Trace) string {
	for _, r := range c.Recipients {
		is := func(address string) bool { return strings.EqualFold(address, r) }
		if slices.ContainsFunc(t.Recipients, is) ||
			slices.ContainsFunc(t.Deliveries, func(d osm.Delivery) bool { return is(d.Recipient) || is(d.Original) }) {
			return r
		}
	}
	return ""
}
