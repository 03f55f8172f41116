package detect

import (
	"testing"

	"osm/window"
)

// TestChangesAreBounded: rows come and go, and nobody asks what has changed. The list of changes does not hold on to those that
// are forgotten, and has those that are there.
func TestChangesAreBounded(t *testing.T) {
	const limit = 64
	rows := newTable[*account](limit)
	for i := range 100 * limit {
		a := &account{row: row{hash: uint64(i), last: window.Seconds(i)}}
		rows.add(a)
		rows.touch(a, window.Seconds(i))
		if n := len(rows.dirty); n > 2*limit {
			t.Fatalf("%d changes are held after %d rows, in a table of %d", n, i+1, limit)
		}
	}
	there := map[uint64]bool{}
	rows.changed(func(a *account) { there[a.hash] = true }, func(uint64) {})
	if len(there) != limit {
		t.Errorf("%d rows have changed, want all %d", len(there), limit)
	}
	for hash := range there {
		if _, ok := rows.index.get(hash); !ok {
			t.Errorf("row %d has changed and is not there", hash)
		}
	}
}
