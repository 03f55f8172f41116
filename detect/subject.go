package detect

import (
	"strings"

	"osm/window"
)

// subject is what stays the same of a subject when a program fills in a form.
type subject struct {
	template uint64 // its words without digits, in any order, without case, reply marks and punctuation
	words    int    // how many there are
	reply    bool   // it answers something
	pairs    [maxPairs]uint64
	paired   int // pairs of neighbouring words that are known
}

const (
	maxWords = 24
	maxPairs = 8
)

// read reads a subject.
func (t *subject) read(s string) {
	for {
		rest, ok := cutReply(s)
		if !ok {
			break
		}
		s, t.reply = rest, true
	}
	before := uint64(0)
	for i := 0; i < len(s) && t.words < maxWords; {
		for i < len(s) && !inWord[s[i]] {
			i++
		}
		start, digits := i, false
		for i < len(s) && inWord[s[i]] {
			digits = digits || s[i] >= '0' && s[i] <= '9'
			i++
		}
		if i-start < 3 || digits {
			continue
		}
		word := window.Hash(subjectSeed, s[start:i])
		t.template += word // a sum: the order of words does not matter
		t.words++
		if before != 0 && t.paired < maxPairs {
			t.pairs[t.paired] = window.Pair(before, word)
			t.paired++
		}
		before = word
	}
}

const subjectSeed = 0x5ab1ec7

// inWord tells of each byte whether it is part of a word.
var inWord = func() (is [256]bool) {
	for i := range is {
		c := byte(i)
		is[i] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || c == '\''
	}
	return is
}()

// cutReply takes away one mark of a reply or a forwarded message, in the languages where it is common.
func cutReply(s string) (string, bool) {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '[' && len(s) > 3) {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		break
	}
	if colon := strings.IndexByte(s[:min(len(s), longestMark)], ':'); colon < 1 {
		return s, false
	}
	for _, mark := range [...]string{"re:", "fw:", "fwd:", "aw:", "wg:", "sv:", "vs:", "antw:", "rv:", "tr:", "r:", "odp:"} {
		if len(s) >= len(mark) && equalFold(s[:len(mark)], mark) {
			return s[len(mark):], true
		}
	}
	return s, false
}

const longestMark = len("antw:")

func equalFold(s, lower string) bool {
	for i := range len(lower) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
