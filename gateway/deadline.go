package gateway

import "time"

// deadline is when a direction of a connection is to end waiting. To set one costs a good part of what a short read does, so
// it is set later than necessary by an eighth and left alone until that is used up.
type deadline struct{ until time.Time }

// nextDeadline is for something that may take wait from now on, but not longer than to end, which may be zero. It tells whether the
// deadline is to be set, and to when; until then the one set before is good.
func (d *deadline) nextDeadline(wait time.Duration, end time.Time) (until time.Time, due bool) {
	now := time.Now()
	least, most := sooner(now.Add(wait), end), sooner(now.Add(wait+wait/8), end)
	if !d.until.Before(least) && !d.until.After(most) {
		return d.until, false
	}
	d.until = most
	return most, true
}

// sooner is the earlier of two times, of which the second may be none.
func sooner(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
