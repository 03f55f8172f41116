package exim

import (
	"encoding/binary"
	"time"
)

// Exim writes numbers in ids with the digits 0-9A-Za-z (base 62). Systems whose file names ignore case use base 36;
// Exim decides that when it is compiled, and only for Cygwin and Darwin, so it is not looked for here.
const base = 62

// digits maps a byte to its value in base 62 plus one; 0 is no digit.
var digits = func() (t [256]uint8) {
	for i, c := range []byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[c] = uint8(i) + 1
	}
	return t
}()

// The two forms of a message id: seconds-pid-fraction, 6-6-2 digits up to Exim 4.96 and 6-11-4 from 4.97.
const (
	shortID  = 16
	longID   = 23
	secondsN = 6 // digits of the first part
)

// idAt returns the length of the message id at the start of s, 0 if there is none. An id ends at a space or at the
// end of s.
func idAt(s string) int {
	if len(s) < shortID || s[secondsN] != '-' {
		return 0
	}
	n, dash := shortID, 13
	if s[dash] != '-' {
		n, dash = longID, 18
		if len(s) < n || s[dash] != '-' {
			return 0
		}
	}
	if len(s) > n && s[n] != ' ' {
		return 0
	}
	if !allDigits(s[:secondsN]) || !allDigits(s[secondsN+1:dash]) || !allDigits(s[dash+1:n]) {
		return 0
	}
	return n
}

// allDigits has no branch for each byte: nearly always they all are.
func allDigits(s string) bool {
	other := uint8(0)
	for i := range len(s) {
		other |= digits[s[i]] - 1
	}
	return other < 0x80
}

// ValidID tells whether s is a message id in one of the two forms.
func ValidID(s string) bool { return s != "" && idAt(s) == len(s) }

// DecodeID tells when Exim began to receive the message with this id, to the second, and the pid of the process that
// received it (specification, section "Message identification"). ok is false when id is no message id. A re-sent
// message keeps its id, so only an arrival is close to it in time.
func DecodeID(id string) (t time.Time, pid int, ok bool) {
	if !ValidID(id) {
		return time.Time{}, 0, false
	}
	return time.Unix(idSeconds(id), 0), idPID(id), true
}

// idSeconds is the time part of a valid id.
func idSeconds(id string) int64 { return decode62(id[:secondsN]) }

// idPID is the process id in a valid id.
func idPID(id string) int {
	if len(id) == shortID {
		return int(decode62(id[7:13]))
	}
	return int(decode62(id[7:18]))
}

func decode62(s string) (n int64) {
	for i := 0; i < len(s); i++ {
		n = n*base + int64(digits[s[i]]-1)
	}
	return n
}

// Key is a message id, packed so that comparing and hashing it is cheap. The zero Key is that of no message. (Fields, and no array:
// the compiler keeps them in registers.)
type Key struct{ A, B, C uint64 }

// KeyOf packs an id of 16 characters (up to Exim 4.96) or 23 (from 4.97); what has another length is no id.
func KeyOf(id string) (k Key) {
	switch len(id) {
	case shortID:
		k.A, k.B = word(id[:8]), word(id[8:])
	case longID:
		k.A, k.B, k.C = word(id[:8]), word(id[8:16]), word(id[15:])
	}
	return k
}

// ID is the id that was packed.
func (k Key) ID() string {
	b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, k.A), k.B)
	if k.C != 0 {
		b = append(b[:15], binary.LittleEndian.AppendUint64(nil, k.C)...)
	}
	return string(b)
}
