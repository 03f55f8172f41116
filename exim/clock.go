package exim

import "time"

// clock reads the times of log lines. Exim's own are "2026-11-23 08:27:00", with +millisec ".638" behind it and with
// log_timezone " -0500" behind that. Without the zone they are local to the zone that Exim runs in.
//
// Local times are ambiguous in the hour that is repeated when daylight saving ends. Each line is then placed by what
// settles it: the message id, which holds the real time; else the line before, since a log runs forward. A line that
// jumps back by more than backward seconds has passed the change. Where neither tells, the first of the two hours is
// taken, so that after a quiet hour up to one hour's lines without any id can be an hour early.
type clock struct {
	zone *time.Location

	hour    [2]uint64 // "2026-11-23 08", its first and its last eight bytes: what civil and offset were computed for
	civil   int64     // that hour's start as Unix seconds, if its time were UTC
	offset  int64     // of zone in that hour, seconds east of Greenwich
	regular bool      // one offset is valid for the whole hour

	fixed       *time.Location // the zone that a line bore last
	fixedOffset int64

	last   int64     // Unix time of the last line
	latest time.Time // no line without a year is later than this
}

// backward is how many seconds a line may be before the one above it: processes write as they are scheduled.
const backward = 300

// stamp is a line's time before it is settled.
type stamp struct {
	unix   int64
	second int64 // the other possibility, an hour or so later; 0 if there is none
	nanos  int64
	zone   *time.Location
	millis bool
	month  time.Month // set when there is no year: unix is then the time within the day, and zone the parser's
	day    int
}

// plainTime is a time as most lines bear it, and the space behind it.
const plainTime = "2026-11-23 08:27:00 "

// plain reads the time of a line that is like most, without a fraction or a zone. ok is false where it is not, or where more is needed to
// settle it.
func (c *clock) plain(s string) (at time.Time, ok bool) {
	if len(s) <= len(plainTime) || s[10] != ' ' || s[19] != ' ' || s[20] == '+' || s[20] == '-' {
		return at, false
	}
	seconds, ok := c.seconds(s)
	if !ok || !c.regular || seconds >= c.civil+3600 {
		return at, false
	}
	c.last = seconds - c.offset
	return time.Unix(c.last, 0).In(c.zone), true
}

// read reads Exim's time at the start of s. It returns the index of what follows the space behind it, 0 if s starts
// with no time.
func (c *clock) read(s string) (at stamp, next int) {
	if len(s) < 19 || s[10] != ' ' {
		return at, 0
	}
	seconds, ok := c.seconds(s)
	if !ok {
		return at, 0
	}
	i := 19
	at.nanos, i = fraction(s, i)
	at.millis = i > 19
	if i+6 <= len(s) && (s[i+1] == '+' || s[i+1] == '-') && s[i] == ' ' && (i+6 == len(s) || s[i+6] == ' ') {
		if offset, ok := zoneOffset(s[i+1:i+6], s[i+4:i+6]); ok {
			at.zone, at.unix = c.fixedZone(offset), seconds-offset
			return at, after(s, i+6)
		}
	}
	if i < len(s) && s[i] != ' ' {
		return at, 0
	}
	c.place(&at, seconds)
	return at, after(s, i)
}

// after returns the index behind the space at s[i].
func after(s string, i int) int { return min(i+1, len(s)) }

// seconds reads "2026-11-23 08:27:00" (or with a T) as Unix seconds, as if it were UTC. s has at least 19 bytes.
func (c *clock) seconds(s string) (int64, bool) {
	if (word(s) != c.hour[0] || word(s[5:]) != c.hour[1]) && !c.enter(s) {
		return 0, false
	}
	minute, ok1 := twoDigits(s[14:])
	second, ok2 := twoDigits(s[17:])
	if !ok1 || !ok2 || s[13] != ':' || s[16] != ':' || minute > 59 || second > 60 {
		return 0, false
	}
	return c.civil + int64(minute)*60 + int64(second), true
}

// enter computes what holds for the hour that s begins with.
func (c *clock) enter(s string) bool {
	century, ok1 := twoDigits(s)
	year, ok2 := twoDigits(s[2:])
	month, ok3 := twoDigits(s[5:])
	day, ok4 := twoDigits(s[8:])
	hour, ok5 := twoDigits(s[11:])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || s[4] != '-' || s[7] != '-' || century < 19 || month < 1 || hour > 23 {
		return false
	}
	t := time.Date(century*100+year, time.Month(month), day, hour, 0, 0, 0, time.UTC)
	if t.Day() != day || int(t.Month()) != month {
		return false
	}
	c.hour = [2]uint64{word(s), word(s[5:])}
	c.civil = t.Unix()
	first, _, n := c.offsets(c.civil)
	end, _, m := c.offsets(c.civil + 3599)
	c.offset, c.regular = first, n == 1 && m == 1 && first == end
	return true
}

