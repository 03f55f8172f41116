package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	"osm"
	"osm/exim"
	"osm/hold"
	"osm/track"
)

// holdState begins the keys under which the store keeps held mail.
const holdState = "hold/"

// holds is the held mail. The engine tells it what the log says, orders come by the control socket, and one goroutine
// of its own (see keepHeld) keeps it in step with Exim's queue. It is guarded by the session's mutex but for what
// says otherwise.
type holds struct {
	cfg     atomic.Pointer[hold.Config] // any goroutine
	book    *hold.Book
	stops   *suspender
	soon    []osm.Key     // senders that a person has just forgiven
	changed chan struct{} // closed and replaced when orders have been carried out

	trouble string // the worker's: the latest trouble with the spool that was told

	wake  chan struct{}              // any goroutine: there is something to do
	queue atomic.Pointer[exim.Queue] // any goroutine: nil while Exim can't be found
	push  chan exim.Place            // released messages whose delivery is begun at once
}

// pushes is how many released messages are delivered at once; the others go with Exim's next queue run.
const pushes = 100

func newHolds(cfg hold.Config) *holds {
	h := &holds{book: hold.NewBook(cfg), stops: newSuspender(), changed: make(chan struct{}), wake: make(chan struct{}, 1),
		push: make(chan exim.Place, pushes)}
	h.cfg.Store(&cfg)
	return h
}

// configure changes the settings.
func (h *holds) configure(cfg hold.Config) {
	h.cfg.Store(&cfg)
	h.book.Configure(cfg)
	h.awake()
}

// awake makes the worker look for something to do.
func (h *holds) awake() {
	select {
	case h.wake <- struct{}{}:
	default: // it is awake already
	}
}

// looked notes that a person has forgiven or allowed a sender. Its mail need not wait for the next walk.
func (h *holds) looked(named osm.Key) {
	h.book.Looked(func(key osm.Key) bool {
		same := sameKey(key, named)
		if same {
			h.soon = append(h.soon, key)
		}
		return same
	})
	h.awake()
}

// arrival notes what was decided about a message. Only where Exim was told it is held.
func (h *holds) arrival(m *osm.Message, now time.Time) {
	v := &m.Verdict
	inExim := exim.ValidID(m.ID) && !v.Passive // another mail server's queue is its own
	switch {
	case v.Shadow:
	case v.Action == osm.Hold && inExim:
		h.book.Hold(hold.FromVerdict(m), v.Score, now)
	case v.Action == osm.Reject:
		h.book.Stopped(v.Key)
		h.stops.stopped(m, now)
	}
}

// line notes what the log tells of a message's end as a held one. Forged lines are not believed.
func (h *holds) line(entry *exim.Entry, ev *track.Event) {
	if h.book.Empty() || entry.ID == "" || ev.Forged != exim.NoSign {
		return
	}
	now := time.Now()
	switch entry.Kind {
	case exim.Completed:
		h.book.Left(entry.ID, "delivered by somebody else", now)
	case exim.Thawed:
		h.book.Left(entry.ID, "released by somebody else", now)
	case exim.Removed:
		h.book.Left(entry.ID, "removed by somebody else", now)
	}
}

// delivery notes that a message was delivered, at least to one recipient.
func (h *holds) delivery(m *osm.Message, d *osm.Delivery) {
	if !h.book.Empty() && d.Outcome == osm.Delivered {
		h.book.Left(m.ID, "delivered by somebody else", time.Now())
	}
}

// released tells whether a message that is held by rewriting may go: Exim asks at every attempt to deliver it.
func (h *holds) released(id, _ string) bool {
	m, ok := h.book.Get(id)
	return ok && (m.State == hold.Releasing || m.State == hold.Released ||
		m.State == hold.Expired && h.cfg.Load().Expire == hold.ExpireRelease)
}

// keepSecret makes the key of release tokens where there is none.
func (h *holds) keepSecret() {
	if len(h.book.Secret()) != hold.SecretSize {
		key := make([]byte, hold.SecretSize)
		rand.Read(key) // never fails (crypto/rand)
		h.book.SetSecret(key)
	}
}

// findQueue finds Exim's spool and program, as the options or the configuration say.
func (s *session) findQueue(ctx context.Context) (*exim.Queue, error) {
	if s.options.Queue != nil {
		return s.options.Queue(ctx)
	}
	binary := s.cfg.Exim.Binary
	if binary == "" {
		found, err := exim.FindBinary("/")
		if err != nil {
			return nil, err
		}
		binary = found
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	i, err := exim.Inspect(ctx, binary)
	if err != nil {
		return nil, err
	}
	return &exim.Queue{Spool: i.Spool, Command: exim.Program(binary)}, nil
}

// errNoQueue says why orders about held mail can't be carried out.
var errNoQueue = errors.New("the queue of Exim can't be reached: the daemon's log says why")

// keepHeld keeps the book in step with Exim's queue until ctx is done: it carries out orders, looks through the
// spool, ends holds whose time is over and releases those whose verdict has cleared. It runs Exim; no lock is held
// meanwhile.
func (s *session) keepHeld(ctx context.Context) {
	h := s.holds
	said := ""
	var walked time.Time
	for ctx.Err() == nil {
		q := h.queue.Load()
		if q == nil {
			found, err := s.findQueue(ctx)
			if err != nil && err.Error() != said {
				said = err.Error()
				s.options.Logger.Warn("held mail can't be looked after: Exim is not found; it is tried again", "error", err)
			}
			q = found
			h.queue.Store(q)
		}
		if q != nil {
			s.carryOut(ctx, q)
			if time.Since(walked) >= time.Duration(h.cfg.Load().Walk) {
				s.lookThrough(ctx, q)
				walked = time.Now()
			}
			s.releaseSoon()
			s.carryOut(ctx, q)
		}
		s.mu.Lock()
		due := h.book.Next()
		s.mu.Unlock()
		next := max(time.Until(walked.Add(time.Duration(h.cfg.Load().Walk))), time.Second)
		if q == nil {
			next = retryMost
		} else if !due.IsZero() {
			next = min(next, max(time.Until(due), 0))
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-h.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pushOut begins the delivery of messages that were released, so that a person need not wait for the next queue run.
// How that goes is the log's to tell: they are ordinary messages now.
func (s *session) pushOut(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case place := <-s.holds.push:
			if q := s.holds.queue.Load(); q != nil {
				if err := q.Deliver(ctx, place); err != nil && ctx.Err() == nil {
					s.options.Logger.Warn("a released message was not delivered at once: the next queue run tries it",
						"error", err)
				}
			}
		}
	}
}
