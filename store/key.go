package store

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// A message is found by its Exim id without an index on text: the id becomes a number that is unique within the table
// of its day, and tells that day. Exim makes an id of the second in which reception began, its process id and a
// fraction of a second, each in base 62 (specification, chapter "How Exim receives and delivers mail", section "Message
// identification"): 6-6-2 characters, from 4.97 on 6-11-4.
const (
	digits      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secondBits  = 17 // of a day's 24 hours, 12 hours before them and 24 minutes after
	pidBits     = 22 // Linux has no larger ones
	partBits    = 24 // the fraction: 62^4 long ones, then 62^2 short ones
	longParts   = 62 * 62 * 62 * 62
	daySeconds  = 24 * 60 * 60
	earlySecond = daySeconds / 2 // how long before its day an arrival may have begun
)

// eximID is an id taken apart.
type eximID struct {
	second int64 // Unix time
	rest   int64 // process id and fraction
}

// parseID takes an id of either length apart. It reports false for one that Exim on Linux would not make.
func parseID(id string) (eximID, bool) {
	var pid, part int64
	switch {
	case len(id) == 16 && id[6] == '-' && id[13] == '-':
		pid, part = base62(id[7:13]), base62(id[14:])
		if part >= 0 {
			part += longParts
		}
	case len(id) == 23 && id[6] == '-' && id[18] == '-':
		pid, part = base62(id[7:18]), base62(id[19:])
	default:
		return eximID{}, false
	}
	second := base62(id[:6])
	if second < 0 || part < 0 || pid < 0 || pid >= 1<<pidBits {
		return eximID{}, false
	}
	return eximID{second, pid<<partBits | part}, true
}

// String is the inverse of parseID.
func (e eximID) String() string {
	pid, part := e.rest>>partBits, e.rest&(1<<partBits-1)
	if part >= longParts {
		return string(appendBase62(append(appendBase62(append(appendBase62(nil, e.second, 6), '-'), pid, 6), '-'),
			part-longParts, 2))
	}
	return string(appendBase62(append(appendBase62(append(appendBase62(nil, e.second, 6), '-'), pid, 11), '-'), part, 4))
}

// keyIn is the number of the id in the tables of a day, and whether it has one there.
func (e eximID) keyIn(d day) (int64, bool) {
	offset := e.second - int64(d)*daySeconds + earlySecond
	return offset<<(pidBits+partBits) | e.rest, offset >= 0 && offset < 1<<secondBits
}

// days lists the days in whose tables the id can have a number, the likeliest first.
func (e eximID) days() []day {
	d := day(e.second / daySeconds)
	days := make([]day, 0, 3)
	for _, d := range []day{d, d + 1, d - 1} {
		if _, ok := e.keyIn(d); ok {
			days = append(days, d)
		}
	}
	return days
}

// idOf is the inverse of keyIn.
func idOf(d day, key int64) string {
	second := key>>(pidBits+partBits) + int64(d)*daySeconds - earlySecond
	return eximID{second, key & (1<<(pidBits+partBits) - 1)}.String()
}

// strayKey is the number of an id that has none by keyIn: negative, and the same for every day. A hash will do: whoever can
// write ids into the log that collide can as well write the same id twice.
func strayKey(id string) int64 {
	return hashKey("id " + id)
}

// unnamedKey is the number of a message without an id.
func unnamedKey(seq int64) int64 { return hashKey("seq " + strconv.FormatInt(seq, 10)) }

func hashKey(s string) int64 {
	sum := sha256.Sum256([]byte(s))
	return -1 - int64(binary.BigEndian.Uint64(sum[:])>>1)
}

// keyOf is the number of an id in the tables of a day; stray tells that idOf cannot undo it.
func keyOf(id string, d day) (key int64, stray bool) {
	if e, ok := parseID(id); ok {
		if key, ok := e.keyIn(d); ok {
			return key, false
		}
	}
	return strayKey(id), true
}

// base62 is -1 where s is not a number of at most 11 digits that fits.
func base62(s string) int64 {
	n := int64(0)
	for i := range len(s) {
		c, v := s[i], int64(0)
		switch {
		case '0' <= c && c <= '9':
			v = int64(c - '0')
		case 'A' <= c && c <= 'Z':
			v = int64(c-'A') + 10
		case 'a' <= c && c <= 'z':
			v = int64(c-'a') + 36
		default:
			return -1
		}
		if n > 1<<50 {
			return -1
		}
		n = n*62 + v
	}
	return n
}

func appendBase62(b []byte, n int64, width int) []byte {
	at := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := at + width - 1; i >= at; i-- {
		b[i] = digits[n%62]
		n /= 62
	}
	return b
}
