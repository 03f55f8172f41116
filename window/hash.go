package window

import "math/bits"

// The multipliers are those of wyhash (public domain): odd, with an even spread of bits.
const (
	prime0 = 0xa0761d6478bd642f
	prime1 = 0xe7037ed1a0b428db
	prime2 = 0x8ebc6af09c88c6e3
)

// fold lower-cases ASCII letters, eight at a time. It also maps a few other characters onto each other ("@" and "`"),
// which is no harm in a hash.
const fold = 0x2020202020202020

// Hash of a text without regard to the case of ASCII letters; it is stable over restarts, and the same for nobody who
// does not know the seed. It allocates nothing.
func Hash(seed uint64, s string) uint64 {
	h, whole := seed^prime0^uint64(len(s))*prime1, s
	for len(s) >= 8 {
		h = mum(h^(word(s)|fold), prime1)
		s = s[8:]
	}
	var w uint64
	switch {
	case len(s) == 0:
	case len(whole) >= 8:
		w = (word(whole[len(whole)-8:]) | fold) >> (64 - 8*len(s))
	default:
		for i := len(s) - 1; i >= 0; i-- {
			w = w<<8 | uint64(s[i]|0x20)
		}
	}
	return mum(h^w, prime2)
}

// word is the first eight bytes of s as one number.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 |
		uint64(s[6])<<48 | uint64(s[7])<<56
}

// Mix spreads the bits of a number over all 64.
func Mix(x uint64) uint64 { return mum(mum(x^prime0, prime1)^prime2, prime0) }

// Pair is the hash of two hashes, in order.
func Pair(a, b uint64) uint64 { return mum(a^prime2, b^prime1) }

func mum(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
