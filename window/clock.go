package window

import "time"

// Clock follows the time of log lines and guards those who count against a line from the future: a jump forward is
// believed only when several lines in a row tell of it.
type Clock struct {
	now     time.Time
	claimed int // lines in a row that claim a time too far ahead
}

const (
	leap      = 26 * time.Hour // a quiet server's log may well jump by a day
	witnesses = 3
)

// Tick takes the time of a line and returns the time to count it at: the line's own, or the last good one where the line
// claims to come from the future.
func (c *Clock) Tick(t time.Time) time.Time {
	if c.now.IsZero() || t.Sub(c.now) <= leap {
		c.now, c.claimed = t, 0
		return t
	}
	if c.claimed++; c.claimed >= witnesses {
		c.now, c.claimed = t, 0
		return t
	}
	return c.now
}
