package web

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// What many ask at the same moment is asked once; a failure is nobody else's; what is old is asked again.
func TestRecall(t *testing.T) {
	var m memory
	now, asked := time.Now(), 0
	begun, goOn := make(chan struct{}), make(chan struct{})
	ask := func() (int, error) {
		asked++
		close(begun)
		<-goOn
		return 7, nil
	}
	var all sync.WaitGroup
	all.Go(func() {
		if n, err := recall(t.Context(), &m, "a", now, time.Second, ask); n != 7 || err != nil {
			t.Error(n, err)
		}
	})
	<-begun
	for range 20 {
		all.Go(func() {
			n, err := recall(t.Context(), &m, "a", now, time.Second, func() (int, error) { return 0, errors.New("asked twice") })
			if n != 7 || err != nil {
				t.Error(n, err)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := recall(gone, &m, "a", now, time.Second, ask); !errors.Is(err, context.Canceled) {
		t.Errorf("one who has gone away waits: %v", err)
	}
	close(goOn)
	all.Wait()
	other := func() (int, error) { return 8, nil }
	for what, one := range map[string]struct {
		key  string
		at   time.Time
		want int
	}{"the same": {"a", now.Add(time.Second), 7}, "another": {"b", now, 8}} {
		if n, err := recall(t.Context(), &m, one.key, one.at, time.Second, other); n != one.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", what, n, err, one.want)
		}
	}
	if _, err := recall(t.Context(), &m, "bad", now, time.Second, func() (int, error) { return 0, errors.New("broken") }); err == nil {
		t.Error("a failure is not told")
	}
	if n, err := recall(t.Context(), &m, "bad", now, time.Second, other); n != 8 || err != nil {
		t.Errorf("a failure is remembered: %d, %v", n, err)
	}
	if n, err := recall(t.Context(), &m, "a", now.Add(2*time.Second), time.Second, other); n != 8 || err != nil || asked != 1 {
		t.Errorf("what is old is not asked again: %d, %v", n, err)
	}
}
