package check

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"osm"
)

// guard keeps a service that does not answer from holding up everything: after some failures in a row it is not asked for a
// while, and then one question tries whether it is back. It counts what happens.
type guard struct {
	name     string
	deadline time.Duration
	now      func() time.Time
	log      *slog.Logger
	never    bool // its failures are those of whom the question is about: it stays closed

	mu    sync.Mutex
	row   int       // failures in a row
	until time.Time // not asked before this time
	why   string    // the latest failure
	when  time.Time // of it

	asked, cached, failed, slow, passed atomic.Uint64
	took                                [len(Buckets) + 1]atomic.Uint64
}

const (
	failuresInRow = 5
	pause         = 30 * time.Second
)

// Buckets are the upper bounds of the latencies that Stats counts apart; what took longer is counted last.
var Buckets = [...]time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, 2 * time.Second, 5 * time.Second}

var errOpen = errors.New("it is not asked for a while: it has failed several times in a row")

// newGuard makes the guard of a service; the log is told when it is no longer asked, and when it answers again.
func newGuard(name string, deadline time.Duration, now func() time.Time, log *slog.Logger) *guard {
	return &guard{name: name, deadline: deadline, now: now, log: log}
}

func (g *guard) fromMemory() {
	g.asked.Add(1)
	g.cached.Add(1)
}

// do asks, within the deadline and unless the breaker is open.
func (g *guard) do(ctx context.Context, ask func(context.Context) error) error {
	g.asked.Add(1)
	start := g.now()
	if !g.admit(start) {
		g.passed.Add(1)
		return errOpen
	}
	within, cancel := context.WithTimeout(ctx, g.deadline)
	defer cancel()
	err := ask(within)
	end := g.now()
	g.count(end.Sub(start))
	g.learn(err, errors.Is(ctx.Err(), context.Canceled), end)
	return err
}

// admit lets a question through. While the breaker is open only one in a pause is.
func (g *guard) admit(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.row < failuresInRow || g.never {
		return true
	}
	if now.Before(g.until) {
		return false
	}
	g.until = now.Add(pause)
	return true
}

// learn notes how a question ended. One that the asker gave up says nothing.
func (g *guard) learn(err error, givenUp bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		if g.row >= failuresInRow && !g.never {
			g.log.Info("a check answers again", "check", g.name)
		}
		g.row = 0
	case errors.Is(err, errSpent) || errors.Is(err, errBusy):
		g.passed.Add(1)
		g.why, g.when = err.Error(), now
	case !givenUp:
		g.failed.Add(1)
		g.row++
		g.why, g.when = osm.Printable(err.Error()), now
		if g.row == failuresInRow && !g.never {
			g.until = now.Add(pause)
			g.log.Warn("a check has failed several times in a row: it is tried again from time to time, and mail treated as its on_failure says meanwhile",
				"check", g.name, "error", g.why)
		}
	}
}

func (g *guard) count(took time.Duration) {
	if took > g.deadline/2 {
		g.slow.Add(1)
	}
	for i, most := range Buckets {
		if took <= most {
			g.took[i].Add(1)
			return
		}
	}
	g.took[len(Buckets)].Add(1)
}

// Stat is what one check, or one list of it, has done since the start.
type Stat struct {
	Name    string    `json:"name"`
	Asked   uint64    `json:"asked"`
	Cached  uint64    `json:"cached"` // answered from memory
	Failed  uint64    `json:"failed"`
	Slow    uint64    `json:"slow"`    // took more than half of the deadline
	Passed  uint64    `json:"passed"`  // not asked: the breaker was open, or no more was allowed
	Open    bool      `json:"open"`    // the breaker is
	Failing bool      `json:"failing"` // the latest question failed
	Error   string    `json:"error,omitempty"`
	Last    time.Time `json:"last,omitzero"` // when that was
	Latency []uint64  `json:"latency"`       // counts of what was not answered from memory, by Buckets
}

func (g *guard) stat() Stat {
	g.mu.Lock()
	s := Stat{Name: g.name, Failing: g.row > 0, Open: g.row >= failuresInRow && !g.never, Error: g.why, Last: g.when}
	g.mu.Unlock()
	s.Asked, s.Cached, s.Failed, s.Slow, s.Passed = g.asked.Load(), g.cached.Load(), g.failed.Load(), g.slow.Load(), g.passed.Load()
	for i := range g.took {
		s.Latency = append(s.Latency, g.took[i].Load())
	}
	return s
}
