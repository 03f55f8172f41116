package window

import "math"

// Seconds since the Unix epoch, as small as they need to be kept: good until 2106.
type Seconds = uint32

// A clock that was wrong by more than this is believed to have been set right; less is daylight saving or disorder.
const rewind = 2 * 3600

// Elapsed tells how many seconds lie between two times. Times that run backwards count as no time at all.
func Elapsed(from, to Seconds) Seconds {
	if to <= from {
		return 0
	}
	return to - from
}

// Later is the time up to which something was brought up to date: it never goes back, except where the old time lay so
// far ahead that the clock must have been wrong.
func Later(old, now Seconds) Seconds {
	if now < old && old-now < rewind {
		return old
	}
	return now
}

// Fade is the part that is left after some seconds of a weight that halves every halfLife seconds, right to 4 digits.
func Fade(elapsed Seconds, halfLife float64) float32 {
	if elapsed == 0 {
		return 1
	}
	x := float64(elapsed) / halfLife
	if x > 100 {
		return 0
	}
	whole := int(x)
	f := float32(x - float64(whole))
	// The series of 2^-f: math.Exp2 takes several times as long and this is on the path of every message.
	part := 1 + f*(-0.693147+f*(0.240227+f*(-0.055504+f*(0.009618+f*-0.001194))))
	return part * math.Float32frombits(uint32(127-whole)<<23)
}

// Decayed is a sum whose old parts lose half of their weight every half-life, which the caller gives each time: 8 bytes.
type Decayed struct {
	Sum float32
	At  Seconds
}

// Add brings the sum up to now and adds n.
func (d *Decayed) Add(now Seconds, halfLife float64, n float32) {
	d.Sum = d.Value(now, halfLife) + n
	d.At = Later(d.At, now)
}

// Value is the sum as of now.
func (d *Decayed) Value(now Seconds, halfLife float64) float32 {
	if d.Sum == 0 {
		return 0
	}
	return d.Sum * Fade(Elapsed(d.At, now), halfLife)
}
