package detect

import "math/rand/v2"

// index finds rows by their hash: a table with open addressing, where a map would wait for memory twice. The hashes are of names
// that strangers choose: where one is depends on a random number too.
type index[T any] struct {
	cells  []cell[T] // a power of two, at most half of them used
	used   int
	shift  uint8  // leaves as many bits as there are cells
	spread uint64 // odd
}

// cell is a row's place; hash 0 is an empty one.
type cell[T any] struct {
	hash uint64
	row  T
}

const indexBits = 10 // of a new index

func newIndex[T any]() index[T] {
	return index[T]{cells: make([]cell[T], 1<<indexBits), shift: 64 - indexBits, spread: rand.Uint64() | 1}
}

// at is the place of a hash, or the empty one where its search ends.
func (x *index[T]) at(hash uint64) int {
	mask := len(x.cells) - 1
	i := x.home(hash)
	for x.cells[i].hash != hash && x.cells[i].hash != 0 {
		i = (i + 1) & mask
	}
	return i
}

func (x *index[T]) home(hash uint64) int { return int(hash * x.spread >> x.shift) }

// get finds a row.
func (x *index[T]) get(hash uint64) (row T, ok bool) {
	c := &x.cells[x.at(max(hash, 1))]
	return c.row, c.hash != 0
}

// put adds a row, or puts it in the place of the one with its hash.
func (x *index[T]) put(hash uint64, row T) {
	if 2*x.used >= len(x.cells) {
		x.grow()
	}
	hash = max(hash, 1)
	c := &x.cells[x.at(hash)]
	if c.hash == 0 {
		x.used++
	}
	*c = cell[T]{hash, row}
}

// remove takes a row out. Those behind it move up, so that none is searched for beyond an empty cell.
func (x *index[T]) remove(hash uint64) {
	mask := len(x.cells) - 1
	i := x.at(max(hash, 1))
	if x.cells[i].hash == 0 {
		return
	}
	x.used--
	for next := (i + 1) & mask; x.cells[next].hash != 0; next = (next + 1) & mask {
		if home := x.home(x.cells[next].hash); (next-home)&mask >= (next-i)&mask {
			x.cells[i], i = x.cells[next], next
		}
	}
	x.cells[i] = cell[T]{}
}

func (x *index[T]) grow() {
	old := x.cells
	x.cells, x.used, x.shift = make([]cell[T], 2*len(old)), 0, x.shift-1
	for _, c := range old {
		if c.hash != 0 {
			x.put(c.hash, c.row)
		}
	}
}
