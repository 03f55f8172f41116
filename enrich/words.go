package enrich

import "strings"

// words are the words of a reply that tell something. Left out are the codes that begin each line of it, addresses, and names of
// hosts; of a block list's there is listWord.
type words struct {
	word string // the current one

	line, rest string // what is left of the current line, and the lines after it
	more       bool   // rest is lines
	own        [2]string
}

func newWords(text string, own [2]string) words { return words{rest: text, more: true, own: own} }

// next finds the next word; false at the end.
func (w *words) next() bool {
	for {
		line, i := w.line, 0
		for i < len(line) && classes[line[i]] == 0 {
			i++
		}
		if i < len(line) {
			if w.line = line[i:]; w.token() {
				return true
			}
			continue
		}
		if !w.more {
			return false
		}
		w.line, w.rest, w.more = strings.Cut(w.rest, "\n")
		_, _, w.line = readCodes(w.line)
	}
}

// token takes what is at the start of the line, where no separator is, and tells whether it is a word.
func (w *words) token() bool {
	line, n, seen := w.line, 0, byte(0)
	for n < len(line) {
		class := classes[line[n]]
		if class&inName == 0 {
			break
		}
		seen |= class
		n++
	}
	switch {
	case n == 0:
		w.line = line[opened(line):]
		return false
	case seen&at != 0:
		w.line = line[n:]
		return false
	}
	w.word, w.line = line[:n], line[n:]
	if seen&dot != 0 {
		if name := strings.Trim(w.word, ".-"); hostName(name, w.own) {
			w.word = listName(name, w.own)
			return w.word != ""
		}
	}
	return true
}

// opened is the length of what a bracket or a quote at the start of s opens, if that is an address or a local part; else 1.
func opened(s string) int {
	if s[0] == '<' {
		if n := bracketed(s); strings.IndexByte(s[:n], '@') >= 0 {
			return n
		}
	} else if n := quoted(s); strings.HasPrefix(s[n:], "@") {
		return n
	}
	return 1
}

// What a byte can be; those that are nothing separate words.
const (
	inName byte = 1 << iota // in an address or in a host's name: an underscore too, since those in addresses have them
	dot
	at
	opens // an address in brackets, or a local part in quotes
)

var classes = func() (t [256]byte) {
	for i := range t {
		c := byte(i)
		if symbol(c) != space || strings.IndexByte(".-_+=@", c) >= 0 {
			t[i] = inName
		}
	}
	t['.'] |= dot
	t['@'] |= at
	t['<'], t['"'] = opens, opens
	return t
}()

// hostName tells whether a word is the name of a host or one of the message's own domains. Words like RESOLVER.ADR and
// ends of sentences without a space ("unknown.See") are none: receivers write names in small letters.
func hostName(w string, own [2]string) bool {
	dot := strings.LastIndexByte(w, '.')
	if dot < 1 {
		return false
	}
	for _, d := range own {
		if d != "" && strings.EqualFold(w, d) {
			return true
		}
	}
	top := w[dot+1:]
	for i := range len(w) {
		if 'A' <= w[i] && w[i] <= 'Z' {
			return false
		}
	}
	return len(top) >= 2 && !strings.ContainsAny(top, "0123456789_+=")
}

// listName is the word for a block list's host name, "" for any other and for the message's own domains.
func listName(name string, own [2]string) string {
	for _, d := range own {
		if d != "" && strings.EqualFold(name, d) {
			return ""
		}
	}
	for _, list := range blockLists {
		if rest, ok := strings.CutSuffix(name, list); ok && (rest == "" || strings.HasSuffix(rest, ".")) {
			return listWord
		}
	}
	return ""
}
