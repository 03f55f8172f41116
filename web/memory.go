package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"osm/store"
)

// memory keeps answers of the history for some moments, each for the scope that it was asked in: what many look at at once is asked
// once, also when they come at the same moment.
type memory struct {
	mu   sync.Mutex
	kept map[string]*remembered
}

type remembered struct {
	at    time.Time
	done  chan struct{} // closed when value is there, or has failed
	value any           // nil when it has failed
}

const (
	shortSpan  = 48 * time.Hour
	shortWhile = countsFor
	longWhile  = time.Minute // of what is asked about more than shortSpan
	mostKept   = 200
)

// recall gives what was found out at most a while ago, or finds it out. What it gives must not be changed. Whoever waits for somebody
// else's question that fails asks by himself.
func recall[T any](ctx context.Context, m *memory, key string, now time.Time, while time.Duration, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	one := m.kept[key]
	mine := one == nil || now.Sub(one.at) > while
	if mine {
		if m.kept == nil || len(m.kept) >= mostKept {
			m.kept = map[string]*remembered{}
		}
		one = &remembered{at: now, done: make(chan struct{})}
		m.kept[key] = one
	}
	m.mu.Unlock()
	if !mine {
		select {
		case <-one.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		if one.value != nil {
			return one.value.(T), nil
		}
		return ask()
	}
	defer close(one.done)
	value, err := ask()
	if err == nil {
		one.value = value
		return value, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[key] == one {
		delete(m.kept, key)
	}
	return value, err
}

// spanKey names a time by its whole hours, as the history has it, and tells how long its answers are kept.
func spanKey(since, until time.Time) (key string, while time.Duration) {
	while = shortWhile
	if until.Sub(since) > shortSpan {
		while = longWhile
	}
	return fmt.Sprintf("%d %d", since.Unix()/3600, until.Unix()/3600), while
}

func (s *Server) report(ctx context.Context, q store.ReportQuery) (*store.Report, error) {
	span, while := spanKey(q.Since, q.Until)
	key := fmt.Sprintf("report %s %d %d %v %s", span, q.Limit, q.Order, q.Rank, scopeKey(ViewerOf(ctx).Scope))
	return recall(ctx, &s.memory, key, s.o.Now(), while, func() (*store.Report, error) { return s.history(ctx).Report(ctx, q) })
}

func (s *Server) answers(ctx context.Context, since, until time.Time) ([]store.Answer, error) {
	span, while := spanKey(since, until)
	key := fmt.Sprintf("answers %s %s", span, scopeKey(ViewerOf(ctx).Scope))
	return recall(ctx, &s.memory, key, s.o.Now(), while, func() ([]store.Answer, error) { return s.history(ctx).Answers(ctx, since, until, listMost) })
}