// place turns local seconds into a time of the parser's zone, or two where the hour is repeated.
func (c *clock) place(at *stamp, seconds int64) {
	at.zone = c.zone
	if c.regular && seconds-c.civil < 3600 && seconds >= c.civil {
		at.unix = seconds - c.offset
		return
	}
	first, second, n := c.offsets(seconds)
	at.unix = seconds - first
	if n == 2 {
		at.second = seconds - second
	}
}

// offsets returns the offsets of the zone that are valid for a local time: two in a repeated hour, the one that makes
// the earlier time first. For a local time that the clock skipped it returns the offset of about that time.
func (c *clock) offsets(local int64) (first, second int64, n int) {
	near := time.Unix(local-c.offsetAt(local), 0).In(c.zone)
	start, end := near.ZoneBounds()
	_, offset := near.Zone()
	candidates := [3]int64{int64(offset), int64(offset), int64(offset)}
	if !start.IsZero() {
		candidates[0] = c.offsetAt(start.Unix() - 1)
	}
	if !end.IsZero() {
		candidates[2] = c.offsetAt(end.Unix())
	}
	for _, o := range candidates {
		if c.offsetAt(local-o) != o || n > 0 && o == first {
			continue
		}
		first, second, n = o, first, n+1
	}
	switch n {
	case 0:
		return candidates[1], 0, 1
	case 1:
		return first, 0, 1
	}
	return max(first, second), min(first, second), 2
}

func (c *clock) offsetAt(unix int64) int64 {
	_, offset := time.Unix(unix, 0).In(c.zone).Zone()
	return int64(offset)
}

// settle decides what a stamp left open, with the line's message id where it has one, and returns the time.
func (c *clock) settle(at *stamp, id string, arrival bool) time.Time {
	if at.month != 0 && !c.addYear(at, id) {
		return time.Time{}
	}
	if at.second != 0 && c.isSecond(at, id, arrival) {
		at.unix = at.second
	}
	c.last = at.unix
	return time.Unix(at.unix, at.nanos).In(at.zone)
}

// isSecond tells whether an ambiguous time belongs to the second of its two hours.
func (c *clock) isSecond(at *stamp, id string, arrival bool) bool {
	if id != "" {
		born := idSeconds(id)
		if born > at.unix+backward && born <= at.second+backward {
			return true // no line is older than its message
		}
		if arrival && born >= at.unix-backward && born <= at.unix+backward {
			return false
		}
	}
	return at.unix < c.last-backward && c.last < at.second+3600
}

// addYear finds the year of a time that bears none: the one that follows the birth of the message, else the last that
// is not after the latest time that is known. It reports whether anything was known.
func (c *clock) addYear(at *stamp, id string) bool {
	const day = 24 * 3600
	known := c.last
	switch {
	case id != "": // within the year that begins some days before it
		known = idSeconds(id) + 360*day
	case !c.latest.IsZero():
		known = c.latest.Unix()
	case known == 0:
		return false
	}
	year := time.Unix(known+day, 0).In(c.zone).Year()
	midnight := time.Date(year, at.month, at.day, 0, 0, 0, 0, time.UTC).Unix()
	if midnight+at.unix-c.offsetAt(midnight) > known+day {
		midnight = time.Date(year-1, at.month, at.day, 0, 0, 0, 0, time.UTC).Unix()
	}
	c.place(at, midnight+at.unix)
	return true
}

// fixedZone returns the zone for an offset in seconds. A log keeps to one or two of them, so the last one is kept.
func (c *clock) fixedZone(offset int64) *time.Location {
	if c.fixed == nil || offset != c.fixedOffset {
		c.fixed, c.fixedOffset = time.FixedZone("", int(offset)), offset
	}
	return c.fixed
}

// zoneOffset reads "+0530" (sign and hours, and minutes apart so that "+05:30" can be read too) as seconds.
func zoneOffset(signed, minutes string) (int64, bool) {
	h, ok1 := twoDigits(signed[1:])
	m, ok2 := twoDigits(minutes)
	if !ok1 || !ok2 || h > 15 || m > 59 {
		return 0, false
	}
	offset := int64(h)*3600 + int64(m)*60
	if signed[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// fraction reads ".638" at s[i:] as nanoseconds.
func fraction(s string, i int) (nanos int64, next int) {
	if i >= len(s) || s[i] != '.' {
		return 0, i
	}
	unit := int64(time.Second)
	for i++; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		unit /= 10
		nanos += int64(s[i]-'0') * unit
	}
	return nanos, i
}

// twoDigits reads the two digits that s, which has at least two bytes, begins with.
func twoDigits(s string) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}
