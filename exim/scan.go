package exim

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Most words of a line are shorter than what a search in the processor's widest registers pays for, and half of the work of
// reading a log is to find their ends. So they are searched eight bytes at a time.

const (
	spaces = 0x2020202020202020
	quotes = 0x2222222222222222
	dots   = 0x2e2e2e2e2e2e2e2e
	lows   = 0x0101010101010101
	highs  = 0x8080808080808080
)

// zeros has the highest bit of the first byte of w that is zero, and of none before it; those behind it may be wrong.
func zeros(w uint64) uint64 { return (w - lows) &^ w & highs }

// word is the 8 bytes that s begins with as one number.
func word(s string) uint64 {
	_ = s[7]
	return wordAt(s, 0)
}

// wordAt is word(s[i:]); the caller has made sure that i+8 is at most len(s).
func wordAt(s string, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(s)), i))[:])
}

// spaceAt is the index of the first space from s[i] on, len(s) where there is none.
func spaceAt(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if found := zeros(wordAt(s, i) ^ spaces); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(s) && s[i] != ' ' {
		i++
	}
	return i
}

// spaceOrQuoteAt is the same, and tells whether a quote comes before.
func spaceOrQuoteAt(s string, i int) (at int, quote bool) {
	for ; i+8 <= len(s); i += 8 {
		w := wordAt(s, i)
		found, quoted := zeros(w^spaces), zeros(w^quotes)
		if found != 0 {
			before := found&-found - 1
			return i + bits.TrailingZeros64(found)/8, quote || quoted&before != 0
		}
		quote = quote || quoted != 0
	}
	for i < len(s) && s[i] != ' ' {
		quote = quote || s[i] == '"'
		i++
	}
	return i, quote
}
