package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"osm"
	"osm/action"
	"osm/config"
	"osm/incident"
	"osm/store"
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
	ways   []action.Way
	names  []string
	wake   chan struct{}
	log    *slog.Logger
}

func newAlarm(cfg config.Config, host string, log *slog.Logger) *alarm {
	a := &alarm{book: incident.NewBook(cfg.Incident), group: action.NewGrouper(cfg.Alert, host), outbox: action.NewOutbox(),
		ways: cfg.Alert.Ways(host), wake: make(chan struct{}, 1), log: log}
	for _, w := range a.ways {
		a.names = append(a.names, w.Name)
	}
	return a
}

// restore reads what was kept. What is damaged is told and left out.
func (a *alarm) restore(ctx context.Context, history *store.Store) error {
	note := func(key string, err error) {
		if err != nil {
			a.log.Warn("a piece of the kept state is damaged and left out", "key", key, "error", err)
		}
	}
	return errors.Join(
		history.LoadState(ctx, IncidentState, func(key string, blob []byte) error { note(key, a.book.Restore(blob)); return nil }),
		history.LoadState(ctx, letterState, func(key string, blob []byte) error { note(key, a.outbox.Restore(blob)); return nil }))
}

// save puts what has changed into the store's batch.
func (a *alarm) save(history *store.Store) error {
	return errors.Join(
		a.book.Dirty(func(id string, blob []byte) { history.SaveState(IncidentState+id, blob) }),
		a.outbox.Dirty(func(id string, blob []byte) { history.SaveState(letterState+id, blob) }))
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
	if due, ok := a.group.Due(now); ok && len(a.names) > 0 {
		a.outbox.Put(due, a.names)
		select {
		case a.wake <- struct{}{}:
		default: // it is awake already
		}
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
	for _, w := range a.ways {
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
