package exim

import (
	"bufio"
	"io"
	"strings"
	"time"
)

// Options say how the lines of a log are to be read.
type Options struct {
	Zone   *time.Location // of times without a zone; nil means UTC
	Tag    string         // see Parser.Tag
	Latest time.Time      // see Parser.SetLatest; zero if unknown

	// OnAttempt, if set, is told of every attempt to forge lines.
	OnAttempt func(Attempt)
}

// Stats counts what was read.
type Stats struct {
	Lines   int64
	Bytes   int64
	Cut     int64        // lines of more than 1 MiB, of which the rest was not looked at
	Kinds   [kinds]int64 // lines of each Kind
	Remarks int64        // notices that are in no form of Exim's own
	Undated int64        // lines without a time
	Forged  int64        // lines that Exim did not write
}

// WriteNDJSON reads the lines of a log from r and writes what was understood of each as a JSON object on a line of its own
// to w. It returns at the end of r, or the first error of r or w.
func WriteNDJSON(w io.Writer, r io.Reader, opts Options) (Stats, error) {
	p := NewParser(opts.Zone)
	p.Tag = opts.Tag
	p.SetLatest(opts.Latest)
	out := ndjson{w: w, parser: p, opts: opts}
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := out.next(lines)
		if err == io.EOF {
			err = out.finish()
			return out.stats, err
		}
		if err == nil {
			err = out.line(line)
		}
		if err != nil {
			return out.stats, err
		}
	}
}

// ndjson is the state of WriteNDJSON.
type ndjson struct {
	w       io.Writer
	opts    Options
	parser  *Parser
	joiner  Joiner
	forgery Forgery
	entry   Entry
	buf     []byte
	stats   Stats
}

const flushAt = 64 << 10 // bytes

// next returns the next line without its newline, of one that is longer than maxLine the beginning. The last line may
// have no newline; behind it the error is io.EOF.
func (n *ndjson) next(r *bufio.Reader) (string, error) {
	slice, err := r.ReadSlice('\n')
	line := string(slice)
	n.stats.Bytes += int64(len(slice))
	if err == bufio.ErrBufferFull {
		n.stats.Cut++
	}
	for err == bufio.ErrBufferFull {
		slice, err = r.ReadSlice('\n')
		n.stats.Bytes += int64(len(slice))
	}
	if err == io.EOF && line != "" {
		err = nil
	}
	return strings.TrimSuffix(line, "\n"), err
}

// line takes a line of the log.
func (n *ndjson) line(line string) error {
	whole, ok := n.joiner.Join(line)
	if !ok {
		return nil
	}
	return n.write(whole)
}

// write parses a line and writes what came of it.
func (n *ndjson) write(line string) error {
	e := &n.entry
	n.parser.Parse(line, e)
	n.attempt(n.forgery.Look(e))
	n.count(e)
	n.buf = append(AppendJSON(n.buf, e), '\n')
	if len(n.buf) < flushAt {
		return nil
	}
	return n.flush()
}

func (n *ndjson) count(e *Entry) {
	n.stats.Lines++
	n.stats.Kinds[e.Kind]++
	if e.Remark {
		n.stats.Remarks++
	}
	if e.Time.IsZero() {
		n.stats.Undated++
	}
	if e.Forged != NoSign {
		n.stats.Forged++
	}
}

func (n *ndjson) attempt(a Attempt, ok bool) {
	if ok && n.opts.OnAttempt != nil {
		n.opts.OnAttempt(a)
	}
}

func (n *ndjson) flush() error {
	_, err := n.w.Write(n.buf)
	n.buf = n.buf[:0]
	return err
}

// finish writes what was still held.
func (n *ndjson) finish() error {
	for _, line := range n.joiner.Rest() {
		if err := n.write(line); err != nil {
			return err
		}
	}
	n.attempt(n.forgery.Rest())
	return n.flush()
}
