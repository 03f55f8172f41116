package window

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestFade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elapsed := rapid.Uint32Range(0, 400*86400).Draw(t, "elapsed")
		half := rapid.Float64Range(60, 30*86400).Draw(t, "half-life")
		want := math.Exp2(-float64(elapsed) / half)
		if got := float64(Fade(elapsed, half)); math.Abs(got-want) > 2e-4*want+1e-30 {
			t.Fatalf("Fade(%d, %g) = %g, want %g", elapsed, half, got, want)
		}
	})
}

func TestDecayedAgainstSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Decayed
		now, want := Seconds(1_800_000_000), 0.0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			past := rapid.Uint32Range(0, 4*3600).Draw(t, "past")
			n := rapid.Float32Range(0, 100).Draw(t, "n")
			now += past
			want = want*math.Exp2(-float64(past)/3600) + float64(n)
			d.Add(now, 3600, n)
		}
		if got := float64(d.Value(now, 3600)); math.Abs(got-want) > 0.01*want+0.001 {
			t.Fatalf("%g, want %g", got, want)
		}
	})
}

func TestDecayedSurvivesAWrongClock(t *testing.T) {
	var d Decayed
	d.Add(1_900_000_000, 3600, 8) // years ahead
	d.Add(1_800_000_000, 3600, 0) // and set right
	if got := d.Value(1_800_003_600, 3600); got < 3.9 || got > 4.1 {
		t.Errorf("an hour after the clock was set right it holds %g of 8, want 4", got)
	}
	d = Decayed{}
	d.Add(1_800_000_000, 3600, 8)
	d.Add(1_799_996_400, 3600, 1) // an hour back: daylight saving ends
	if got := d.Value(1_800_000_000, 3600); got != 9 {
		t.Errorf("after an hour was repeated it holds %g, want 9", got)
	}
}
