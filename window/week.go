package window

import (
	"encoding/binary"
	"math"
)

// Week is the usual level of something for each hour of the week, and the usual most in any hour, in 172 bytes. Levels
// follow in steps that are limited in size, so that one extraordinary hour does not become the rule, in the manner of a
// running median. Levels are kept on a logarithmic scale: within 9 % of the value.
type Week struct {
	level [168]uint8
	top   uint8 // what only few busy hours exceed
	seen  uint8 // busy hours learned from, up to 255
}

const (
	levelSteps = 8 // per doubling
	stepUp     = 0.6
	stepDown   = 0.25
)

// ToLevel is the place of a value on a logarithmic scale of 256 steps, eight for each doubling.
func ToLevel(v float32) uint8 {
	if n := int(v); n >= 0 && n < len(wholes) && float32(n) == v {
		return wholes[n]
	}
	return toLevel(v)
}

// wholes are the levels of small whole numbers, which most counts are.
var wholes = func() (t [256]uint8) {
	for n := range t {
		t[n] = toLevel(float32(n))
	}
	return t
}()

func toLevel(v float32) uint8 {
	if v <= 0 {
		return 0
	}
	return uint8(min(math.Round(math.Log2(float64(v)+1)*levelSteps), 255))
}

// FromLevel is the value at a place of the scale, within 9 % of what it was made from.
func FromLevel(l uint8) float32 { return levels[l] }

var levels = func() (t [256]float32) {
	for l := range t {
		t[l] = float32(math.Exp2(float64(l)/levelSteps) - 1)
	}
	return t
}()

// HourOf tells the hour of the week, 0 to 167, and the number of the hour since the epoch. Weeks are counted in UTC: a change
// to daylight saving time moves a habit by one hour, and Usual looks at the hours beside.
func HourOf(t Seconds) (ofWeek int, number Seconds) {
	number = t / 3600
	return int((number + 72) % 168), number // 1 January 1970 was a Thursday
}

// Learn notes that the whole hour with this number had the sum v.
func (w *Week) Learn(hour Seconds, v float32) {
	cell := &w.level[(hour+72)%168]
	*cell = Step(*cell, ToLevel(v), stepUp, stepDown)
	if v > 0 {
		w.top = Step(w.top, ToLevel(v), 0.5, 0.02)
		if w.seen < 255 {
			w.seen++
		}
	}
}

// Quiet notes that the hours from the first up to, not including, the last had nothing. More than a week of them counts as
// one week: long silence is a holiday rather than a new habit.
func (w *Week) Quiet(first, last Seconds) {
	if last > first+168 {
		first = last - 168
	}
	at := (first + 72) % 168
	for h := first; h < last; h++ {
		for h+8 <= last && at+8 <= 168 && binary.LittleEndian.Uint64(w.level[at:]) == 0 { // most hours have always been quiet
			if h, at = h+8, at+8; at == 168 {
				at = 0
			}
		}
		if h == last {
			return
		}
		if cell := &w.level[at]; *cell > 0 {
			*cell = Step(*cell, 0, stepUp, stepDown)
		}
		if at++; at == 168 {
			at = 0
		}
	}
}

// Step moves a level towards another by a part of the distance, up or down: with unequal parts it follows a quantile.
func Step(old, target uint8, up, down float64) uint8 {
	diff := float64(target) - float64(old)
	if diff >= 0 {
		return uint8(float64(old) + math.Ceil(diff*up))
	}
	return uint8(float64(old) + math.Floor(diff*down))
}

// Usual is the level to expect in this hour of the week: the highest of the hour and those beside it.
func (w *Week) Usual(hour Seconds) float32 {
	h := (hour + 72) % 168
	return FromLevel(max(w.level[h], w.level[(h+1)%168], w.level[(h+167)%168]))
}

// Top is the level that only few busy hours exceed.
func (w *Week) Top() float32 { return FromLevel(w.top) }

// Hours tells how many busy hours it has learned from, up to 255.
func (w *Week) Hours() int { return int(w.seen) }

// Fields are all parts of a Week, for whoever saves it and restores it.
func (w *Week) Fields() []*uint8 {
	all := make([]*uint8, 0, len(w.level)+2)
	for i := range w.level {
		all = append(all, &w.level[i])
	}
	return append(all, &w.top, &w.seen)
}
