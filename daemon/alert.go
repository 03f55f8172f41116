package daemon

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"osm"
	"osm/action"
	"osm/config"
	"osm/incident"
)

// Keys of the store's state besides what the detection has learned.
const (
	IncidentState = "incident/" // incidents as JSON
	letterState   = "letter/"   // alerts on their way
)

// alarm turns verdicts into incidents, and incidents into alerts that arrive. Everything but the outbox belongs to the
// engine's goroutine.
type alarm struct {
	book   *incident.Book
	group  *action.Grouper
	outbox *action.Outbox
	ways   atomic.Pointer[[]action.Way]
	wake   chan struct{}
	log    *slog.Logger
}

func newAlarm(cfg config.Config, log *slog.Logger) *alarm {
	a := &alarm{book: incident.NewBook(cfg.Incident), outbox: action.NewOutbox(), wake: make(chan struct{}, 1), log: log}
	a.configure(cfg)
	return a
}

// configure says where alerts go from now on; what waits in the outbox stays there.
func (a *alarm) configure(cfg config.Config) {
	host := cfg.Alert.HostName()
	ways := cfg.Alert.Ways(host)
	a.group = action.NewGrouper(cfg.Alert, host)
	a.ways.Store(&ways)
	a.awake()
}

// awake makes the sender look at the outbox.
func (a *alarm) awake() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// changed tells whether there is something to save.
func (a *alarm) changed() bool { return a.book.Changed() || a.outbox.Changed() }

// note files a message that something was found about.
func (a *alarm) note(m *osm.Message, now time.Time) {
	if i, turned := a.book.Note(m); turned {
		a.group.Turned(i, now)
	}
}

// tick closes what is over and puts what is due into the outbox.
func (a *alarm) tick(now time.Time) {
	for _, i := range a.book.Tick(now) {
		a.group.Turned(i, now)
	}
	if due, ok := a.group.Due(now); ok {
		var names []string
		for _, w := range *a.ways.Load() {
			names = append(names, w.Name)
		}
		a.outbox.Put(due, names)
		a.awake()
	}
}

// send brings letters on their way until ctx is done. It never holds up the engine.
func (a *alarm) send(ctx context.Context) {
	for {
		l, ok, next := a.outbox.Take(time.Now())
		if ok {
			err := a.sendOne(ctx, l)
			if err != nil {
				a.log.Warn("an alert did not arrive", "letter", l.ID, "error", err)
			}
			if ctx.Err() == nil { // otherwise it was the end of the program that failed it: it is sent again
				a.outbox.Done(l.ID, err, time.Now())
			}
		} else if !a.wait(ctx, next) {
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (a *alarm) sendOne(ctx context.Context, l action.Letter) error {
	for _, w := range *a.ways.Load() {
		if w.Name == l.Way {
			return w.Send(ctx, l)
		}
	}
	return action.Final("the configuration no longer has a way called " + l.Way)
}

// wait returns true when there may be something to send.
func (a *alarm) wait(ctx context.Context, next time.Time) bool {
	var later <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		later = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-a.wake:
	case <-later:
	}
	return true
}
