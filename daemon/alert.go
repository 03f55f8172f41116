package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"osm"
	"osm/action"
	"osm/config"
	"osm/incident"
	"osm/panel"
)

// Keys of the store's state besides what the detection has learned.
const (
	IncidentState = "incident/" // incidents as JSON
	letterState   = "letter/"   // alerts on their way
	digestState   = "digest"    // when the latest daily digest was due
)

// alarm turns verdicts into incidents, and incidents into alerts that arrive. Everything but the outbox belongs to the
// engine's goroutine.
type alarm struct {
	book    *incident.Book
	group   *action.Grouper
	notices *action.Notices
	panel   *panel.Panel // knows how customers are reached
	outbox  *action.Outbox
	told    atomic.Pointer[receivers]
	wake    chan struct{}
	log     *slog.Logger

	sent, failed atomic.Uint64 // tries to deliver a letter

	turns       uint64    // how often an incident has entered a new state, for the live feed
	digested    time.Time // when the latest digest was due
	digestSaved bool
}

// receivers are those that are told, and how.
type receivers struct {
	cfg  action.Config
	host string
	ways []action.Way
}

func newAlarm(cfg config.Config, p *panel.Panel, log *slog.Logger) *alarm {
	a := &alarm{book: incident.NewBook(cfg.Incident), outbox: action.NewOutbox(), panel: p, wake: make(chan struct{}, 1), log: log,
		digestSaved: true}
	a.configure(cfg)
	return a
}

// configure says where alerts go from now on; what waits in the outbox stays there.
func (a *alarm) configure(cfg config.Config) {
	host := cfg.Alert.HostName()
	to := &receivers{cfg: cfg.Alert, host: host}
	to.ways = to.cfg.Ways(host)
	a.group, a.notices = action.NewGrouper(cfg.Alert, host), action.NewNotices(cfg.Alert, host)
	a.told.Store(to)
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
func (a *alarm) changed() bool { return a.book.Changed() || a.outbox.Changed() || !a.digestSaved }

// made notes that the digest of a day has been made, or that there is to be none.
func (a *alarm) made(due time.Time) { a.digested, a.digestSaved = due, false }

// save hands out what has changed.
func (a *alarm) save(fn func(key string, blob []byte)) error {
	if !a.digestSaved {
		fn(digestState, a.digested.AppendFormat(nil, digestFormat))
		a.digestSaved = true
	}
	return errors.Join(
		a.book.Dirty(func(id string, blob []byte) { fn(IncidentState+id, blob) }),
		a.outbox.Dirty(func(id string, blob []byte) { fn(letterState+id, blob) }))
}

// restoreDigest reads what save has handed out.
func (a *alarm) restoreDigest(_ string, blob []byte) (err error) {
	a.digested, err = time.ParseInLocation(digestFormat, string(blob), time.Local)
	return err
}

// turned tells those who are to know that an incident has entered a new state: the administrator with others of its
// kind, the customer at once.
func (a *alarm) turned(i *incident.Incident, now time.Time) {
	a.turns++
	a.group.Turned(i, now)
	contact := a.panel.Contact(i.Account)
	l, ok, err := a.notices.Turned(i, action.Customer{Address: contact.Address, Language: contact.Language, Reseller: contact.Reseller}, now)
	if err != nil {
		a.log.Warn("a customer can't be told of an incident", "incident", i.ID, "error", err)
	}
	if ok {
		a.outbox.PutLetter(l)
		a.awake()
	}
}

// stuck counts the letters that were given up in the last day or fail again and again.
func (a *alarm) stuck(now time.Time) (n int) {
	for _, l := range a.outbox.Letters() {
		if l.Error != "" && now.Sub(l.Next) < digestSpan {
			n++
		}
	}
	return n
}

// note files a message that something was found about.
func (a *alarm) note(m *osm.Message, now time.Time) {
	if i, turned := a.book.Note(m); turned {
		a.turned(i, now)
	}
}

// tick closes what is over and puts what is due into the outbox.
func (a *alarm) tick(now time.Time) {
	for _, i := range a.book.Tick(now) {
		a.turned(i, now)
	}
	if due, ok := a.group.Due(now); ok {
		var names []string
		for _, w := range a.told.Load().ways {
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
			a.tried(l, err)
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

func (a *alarm) tried(l action.Letter, err error) {
	if err == nil {
		a.sent.Add(1)
		return
	}
	a.failed.Add(1)
	a.log.Warn("an alert did not arrive", "letter", l.ID, "error", err)
}

func (a *alarm) sendOne(ctx context.Context, l action.Letter) error {
	to := a.told.Load()
	if l.Mail != nil {
		return to.cfg.Post(ctx, to.host, l.ID, *l.Mail)
	}
	for _, w := range to.ways {
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
