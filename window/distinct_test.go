package window

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestDistinctAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d, first, second Distinct
		seen := map[uint64]bool{}
		n := rapid.IntRange(0, 4000).Draw(t, "n")
		spread := rapid.Uint64Range(1, 10_000).Draw(t, "spread")
		start := rapid.Uint64().Draw(t, "start")
		for i := range uint64(n) {
			v := start + Mix(i)%spread // neighbours, as weak hashes are
			d.Add(v)
			if i%2 == 0 {
				first.Add(v)
			} else {
				second.Add(v)
			}
			seen[v] = true
		}
		first.Merge(&second)
		want := float64(len(seen))
		for name, got := range map[string]int{"added": d.Count(), "merged": first.Count()} {
			if want <= exactLimit && got != len(seen) {
				t.Fatalf("%s: %d, want %d exactly", name, got, len(seen))
			}
			if math.Abs(float64(got)-want) > 0.33*want { // five standard errors
				t.Fatalf("%s: %d, want about %g", name, got, want)
			}
		}
	})
}

func TestDistinctReset(t *testing.T) {
	var d Distinct
	for i := range uint64(1000) {
		d.Add(Mix(i))
	}
	if d.Reset(); d.Count() != 0 {
		t.Errorf("%d after Reset", d.Count())
	}
	if !d.Add(7) || d.Add(7) || d.Count() != 1 {
		t.Error("a value counts once after Reset")
	}
}
