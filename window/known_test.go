package window

import (
	"testing"

	"pgregory.net/rapid"
)

func TestKnownAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, want := NewKnown(100_000), map[uint64]bool{}
		now := Seconds(1_700_000_000)
		for _, v := range rapid.SliceOfN(rapid.Uint64Range(0, 5000), 0, 4000).Draw(t, "values") {
			h := Mix(v)
			if got := k.Add(h, now); got != want[h] {
				t.Fatalf("Add(%d) says known %v, want %v", v, got, want[h])
			}
			want[h] = true
			now += 60
		}
		for v := range uint64(5000) {
			if got := k.Has(Mix(v)); got != want[Mix(v)] {
				t.Fatalf("Has(%d) = %v, want %v", v, got, want[Mix(v)])
			}
		}
		if k.Len() != len(want) {
			t.Fatalf("%d members, want %d", k.Len(), len(want))
		}
	})
}

func TestKnownForgetsTheOldest(t *testing.T) {
	const limit = 6000
	k := NewKnown(limit)
	now := Seconds(1_700_000_000)
	for v := range uint64(10 * limit) {
		k.Add(Mix(v), now)
		now += 3600
	}
	recent, old := 0, 0
	for v := range uint64(1000) {
		if k.Has(Mix(10*limit - 1 - v)) {
			recent++
		}
		if k.Has(Mix(v)) {
			old++
		}
	}
	if recent < 990 || old > 10 {
		t.Errorf("of the 1000 newest %d are known, of the 1000 oldest %d", recent, old)
	}
	if got := len(k.cells); got > 2*limit {
		t.Errorf("%d cells for a limit of %d", got, limit)
	}
}

func TestKnownIsKeptInPages(t *testing.T) {
	k := NewKnown(50_000)
	for v := range uint64(20_000) {
		k.Add(Mix(v), 1_700_000_000)
	}
	again := NewKnown(50_000)
	k.Changed(func(_ int, cells []uint64) { again.Load(cells) })
	for v := range uint64(20_000) {
		if !again.Has(Mix(v)) {
			t.Fatalf("%d is lost", v)
		}
	}
	pages := 0
	k.Add(Mix(20_001), 1_700_000_000)
	k.Changed(func(int, []uint64) { pages++ })
	if pages != 1 {
		t.Errorf("one addition changed %d pages", pages)
	}
}
