package tail

import (
	"iter"
	"strings"

	"osm"
)

// Batch is a piece of one log, at most about 256 KB unless a single line is longer. Its Text is never overwritten:
// whoever keeps a part of a line beyond the batch clones it, or the whole text stays in memory.
type Batch struct {
	Text     string // whole lines, each with its newline; only a finished file's last line may lack it
	Log      string // the log, as in Options.Paths
	File     string // the file it was read from: the log itself or a rotated file
	Offset   int64  // of Text in File (decompressed)
	Position osm.Position
	AtEnd    bool // the log has no more whole line now: a good moment to commit
	Idle     bool // nothing came for Options.Idle: there is no text and no position
	Late     bool // lines written to a rotated file after its successor was begun; Position is the successor's

	Cut      int   // lines of Text that were cut because they are longer than Config.MaxLine
	CutBytes int64 // how much was cut off
	Gap      *Gap  // what may be missing just before Text; nil when nothing is
}

// Lines gives each line of Text without its newline. It allocates nothing.
func (b Batch) Lines() iter.Seq[string] { return Lines(b.Text) }

// Lines gives each line of text without its newline, the last one also when it has none. NUL bytes, carriage returns
// and invalid UTF-8 pass as they are.
func Lines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(text) > 0 {
			i := strings.IndexByte(text, '\n')
			if i < 0 {
				yield(text)
				return
			}
			if !yield(text[:i]) {
				return
			}
			text = text[i+1:]
		}
	}
}

// Gap is a place where lines were lost, or may have been.
type Gap struct {
	Reason string // in words: what happened to which file
	Bytes  int64  // at least so many bytes are known to be lost; 0 when only the possibility is known
}
