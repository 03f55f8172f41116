package exim

import (
	"math/bits"
	"net/netip"
)

// ParseIP reads an address as Exim logs it: an IPv4 address mapped into IPv6 is the IPv4 address. ok is false where s is none.
//
// Nearly all are IPv4, a good part of a log's work, and their numbers have one to three digits as it comes, which a processor
// can't foresee. So each number is read as a whole, without a branch on its length.
func ParseIP(s string) (a netip.Addr, ok bool) {
	if v4, ok := dotted(s); ok {
		return netip.AddrFrom4(v4), true
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// dotted reads an IPv4 address. It is false for those of 7 bytes too, which are rare.
func dotted(s string) (a [4]byte, ok bool) {
	n := len(s)
	if n < 8 || n > len("255.255.255.255") {
		return a, false
	}
	found := dotsIn(word(s)) | dotsIn(word(s[n-8:]))<<uint(n-8)
	first, second, third := bits.TrailingZeros(found), bits.TrailingZeros(found&(found-1)), bits.Len(found)-1
	if bits.OnesCount(found) != 3 || first == 0 {
		return a, false
	}
	bad := uint32(0)
	a[0] = octet(s, first, first, &bad)
	a[1] = octet(s, second, second-first-1, &bad)
	a[2] = octet(s, third, third-second-1, &bad)
	a[3] = octet(s, n, n-third-1, &bad)
	return a, bad == 0
}

// dotsIn has a bit for each byte of w that is a dot (or a slash, the character next to it, right behind a dot).
func dotsIn(w uint64) uint {
	return uint(zeros(w^dots) >> 7 * 0x0102040810204080 >> 56)
}

// octet reads the number of so many digits before s[end], and sets bits in bad where there is none. s has 8 bytes at least.
func octet(s string, end, digits int, bad *uint32) byte {
	if digits < 1 || digits > 3 {
		*bad = 1
		return 0
	}
	var d uint32 // four bytes, the last digit in the highest
	if end < 4 {
		d = uint32(word(s)) << uint(32-8*end)
	} else {
		d = uint32(s[end-4]) | uint32(s[end-3])<<8 | uint32(s[end-2])<<16 | uint32(s[end-1])<<24
	}
	d ^= 0x30303000                      // digits become their values
	d &= ^uint32(0) << uint(32-8*digits) // and the bytes before them zero
	value := d>>8&0xff*100 + d>>16&0xff*10 + d>>24
	*bad |= (d + 0x76767600 | d) & 0x80808000 // greater than 9
	*bad |= value &^ 0xff
	if digits > 1 && d>>uint(32-8*digits)&0xff == 0 {
		*bad = 1 // a leading zero
	}
	return byte(value)
}
