package exim

import "strings"

// Joiner puts together the records that Exim cut for syslog: lines of more than 870 bytes, and entries of several lines.
// Each piece begins with "[2/5] " or "[2\5] "; with the backslash a newline stood behind it in the record (specification,
// section "Logging to syslog"). Only the first line of a record is joined. What follows it, the headers of a rejected
// message, is passed on as it is; Parse knows it by its number. The zero value is ready.
type Joiner struct {
	held []heldRecord
	seen int // lines
}

// heldRecord is the beginning of a line whose end is missing.
type heldRecord struct {
	tag  string // host and program with its pid
	text []byte // the line so far, without the mark of its first piece
	next int    // number of the missing piece
	at   int    // line number of the last piece
}

const (
	maxHeld = 64      // processes that write long lines at the same time
	maxLine = 1 << 20 // bytes; Exim's own limit is 8192
)

// Join takes the next line of a syslog file. It returns a line to parse: the given one or, at its last piece, the whole of
// a line that was cut. ok is false while pieces are missing.
func (j *Joiner) Join(line string) (whole string, ok bool) {
	if len(line) > 10 && line[10] == ' ' && line[0] <= '9' { // Exim's own file
		return line, true
	}
	var mark Entry
	colon := strings.Index(line, ": [")
	if colon < 0 {
		return line, true
	}
	j.seen++
	start := colon + 2
	n := piece(line[start:], &mark)
	if n == 0 {
		return line, true
	}
	text := line[start+n:]
	ends := mark.Piece == mark.Pieces || strings.IndexByte(line[start:start+n], '\\') >= 0
	if mark.Piece == 1 {
		if ends {
			return line, true
		}
		return j.hold(line[:start], text)
	}
	return j.add(line, tagOf(line[:colon]), text, mark.Piece, ends)
}

// Holding tells whether pieces of a line are missing: what was read so far can't be parsed to its end.
func (j *Joiner) Holding() bool { return len(j.held) > 0 }

// Rest returns the beginnings of the lines whose end never came.
func (j *Joiner) Rest() []string {
	var rest []string
	for _, h := range j.held {
		rest = append(rest, string(h.text))
	}
	j.held = nil
	return rest
}

// hold keeps the first piece of a line. What it displaces is handed out as far as it is known: a line of the same process,
// or the oldest where there are too many.
func (j *Joiner) hold(prefix, text string) (whole string, ok bool) {
	h := heldRecord{tag: strings.Clone(tagOf(prefix[:len(prefix)-2])), text: append([]byte(prefix), text...), next: 2, at: j.seen}
	out := -1
	for i := range j.held {
		if j.held[i].tag == h.tag {
			out = i
			break
		}
		if len(j.held) == maxHeld && (out < 0 || j.held[i].at < j.held[out].at) {
			out = i
		}
	}
	if out < 0 {
		j.held = append(j.held, h)
		return "", false
	}
	whole = string(j.held[out].text)
	j.held[out] = h
	return whole, true
}

// add takes a later piece.
func (j *Joiner) add(line, tag, text string, number int, ends bool) (whole string, ok bool) {
	for i := range j.held {
		h := &j.held[i]
		if h.tag != tag || h.next != number {
			continue
		}
		h.text, h.next, h.at = append(h.text, text...), number+1, j.seen
		if !ends && len(h.text) < maxLine {
			return "", false
		}
		whole = string(h.text)
		j.held = append(j.held[:i], j.held[i+1:]...)
		return whole, true
	}
	return line, true
}

// tagOf returns the host and the program of a syslog prefix: its last two words.
func tagOf(prefix string) string {
	i := strings.LastIndexByte(prefix, ' ')
	return prefix[strings.LastIndexByte(prefix[:max(i, 0)], ' ')+1:]
}
