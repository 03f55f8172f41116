package daemon

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"osm"
	"osm/config"
	"osm/policy"
	"osm/store"
	"osm/web"
	"osm/window"
)

const (
	mostTrials = 20 // whose results are kept
	trialNews  = 500 * time.Millisecond
	quietest   = 19 // nice value of the thread that tries
)

// trials are changes of the rules that are tried on the past, one at a time. They belong to any goroutine.
type trials struct {
	start chan *trial

	mu   sync.Mutex // guards what follows
	all  []*trial   // the latest first
	runs *trial     // nil: none does
}

// trial is one of them. What is told of it is guarded by the mutex of all.
type trial struct {
	web.Trial
	cfg     config.Config // in force when it was started
	after   []policy.Rule
	entries []policy.Entry // of the lists, the oldest first
	ctx     context.Context
	cancel  context.CancelFunc
}

func newTrials() *trials { return &trials{start: make(chan *trial, 1)} }

// tryRules begins to try a change.
func (s *session) tryRules(change web.RuleChange, by string, now time.Time) (web.Trial, error) {
	changed, err := s.changeRules(change)
	if err != nil {
		return web.Trial{}, err
	}
	t := &trial{Trial: web.Trial{ID: "T" + osm.ShortID(window.Mix(uint64(now.UnixNano()))), By: by, Change: change, State: web.TrialRuns,
		Started: now}, after: changed.live()}
	s.mu.Lock()
	t.cfg, t.entries = s.cfg, s.ledger.Entries()
	s.mu.Unlock()
	slices.SortFunc(t.entries, func(a, b policy.Entry) int { return a.Added.Compare(b.Added) })
	return s.trials.begin(t)
}

func (x *trials) begin(t *trial) (web.Trial, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.runs != nil {
		return web.Trial{}, fmt.Errorf("%s, begun by %s, still runs: wait for it (%.0f %% are done) or cancel it", x.runs.ID, x.runs.By,
			x.runs.Percent)
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	x.runs, x.all = t, slices.Insert(x.all, 0, t)
	x.all = x.all[:min(len(x.all), mostTrials)]
	x.start <- t // there is room: none runs
	return t.Trial, nil
}

// find is a trial by its id.
func (x *trials) find(id string) (web.Trial, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.all {
		if t.ID == id {
			return t.Trial, nil
		}
	}
	return web.Trial{}, fmt.Errorf("there is no trial %s (the latest %d are kept until osm is started again): %w", id, mostTrials, web.ErrNotFound)
}

// list is all of them, without senders.
func (x *trials) list() []web.Trial {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := make([]web.Trial, len(x.all))
	for i, t := range x.all {
		all[i] = t.Trial
		all[i].Newly.Senders, all[i].NoLonger.Senders = nil, nil
	}
	return all
}

// stop ends a trial that runs; one that has ended stays as it is.
func (x *trials) stop(id string) (web.Trial, error) {
	x.mu.Lock()
	if x.runs != nil && x.runs.ID == id {
		x.runs.cancel()
	}
	x.mu.Unlock()
	return x.find(id)
}

// keepTrying runs what is to be tried, until ctx is done.
func (s *session) keepTrying(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-s.trials.start:
			stop := context.AfterFunc(ctx, t.cancel)
			var err error
			quietly(func() { err = s.try(t) })
			stop()
			s.trials.ended(t, err, time.Now())
		}
	}
}

// quietly does work on a thread of its own that gets the processor when nobody else wants it. The thread ends with it.
func quietly(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()                                                    // never unlocked: nobody else gets a quiet thread
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), quietest) // where that is forbidden it works all the same
		work()
	}()
	<-done
}

func (x *trials) ended(t *trial, err error, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t.Ended, t.Left, t.State = now, 0, web.TrialDone
	switch {
	case t.ctx.Err() != nil:
		t.State = web.TrialCancelled
	case err != nil:
		t.State, t.Problem = web.TrialFailed, err.Error()
	default:
		t.Percent = 100
	}
	t.cancel()
	t.cfg, t.after, t.entries, x.runs = config.Config{}, nil, nil, nil
}

// try runs the whole history through two engines, as the rules are and as they would be.
func (s *session) try(t *trial) error {
	count := newTrialCount()
	r, err := s.newTrialEngines(t, count)
	if err != nil {
		return err
	}
	defer r.close()
	told := t.Started
	for piece, err := range s.store.Past(t.ctx) {
		if err != nil {
			return err
		}
		count.listed(t.entries, r)
		s.tryPiece(r, count, &piece)
		if now := time.Now(); now.Sub(told) >= trialNews {
			told = now
			s.trials.progress(t, count, piece.Done, piece.Total, now)
		}
	}
	s.trials.progress(t, count, 1, 1, time.Now())
	return nil
}

// newTrialEngines makes the two engines.
func (s *session) newTrialEngines(t *trial, count *trialCount) (*replayed, error) {
	after := t.cfg
	after.Rules = t.after
	r, err := newReplayed(t.cfg, ReplayOptions{Panel: s.panel, Logger: s.options.Logger, Message: count.message, Compare: &after,
		Zone: s.zone, Difference: count.difference})
	if err != nil {
		return nil, err
	}
	r.before.delivery = count.delivery
	s.mu.Lock()
	rewriter := s.engine.Rewriter
	s.mu.Unlock()
	if rewriter != nil { // it only reads addresses here: nobody asks
		r.engine.Rewriter, r.other.Rewriter = rewriter, rewriter
	}
	return r, nil
}

// tryPiece takes a piece of the history through both engines, line by line: what became of a message is known after it.
func (s *session) tryPiece(r *replayed, count *trialCount, piece *store.Past) {
	refused := piece.Refused
	for line := range strings.Lines(string(piece.Text)) {
		r.parser.Parse(strings.TrimSuffix(line, "\n"), &r.entry)
		for len(refused) > 0 && refused[0].Time.Before(r.entry.Time) {
			s.tryRefused(r, &refused[0])
			refused = refused[1:]
		}
		r.engine.Process(&r.entry)
		r.other.Process(&r.entry)
		r.compare()
		count.settle()
	}
	for i := range refused {
		s.tryRefused(r, &refused[i])
	}
}

// tryRefused takes a message through both engines that was refused when osm was asked: no line tells of its arrival.
func (s *session) tryRefused(r *replayed, m *osm.Message) {
	m.Time, m.Verdict = m.Time.In(s.zone), osm.Verdict{} // rules ask for the hour
	for _, e := range []*Engine{r.engine, r.other} {
		again := *m
		e.arrival(&again, nil)
	}
	r.compare()
}

// progress tells how far a trial is.
func (x *trials) progress(t *trial, count *trialCount, done, total int, now time.Time) {
	newly, noLonger := count.newly.told(), count.noLonger.told()
	x.mu.Lock()
	defer x.mu.Unlock()
	t.Percent = 100 * float64(done) / float64(max(total, 1))
	t.Left = osm.Duration((now.Sub(t.Started) * time.Duration(total-done) / time.Duration(max(done, 1))).Round(time.Second))
	t.Messages, t.First, t.Last, t.Others, t.Bounded = count.messages, count.first, count.last, count.others, count.bounded
	t.Newly, t.NoLonger = newly, noLonger
}

// checkRules reports all that is wrong with rules, in words.
func checkRules(rules []policy.Rule) error {
	var all []error
	for i := range rules {
		rules[i].Check(func(key, problem string) {
			all = append(all, fmt.Errorf("rule %q: %s: %s", rules[i].Name, key, problem))
		})
	}
	return errors.Join(all...)
}
