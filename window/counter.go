// Package window counts over sliding time in bounded memory: sums, decaying sums, distinct values, usual levels per hour
// of the week, and sets that forget their oldest members. It holds no clock: time is an argument of every call, and
// times that jump, stand still or run backwards (daylight saving, a clock set right) never empty or freeze a window.
// What is counted, for whom and what follows from it is left to others.
package window

import "time"

// Counter sums what was added during the last span, in equal buckets: the sum is exact to one bucket, which leaves
// whole when its time is over. A Counter of 24 buckets takes 136 bytes. Make it with NewCounter.
type Counter struct {
	bucket int64 // width in nanoseconds
	head   int64 // number of the newest bucket since the epoch
	sum    uint64
	ring   []uint32
}

// NewCounter makes a counter over span, cut into that many buckets; fewer than 1 means 1.
func NewCounter(span time.Duration, buckets int) Counter {
	buckets = max(buckets, 1)
	return Counter{bucket: max(int64(span)/int64(buckets), 1), head: -1 << 62, ring: make([]uint32, buckets)}
}

// Add counts n at time t. A time before the window is not counted, unless the whole window lies ahead of it by more than
// its own span: then the clock was wrong before, and the window starts anew at t.
func (c *Counter) Add(t time.Time, n uint32) {
	at := c.advance(t)
	if at <= c.head-int64(len(c.ring)) {
		return
	}
	cell := &c.ring[mod(at, len(c.ring))]
	added := *cell + n
	if added < *cell { // saturate rather than wrap
		added = 1<<32 - 1
	}
	c.sum += uint64(added - *cell)
	*cell = added
}

// Sum is what was added during the span that ends at t.
func (c *Counter) Sum(t time.Time) uint64 {
	c.advance(t)
	return c.sum
}

// advance moves the window's end forward to t and tells the number of t's bucket.
func (c *Counter) advance(t time.Time) int64 {
	at := floorDiv(t.UnixNano(), c.bucket)
	n := int64(len(c.ring))
	switch {
	case at >= c.head+n || at < c.head-2*n:
		clear(c.ring)
		c.sum, c.head = 0, at
	case at > c.head:
		for ; c.head < at; c.head++ {
			cell := &c.ring[mod(c.head+1, len(c.ring))]
			c.sum -= uint64(*cell)
			*cell = 0
		}
	}
	return at
}

func mod(a int64, n int) int { return int(((a % int64(n)) + int64(n)) % int64(n)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
