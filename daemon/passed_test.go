package daemon

import (
	"fmt"
	"testing"
)

func TestPassedRemembersTheLatest(t *testing.T) {
	var p passed
	id := func(n int) string { return fmt.Sprintf("1xVPOh-%06d-0A", n) }
	if p.has(id(0)) {
		t.Error("what never was is remembered")
	}
	p.remove(id(0)) // of nothing
	const messages, recent = 600_000, 10_000
	for n := range messages {
		if p.add(id(n)); n%1000 == 0 {
			p.add(id(n)) // asked again: it takes nobody's place
		}
		if n%3 == 0 {
			p.remove(id(n))
		}
	}
	for n := messages - recent; n < messages; n++ {
		if got, want := p.has(id(n)), n%3 != 0; got != want {
			t.Fatalf("%s is remembered: %v, want %v", id(n), got, want)
		}
	}
	kept := 0
	for n := range messages - 4*passedRows*passedRow {
		if p.has(id(n)) {
			kept++
		}
	}
	if len(p.rows) != passedRows || kept > 10 {
		t.Errorf("%d rows, and %d messages of long ago: nothing is forgotten", len(p.rows), kept)
	}
}
