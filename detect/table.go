package detect

import "osm/window"

// row is what all rows of a table have in common.
type row struct {
	hash  uint64
	last  window.Seconds // last used
	dirty bool           // changed since it was saved
	saved bool           // it was handed out, or came from the store
	gone  bool           // forgotten
}

func (r *row) base() *row { return r }

// table holds rows by hash, up to a limit: then the one unused for longest among a few makes room, so that the cost of an
// addition does not grow with the table.
type table[T interface{ base() *row }] struct {
	limit int
	index index[T]
	ring  []T
	hand  int
	dirty []T
	gone  []uint64 // hashes of forgotten rows that the store has, until it is told
}

func newTable[T interface{ base() *row }](limit int) table[T] {
	return table[T]{limit: max(limit, victims), index: newIndex[T]()}
}

const victims = 16 // rows looked at to find one to forget

// add makes room for a row; it counts as saved until it is touched.
func (t *table[T]) add(v T) {
	r := v.base()
	if len(t.ring) < t.limit {
		t.ring = append(t.ring, v)
	} else {
		at := t.victim()
		old := t.ring[at].base()
		t.index.remove(old.hash)
		if old.saved {
			t.gone = append(t.gone, old.hash)
		}
		old.gone, old.dirty = true, true // which keeps it out of the list of changes
		t.ring[at] = v
	}
	t.index.put(r.hash, v)
}

func (t *table[T]) victim() int {
	best := t.hand
	for range victims {
		t.hand = (t.hand + 1) % len(t.ring)
		if t.ring[t.hand].base().last < t.ring[best].base().last {
			best = t.hand
		}
	}
	return best
}

// touch notes that a row was used and changed.
func (t *table[T]) touch(v T, now window.Seconds) {
	r := v.base()
	r.last = window.Later(r.last, now)
	if !r.dirty {
		r.dirty = true
		if len(t.dirty) >= t.limit+t.limit/4 {
			t.compact()
		}
		t.dirty = append(t.dirty, v)
	}
}

// compact takes forgotten rows off the list of changes, which would keep them in memory where nobody asks for the changes, as in a
// replay.
func (t *table[T]) compact() {
	kept := t.dirty[:0]
	for _, v := range t.dirty {
		if now, ok := t.index.get(v.base().hash); ok && now.base() == v.base() {
			kept = append(kept, v)
		}
	}
	clear(t.dirty[len(kept):])
	t.dirty = kept
}

// changed hands out the rows that changed and the hashes of those forgotten, once.
func (t *table[T]) changed(row func(T), gone func(hash uint64)) {
	for _, h := range t.gone {
		if _, back := t.index.get(h); !back {
			gone(h)
		}
	}
	for _, v := range t.dirty {
		r := v.base()
		if now, ok := t.index.get(r.hash); ok && now.base() == r {
			row(v)
			r.dirty, r.saved = false, true
		}
	}
	t.gone, t.dirty = t.gone[:0], t.dirty[:0]
}
