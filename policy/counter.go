package policy

import (
	"time"

	"osm/window"
)

// counters holds the sliding counts of one rule, one per key. It is bounded: when there are too many keys, those that
// were not counted since the last turn are forgotten.
type counters struct {
	count    Count
	window   time.Duration
	current  map[uint64]*cell
	previous map[uint64]*cell
	changes  changes
}

// cell is the count of one key: a sum over time buckets, or the recipients seen and when.
type cell struct {
	sum     window.Counter
	seen    map[uint64]time.Time
	changed bool // since it was saved
}

const (
	buckets = 30      // the window slides in steps of a thirtieth
	maxKeys = 100_000 // per rule and generation, about 300 bytes each
)

func newCounters(count Count, span time.Duration) *counters {
	return &counters{count: count, window: span, current: map[uint64]*cell{}, previous: map[uint64]*cell{}}
}

func (c *counters) cell(key uint64) *cell {
	if k := c.current[key]; k != nil {
		c.changes.note(key, k)
		return k
	}
	if len(c.current) >= maxKeys {
		c.changes.forget(c.previous)
		c.previous, c.current = c.current, make(map[uint64]*cell, maxKeys)
	}
	k := c.previous[key]
	if k == nil {
		k = c.empty()
	}
	delete(c.previous, key)
	c.current[key] = k
	c.changes.note(key, k)
	return k
}

func (c *counters) empty() *cell {
	if c.count == CountUnique {
		return &cell{seen: map[uint64]time.Time{}}
	}
	return &cell{sum: window.NewCounter(c.window, buckets)}
}

// add counts n at t and tells the sum of the window that ends there.
func (c *counters) add(key uint64, t time.Time, n int64) int64 {
	k := c.cell(key)
	k.sum.Add(t, uint32(min(n, 1<<31)))
	return int64(k.sum.Sum(t))
}

// unique counts recipients at t and tells how many different ones the window has. It remembers no more of them than
// limit and one message's: past the limit the exact number is of no interest.
func (c *counters) unique(key uint64, t time.Time, recipients []string, limit int64) int64 {
	k := c.cell(key)
	if int64(len(k.seen)+len(recipients)) > limit {
		for r, last := range k.seen {
			if t.Sub(last) >= c.window {
				delete(k.seen, r)
			}
		}
	}
	for _, r := range recipients {
		h := window.Hash(0, r)
		if _, known := k.seen[h]; known || int64(len(k.seen)) <= limit {
			k.seen[h] = t
		}
	}
	return int64(len(k.seen))
}
