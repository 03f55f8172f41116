package track

import (
	"math/rand/v2"

	"osm/exim"
)

// index finds the slots of message ids: a table with open addressing, since a map's hashing and comparing of whole ids would be a
// good part of the work of tying. The ids are those of the log, which strangers can have a hand in: the hash has a seed.
type index struct {
	cells []*slot // a power of two, at most half of them used
	used  int
	seed  uint64
}

func newIndex() index { return index{cells: make([]*slot, 1024), seed: rand.Uint64() | 1} }

// at is where the search for a key begins.
func (x *index) at(k exim.Key) int {
	h := (k.A ^ x.seed) * 0x9e3779b97f4a7c15
	h = (h ^ h>>29 ^ k.B) * x.seed
	h = (h ^ h>>32 ^ k.C) * 0xe7037ed1a0b428db
	return int(h>>32) & (len(x.cells) - 1)
}

// get finds a slot, nil where there is none.
func (x *index) get(k exim.Key) *slot {
	for i := x.at(k); ; i = (i + 1) & (len(x.cells) - 1) {
		if s := x.cells[i]; s == nil || s.key == k {
			return s
		}
	}
}

// put adds a slot whose key the index does not have, or replaces the one that has it.
func (x *index) put(s *slot) {
	if 2*x.used >= len(x.cells) {
		x.grow()
	}
	i := x.at(s.key)
	for x.cells[i] != nil && x.cells[i].key != s.key {
		i = (i + 1) & (len(x.cells) - 1)
	}
	if x.cells[i] == nil {
		x.used++
	}
	x.cells[i] = s
}

// remove takes a slot out. Those behind it move up, so that none is searched for beyond an empty cell.
func (x *index) remove(s *slot) {
	mask := len(x.cells) - 1
	i := x.at(s.key)
	for x.cells[i] != s {
		if x.cells[i] == nil {
			return
		}
		i = (i + 1) & mask
	}
	x.used--
	for next := (i + 1) & mask; ; next = (next + 1) & mask {
		moved := x.cells[next]
		if moved == nil {
			break
		}
		if home := x.at(moved.key); (next-home)&mask >= (next-i)&mask {
			x.cells[i], i = moved, next
		}
	}
	x.cells[i] = nil
}

func (x *index) grow() {
	old := x.cells
	x.cells, x.used = make([]*slot, 2*len(old)), 0
	for _, s := range old {
		if s != nil {
			x.put(s)
		}
	}
}
