package window

import (
	"testing"
	"time"
)

func TestCounterStateComesBack(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	c := NewCounter(time.Hour, 30)
	for i := range 50 {
		c.Add(at.Add(time.Duration(i)*time.Minute), uint32(i))
	}
	state := c.AppendState([]byte("x"))[1:]
	back := NewCounter(time.Hour, 30)
	if !back.LoadState(state) {
		t.Fatal("what a counter held is not taken")
	}
	for i := 50; i < 130; i += 7 {
		now := at.Add(time.Duration(i) * time.Minute)
		if got, want := back.Sum(now), c.Sum(now); got != want {
			t.Errorf("after %d minutes: %d, want %d", i, got, want)
		}
	}
}

func FuzzCounterLoadState(f *testing.F) {
	c := NewCounter(time.Minute, 4)
	c.Add(time.Unix(1_000_000, 0), 7)
	f.Add(c.AppendState(nil))
	f.Add([]byte{})
	f.Add([]byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, state []byte) {
		c := NewCounter(time.Minute, 4)
		c.Add(time.Unix(1_000_000, 0), 7)
		if !c.LoadState(state) && c.Sum(time.Unix(1_000_000, 0)) != 7 {
			t.Error("a state that is not taken changes the counter")
		}
		c.Add(time.Unix(1_000_000, 0), 1)
		c.Sum(time.Unix(2_000_000, 0))
	})
}
