package daemon

import (
	"fmt"
	"log/slog"
	"time"

	"osm"
	"osm/exim"
	"osm/store"
	"osm/track"
	"osm/web"
)

// Watch is told what the engine sees, as it happens, by the engine's goroutine: it must be quick and keep no pointer.
// Both functions may be nil.
type Watch struct {
	Arrival  func(m *osm.Message)
	Delivery func(m *osm.Message, d *osm.Delivery)
}

// record is the live sink: everything goes into the store's batch, and to whoever watches.
type record struct {
	store *store.Store
	alarm *alarm
	holds *holds
	watch Watch
	live  *web.Feed
	log   *slog.Logger
	last  time.Time // of the latest line that bore one
	meter meter
}

func (r *record) Line(entry *exim.Entry) {
	if !entry.Time.IsZero() {
		r.last = entry.Time
	}
	r.store.Line(r.last, entry.Line)
	r.meter.line(entry)
}

func (r *record) Arrival(m *osm.Message) {
	r.store.Arrival(m)
	r.meter.arrival(m)
	if m.Verdict.Action != osm.Accept {
		if !passing(&m.Verdict) {
			r.alarm.note(m, time.Now())
		}
		r.holds.arrival(m, time.Now())
	}
	r.live.Arrival(m)
	if r.watch.Arrival != nil {
		r.watch.Arrival(m)
	}
}

func (r *record) Delivery(m *osm.Message, d *osm.Delivery) {
	r.store.Delivery(m, d)
	r.meter.delivery(d)
	r.holds.delivery(m, d)
	if r.watch.Delivery != nil {
		r.watch.Delivery(m, d)
	}
}

// kept are the kinds of lines, besides arrivals and deliveries, that the history keeps as events.
var kept = map[exim.Kind]store.EventKind{
	exim.Completed:   store.Completed,
	exim.Frozen:      store.Frozen,
	exim.Thawed:      store.Thawed,
	exim.Removed:     store.Removed,
	exim.Rejection:   store.Rejection,
	exim.AuthFailure: store.AuthFailure,
	exim.Unknown:     store.Unknown,
}

func (r *record) Other(entry *exim.Entry, ev *track.Event) {
	r.holds.line(entry, ev)
	kind, keep := kept[entry.Kind]
	if ev.Forged != exim.NoSign {
		kind, keep = store.Forged, true
	}
	if !keep {
		return
	}
	e := store.Event{Time: r.last, Kind: kind, ID: entry.ID, Login: entry.Login, Sender: exim.Unescape(entry.Sender),
		Recipient: exim.Unescape(entry.Address), Text: exim.Unescape(entry.Answer)}
	e.Client, _ = exim.ParseIP(entry.IP) // an address that can't be read is left out
	switch kind {
	case store.Unknown, store.Forged:
		e.ID, e.Text = "", cut(entry.Line)
	case store.Completed:
		e.Text = ""
	}
	r.store.Event(e)
}

// Forged keeps an attempt to write false lines into the log, with the user who made it.
func (r *record) Forged(a exim.Attempt) {
	sure := "probably"
	if a.Sure {
		sure = "certainly"
	}
	text := fmt.Sprintf("%d false lines, written by calling sendmail in the folder %q; %s by the user %q", a.Lines, a.Dir, sure, a.User)
	r.store.Event(store.Event{Time: a.Time, Kind: store.Forged, Login: a.User, Text: text})
	r.log.Warn("somebody wrote false lines into the log", "user", osm.Printable(a.User), "sure", a.Sure, "folder", osm.Printable(a.Dir), "lines", a.Lines)
}

// cut keeps a sample of a line that was not understood from filling the store.
func cut(line string) string { return line[:min(len(line), 1000)] }
