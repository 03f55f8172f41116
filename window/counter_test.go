package window

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCounterAgainstNaive compares with a list of everything that was added. Whole buckets leave at once, so the naive
// count is made in buckets too.
func TestCounterAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := time.Duration(rapid.IntRange(60, 30*86400).Draw(t, "span")) * time.Second
		buckets := rapid.IntRange(1, 60).Draw(t, "buckets")
		c := NewCounter(span, buckets)
		width := int64(span) / int64(buckets)
		type event struct {
			bucket int64
			n      uint32
		}
		var all []event
		now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		head := now.UnixNano() / width
		c.Add(now, 0)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			step := time.Duration(rapid.Int64Range(-int64(span)/2, int64(span)).Draw(t, "step"))
			at := now.Add(step)
			if step > 0 {
				now = at
			}
			n := rapid.Uint32Range(0, 1000).Draw(t, "n")
			bucket := at.UnixNano() / width
			head = max(head, bucket)
			if bucket > head-int64(buckets) {
				all = append(all, event{bucket, n})
			}
			c.Add(at, n)
			var want uint64
			for _, e := range all {
				if e.bucket > head-int64(buckets) {
					want += uint64(e.n)
				}
			}
			if got := c.Sum(at); got != want {
				t.Fatalf("sum %d, want %d", got, want)
			}
		}
	})
}

func TestCounterStartsAnewWhenTheClockWasWrong(t *testing.T) {
	c := NewCounter(time.Hour, 60)
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	c.Add(now.AddDate(10, 0, 0), 500)
	c.Add(now, 3)
	if got := c.Sum(now); got != 3 {
		t.Errorf("sum %d after the clock was set right, want 3", got)
	}
}

func TestCounterSaturates(t *testing.T) {
	c := NewCounter(time.Hour, 1)
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	c.Add(now, 1<<32-1)
	c.Add(now, 10)
	if got := c.Sum(now); got != 1<<32-1 {
		t.Errorf("sum %d, want the largest", got)
	}
}

func TestClock(t *testing.T) {
	var c Clock
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	tick := func(at, want time.Time) {
		t.Helper()
		if got := c.Tick(at); !got.Equal(want) {
			t.Errorf("Tick(%v) = %v, want %v", at, got, want)
		}
	}
	tick(now, now)
	tick(now.Add(-time.Hour), now.Add(-time.Hour)) // daylight saving
	tick(now, now)
	tick(now.AddDate(11, 0, 0), now) // a line from the future
	tick(now.Add(time.Minute), now.Add(time.Minute))
	later := now.AddDate(0, 2, 0) // the server was off for two months
	for range witnesses - 1 {
		tick(later, now.Add(time.Minute))
	}
	tick(later, later)
}
