package enrich

import (
	"hash/maphash"
	"sync/atomic"
)

// memo remembers which row the words of a text lead to, by their fingerprint. Any goroutine may use it: a cell is one number,
// the fingerprint's upper 48 bits and the row. Two texts that share these would be taken for each other; who writes a text can't
// make that happen, since the fingerprint has a seed.
type memo struct {
	seed  maphash.Seed
	cells []atomic.Uint64
}

const (
	memoCells = 4096 // 32 KB
	rowBits   = 16
	kept      = 2 // is added to a row, none (0xffff) too, so that an empty cell is none of them
)

func newMemo() memo { return memo{seed: maphash.MakeSeed(), cells: make([]atomic.Uint64, memoCells)} }

// print is the fingerprint of the words of a text.
func (m *memo) print(text string, own [2]string) uint64 {
	h := uint64(1)
	for words := newWords(text, own); words.next(); {
		h = (h ^ maphash.String(m.seed, words.word)) * 0x9e3779b97f4a7c15
	}
	return h ^ h>>32
}

// row is what the words with this fingerprint led to.
func (m *memo) row(print uint64) (row uint16, known bool) {
	cell := m.cells[print%memoCells].Load()
	return uint16(cell) - kept, uint16(cell) != 0 && cell>>rowBits == print>>rowBits
}

// keep remembers it, in the place of whatever was there.
func (m *memo) keep(print uint64, row uint16) {
	m.cells[print%memoCells].Store(print>>rowBits<<rowBits | uint64(row+kept))
}
