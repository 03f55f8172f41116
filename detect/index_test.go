package detect

import (
	"testing"

	"pgregory.net/rapid"
)

// TestIndexAgainstMap: rows come and go, as in a map.
func TestIndexAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, want := newIndex[*account](), map[uint64]*account{}
		for _, hash := range rapid.SliceOfN(rapid.Uint64Range(0, 1500), 0, 4000).Draw(t, "hashes") {
			if hash == 1 {
				continue // is that of 0
			}
			if want[hash] != nil && hash%3 == 0 {
				delete(want, hash)
				x.remove(hash)
				continue
			}
			want[hash] = &account{}
			x.put(hash, want[hash])
		}
		if x.used != len(want) {
			t.Fatalf("%d rows, want %d", x.used, len(want))
		}
		for hash := range uint64(1500) {
			if got, ok := x.get(hash); hash != 1 && (got != want[hash] || ok != (got != nil)) {
				t.Fatalf("%d: %p, want %p", hash, got, want[hash])
			}
		}
	})
}
