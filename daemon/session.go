package daemon

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"osm"
	"osm/access"
	"osm/check"
	"osm/exim"
	"osm/gateway"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/web"
)

// session is the daemon at work: one life of the engine, fed by the logs and asked by the sockets.
type session struct {
	*Daemon
	follower *tail.Follower
	store    *store.Store
	access   *access.Access
	web      *web.Server
	live     *web.Feed
	parser   *exim.Parser
	joiner   exim.Joiner
	entry    exim.Entry
	at       map[string]osm.Position // by log: how far it has been read
	flushed  time.Time
	unsaved  bool
	tended   time.Time

	checks    atomic.Pointer[check.Checks] // as they are configured now; they have locks of their own
	arf       check.ARFConfig              // as it was at the start
	rechecked chan struct{}                // tells that there are others
	waiting   atomic.Int64                 // questions that wait for mu
	trials    *trials
	meter     *meter
	asks      atomic.Pointer[policy.ServerStats] // of the policy sockets; nil before they are open
	gate      atomic.Pointer[gateway.Stats]      // nil: there is no gateway
	front     gatewayHealth

	mu     sync.Mutex // guards what follows: it is held for some dozen lines at most, and never over I/O
	engine *Engine
	alarm  *alarm
	holds  *holds
	stops  *suspender
	ledger *policy.Ledger

	complaints complaints
}

const (
	idle        = time.Second      // the longest time without a look at what else there is to do
	tendAfter   = 30 * time.Second // between looks at files that may have changed
	retryMost   = 30 * time.Second
	retrySocket = 10 * time.Second
	turn        = 64 // lines between two chances for a question
)

// Beginnings of the keys under which the store keeps state.
const (
	ledgerState = "ledger/" // the lists and the audit trail
	ruleState   = "rule/"   // what rules have counted
)

func newSession(d *Daemon, e *Engine, a *alarm, h *holds, history *store.Store, f *tail.Follower) *session {
	s := &session{Daemon: d, engine: e, alarm: a, holds: h, stops: h.stops, store: history, follower: f, ledger: policy.NewLedger(),
		parser: exim.NewParser(d.zone), at: map[string]osm.Position{}, trials: newTrials(), meter: &e.Sink.(*record).meter,
		live: e.Sink.(*record).live, arf: d.cfg.Check.ARF, rechecked: make(chan struct{}, 1)}
	s.openChecks(d.cfg.Check)
	return s
}

// restore reads what was kept besides the history. What is damaged is told and left out: it is learned again.
func (s *session) restore(ctx context.Context) error {
	each := func(prefix string, take func(key string, blob []byte) error) error {
		return s.store.LoadState(ctx, prefix, func(key string, blob []byte) error {
			if err := take(strings.TrimPrefix(key, prefix), blob); err != nil {
				s.options.Logger.Warn("a piece of the kept state is damaged and left out", "key", osm.Printable(key), "error", err)
			}
			return nil
		})
	}
	err := errors.Join(
		each(DetectState, s.engine.Detect.Restore),
		each(IncidentState, func(_ string, blob []byte) error { return s.alarm.book.Restore(blob) }),
		each(letterState, func(_ string, blob []byte) error { return s.alarm.outbox.Restore(blob) }),
		each(digestState, s.alarm.restoreDigest),
		each(ledgerState, s.ledger.Restore),
		each(ruleState, s.engine.Policy.Restore),
		each(checkState, s.restoreChecks),
		each(holdState, s.holds.book.Restore),
		each(suspendState, s.stops.book.Restore))
	s.holds.keepSecret()
	s.engine.Policy.Lists.Set(s.ledger.Entries())
	return err
}

// serve runs everything until ctx is done or something fails that can't be waited out.
func (s *session) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	others.Go(func() { s.alarm.send(ctx) })
	others.Go(func() { s.digests(ctx) })
	others.Go(func() { s.keepHeld(ctx) })
	others.Go(func() { s.keepSuspended(ctx) })
	others.Go(func() { s.pushOut(ctx) })
	others.Go(func() { s.keepComplaints(ctx) })
	others.Go(func() { s.watchOwn(ctx) })
	others.Go(func() { s.keepTrying(ctx) })
	others.Go(func() { s.tellLive(ctx) })
	others.Go(func() { s.keepServing(ctx, "control socket", s.openControl) })
	others.Go(func() { s.keepServing(ctx, "policy socket", s.openPolicy) })
	others.Go(func() { s.keepServing(ctx, "address of the pages", s.openWeb) })
	others.Go(func() { s.keepServing(ctx, "gateway", s.openGateway) })
	if s.options.Ready != nil {
		s.options.Ready()
	}
	return s.follow(ctx)
}

