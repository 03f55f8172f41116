package detect

import "osm/window"

// template reduces a subject to what stays the same when a program fills in a form: words without digits, in any order,
// without case, reply marks and punctuation. words is how many there are; reply tells of a subject that answers something.
func template(s string) (hash uint64, words int, reply bool) {
	for {
		rest, ok := cutReply(s)
		if !ok {
			break
		}
		s, reply = rest, true
	}
	for i := 0; i < len(s) && words < 24; {
		for i < len(s) && !inWord(s[i]) {
			i++
		}
		start, digits := i, false
		for i < len(s) && inWord(s[i]) {
			digits = digits || s[i] >= '0' && s[i] <= '9'
			i++
		}
		if i-start < 3 || digits {
			continue
		}
		hash += window.Hash(subjectSeed, s[start:i]) // a sum: the order of words does not matter
		words++
	}
	return hash, words, reply
}

const maxPairs = 8

// phrases are the pairs of neighbouring words that template counts, without repeats of programs' numbers and codes.
func phrases(s string, pairs *[maxPairs]uint64) int {
	for {
		rest, ok := cutReply(s)
		if !ok {
			break
		}
		s = rest
	}
	n, before := 0, uint64(0)
	for i := 0; i < len(s) && n < maxPairs; {
		for i < len(s) && !inWord(s[i]) {
			i++
		}
		start, digits := i, false
		for i < len(s) && inWord(s[i]) {
			digits = digits || s[i] >= '0' && s[i] <= '9'
			i++
		}
		if i-start < 3 || digits {
			continue
		}
		word := window.Hash(subjectSeed, s[start:i])
		if before != 0 {
			pairs[n] = window.Pair(before, word)
			n++
		}
		before = word
	}
	return n
}

const subjectSeed = 0x5ab1ec7

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || c == '\''
}

// cutReply takes away one mark of a reply or a forwarded message, in the languages where it is common.
func cutReply(s string) (string, bool) {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '[' && len(s) > 3) {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		break
	}
	for _, mark := range [...]string{"re:", "fw:", "fwd:", "aw:", "wg:", "sv:", "vs:", "antw:", "rv:", "tr:", "r:", "odp:"} {
		if len(s) >= len(mark) && equalFold(s[:len(mark)], mark) {
			return s[len(mark):], true
		}
	}
	return s, false
}

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
