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
		for w.line == "" {
			if !w.more {
				return false
			}
			w.line, w.rest, w.more = strings.Cut(w.rest, "\n")
			_, _, w.line = readCodes(w.line)
		}
		if w.token() {
			return true
		}
	}
}

// token takes what is at the start of the line, and tells whether it is a word.
func (w *words) token() bool {
	line := w.line
	if class := classes[line[0]]; class&(inName|at) == 0 {
		n := 1
		switch line[0] {
		case '<':
			if m := bracketed(line); strings.IndexByte(line[:m], '@') >= 0 {
				n = m
			}
		case '"':
			if m := quoted(line); strings.HasPrefix(line[m:], "@") { // a local part
				n = m
			}
		}
		w.line = line[n:]
		return false
	}
	n, seen := 0, byte(0)
	for n < len(line) {
		class := classes[line[n]]
		if class&(inName|at) == 0 {
			break
		}
		seen |= class
		n++
	}
	w.word, w.line = line[:n], line[n:]
	if seen&at != 0 {
		return false
	}
	if seen&dot != 0 {
		if name := strings.Trim(w.word, ".-:/"); hostName(name, w.own) {
			w.word = listName(name, w.own)
			return w.word != ""
		}
	}
	return true
}

// What a byte can be. An underscore can be in a name, since host names in addresses have them.
const (
	inName byte = 1 << iota // in an address or in a host's name
	dot
	at
)

var classes = func() (t [256]byte) {
	for i := range t {
		c := byte(i)
		if symbol(c) != space || strings.IndexByte(".-_+=", c) >= 0 {
			t[i] = inName
		}
	}
	t['.'] |= dot
	t['@'] |= at
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