// keepServing opens a socket and answers on it until ctx is done. A socket that can't be had is no reason not to follow
// the log: it is tried again.
func (s *session) keepServing(ctx context.Context, name string, open func(context.Context) (func() error, error)) {
	said := ""
	for ctx.Err() == nil {
		serve, err := open(ctx)
		if err == nil {
			if serve == nil {
				return
			}
			said = ""
			err = serve()
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			s.options.Logger.Error("the "+name+" is not served; the log is followed all the same, and it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retrySocket):
		}
	}
}

// follow reads the logs until ctx is done.
func (s *session) follow(ctx context.Context) error {
	begun, settled := time.Now(), false
	for {
		batch, err := s.follower.Next(ctx)
		if err != nil { // ctx is done
			return s.flush(context.WithoutCancel(ctx), once)
		}
		s.read(batch)
		now := time.Now()
		if s.due(batch, now) {
			if err := s.flush(ctx, patient); err != nil {
				return err
			}
		}
		if batch.AtEnd || batch.Idle { // days that are over can wait until the log is read
			if _, err := s.store.Settle(now); err != nil {
				s.options.Logger.Warn("a day of history can't be settled: its pages take longer; it is tried again in an hour", "error", err)
			}
		}
		if now.Sub(s.tended) >= tendAfter {
			s.tend(now)
		}
		if !settled && (batch.AtEnd || batch.Idle) && now.Sub(begun) >= settleAfter {
			settled = true
			if err := settle(); err != nil {
				s.options.Logger.Info("the memory that the start took is not given back", "error", err)
			}
			paceGarbage(ctx)
		}
	}
}

// due tells whether it is time to flush: when much is pending, or some time after the last flush. While pieces of a line
// are missing the log has been read further than it is understood: then it waits a little.
func (s *session) due(b tail.Batch, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.Refused()
	s.alarm.tick(now)
	if over := s.ledger.Tick(now); len(over) > 0 {
		s.engine.Policy.Lists.Set(s.ledger.Entries())
	}
	pending, saveAfter := s.store.Pending(), time.Duration(s.cfg.Store.SaveAfter)
	s.meter.pending.Store(int64(pending))
	if s.joiner.Holding() && pending < 2*store.BatchSize && now.Sub(s.flushed) < 10*saveAfter {
		return false
	}
	changed := s.unsaved || pending > 0 || s.alarm.changed() || s.ledger.Changed() || s.holds.book.Changed() || s.stops.book.Changed() || len(s.complaints.events) > 0 || s.checks.Load().Changed()
	return pending >= store.BatchSize || changed && (b.AtEnd || b.Idle) && now.Sub(s.flushed) >= saveAfter
}

// read takes a batch of lines through the engine, with a chance for questions in between.
func (s *session) read(b tail.Batch) {
	if b.Gap != nil {
		s.options.Logger.Warn("lines may be missing in the log", "log", osm.Printable(b.Log), "reason", b.Gap.Reason, "bytes", b.Gap.Bytes)
	}
	if b.Idle {
		return
	}
	s.mu.Lock()
	n := 0
	for line := range b.Lines() {
		whole, ok := s.joiner.Join(line)
		if !ok {
			continue
		}
		s.parser.Parse(whole, &s.entry)
		s.engine.Process(&s.entry)
		if n++; n%turn == 0 && s.waiting.Load() > 0 {
			s.mu.Unlock()
			runtime.Gosched() // or the mutex would be taken again before a waiting goroutine has woken up
			s.mu.Lock()
		}
	}
	s.mu.Unlock()
	s.at[b.Log] = b.Position
	s.unsaved = true
}

// lookup finds a message in the history for the tracker, which asks with the mutex held. It is given up meanwhile: the
// tracker belongs to the goroutine that follows the log, and nothing else of the engine is at work when it asks.
func (s *session) lookup(ctx context.Context, id string) *osm.Message {
	s.mu.Unlock()
	defer s.mu.Lock()
	m, err := s.store.Message(ctx, id)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			s.options.Logger.Warn("a message can't be looked up in the history: its deliveries are kept without it", "id", id, "error", err)
		}
		return nil
	}
	return m
}

type patience bool

const (
	once    patience = false
	patient patience = true
)

// flush saves the events, what was learned from them, and how far the logs have been read, in one transaction. While
// that does not work (disk full, database locked) it waits and tries again: the logs are the queue.
func (s *session) flush(ctx context.Context, p patience) error {
	if err := s.gather(); err != nil {
		return err
	}
	positions := make([]osm.Position, 0, len(s.at))
	for _, at := range s.at {
		positions = append(positions, at)
	}
	wait := time.Second
	for {
		begun := time.Now()
		err := s.store.Flush(begun, positions)
		switch {
		case err == nil:
			s.flushed, s.unsaved = time.Now(), false
			s.meter.flushes.add(s.flushed.Sub(begun))
			return nil
		case p == once || errors.Is(err, store.ErrDamaged):
			return fmt.Errorf("save what was read: %w", err)
		}
		s.options.Logger.Error("what was read can't be saved; nothing is lost, the log is read on when it can", "error", err, "again in", wait)
		select {
		case <-ctx.Done():
			return nil // not saved: it is read again at the next start
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMost)
	}
}

// gather puts all state that has changed into the store's batch.
func (s *session) gather() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.Detect.Dirty(func(key string, blob []byte) { s.store.SaveState(DetectState+key, append([]byte(nil), blob...)) })
	s.engine.Policy.Dirty(func(key string, blob []byte) { s.store.SaveState(ruleState+key, append([]byte(nil), blob...)) })
	s.complaints.save(s.store.Event)
	s.ledger.Dirty(func(key string, blob []byte) { s.store.SaveState(ledgerState+key, blob) })
	return errors.Join(
		s.saveChecks(),
		s.holds.book.Dirty(func(key string, blob []byte) { s.store.SaveState(holdState+key, blob) }),
		s.stops.book.Dirty(func(id string, blob []byte) { s.store.SaveState(suspendState+id, blob) }),
		s.alarm.save(s.store.SaveState))
}

// tend reads again what may have changed beside the log.
func (s *session) tend(now time.Time) {
	s.tended = now
	if _, err := s.panel.Reload(now); err != nil {
		s.options.Logger.Warn("the panel's map of accounts can't be read; the old one is used on", "error", err)
	}
	if err := s.openRewriter(); err != nil {
		s.options.Logger.Warn("mail can't be held by rewriting", "error", err)
	}
	use := s.engine.Enrich.Reload(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	use()
}
