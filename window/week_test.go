package window

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLevelsAreWithinNinePercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float32Range(0, 1e6).Draw(t, "value")
		if got := FromLevel(ToLevel(v)); math.Abs(float64(got-v)) > 0.05*float64(v+1) {
			t.Fatalf("%g comes back as %g", v, got)
		}
	})
}

func TestStepNeverLeavesTheScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, to := rapid.Uint8().Draw(t, "old"), rapid.Uint8().Draw(t, "to")
		up, down := rapid.Float64Range(0, 1).Draw(t, "up"), rapid.Float64Range(0, 1).Draw(t, "down")
		if got := Step(old, to, up, down); got < min(old, to) || got > max(old, to) {
			t.Fatalf("from %d to %d it steps to %d", old, to, got)
		}
	})
}

// A newsletter every Tuesday at nine is usual at nine on Tuesdays, and one wild hour is no habit.
func TestWeekLearnsAHabitAndNotAnOutlier(t *testing.T) {
	var w Week
	monday := Seconds(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix()) / 3600
	for hour := monday; hour < monday+4*168; hour++ {
		switch (hour - monday) % 168 {
		case 24 + 9:
			w.Learn(hour, 1000)
		case 10, 34, 58, 82, 106:
			w.Learn(hour, 5)
		default:
			w.Quiet(hour, hour+1)
		}
	}
	next := monday + 4*168
	if got := w.Usual(next + 24 + 9); got < 700 || got > 1300 {
		t.Errorf("usual on Tuesday at nine: %g, want about 1000", got)
	}
	if got := w.Usual(next + 58); got > 10 {
		t.Errorf("usual on Wednesday at ten: %g, want about 5", got)
	}
	w.Learn(next+58, 4000)
	w.Learn(next+168+58, 5)
	w.Learn(next+2*168+58, 5)
	w.Learn(next+3*168+58, 5)
	if got := w.Usual(next + 4*168 + 58); got > 400 {
		t.Errorf("three weeks after an outlier of 4000, %g is usual", got)
	}
}

func TestQuietOfYearsTakesNoTime(t *testing.T) {
	var w Week
	w.Learn(500_000, 100)
	w.Quiet(500_001, 4_000_000_000)
	if w.Usual(500_000+168) >= 100 {
		t.Error("a long silence leaves the level as it was")
	}
}

func TestHourOfWeek(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want int
	}{{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 72}, {time.Date(2026, 3, 2, 0, 59, 0, 0, time.UTC), 0},
		{time.Date(2026, 3, 8, 23, 0, 0, 0, time.UTC), 167}} {
		if got, _ := HourOf(Seconds(c.at.Unix())); got != c.want {
			t.Errorf("HourOf(%v) = %d, want %d", c.at, got, c.want)
		}
	}
}

func TestHashFoldsCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-zA-Z0-9.@-]{0,40}`).Draw(t, "s")
		lower := []byte(s)
		for i, c := range lower {
			if c >= 'A' && c <= 'Z' {
				lower[i] = c | 0x20
			}
		}
		if Hash(1, s) != Hash(1, string(lower)) {
			t.Fatalf("%q and %q differ", s, lower)
		}
		if Hash(1, s) == Hash(2, s) || Hash(1, s) == Hash(1, s+"x") {
			t.Fatalf("%q collides", s)
		}
	})
}
