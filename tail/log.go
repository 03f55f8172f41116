package tail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"osm"
)

// log is one followed log. It has one way out of every oddity, which is also how it starts: drop the source and find
// the last position again.
type log struct {
	Options
	path string
	pos  osm.Position // after what was handed out last; its Path is empty before there is one

	src    *source // being read; nil before it is found
	former *source // the rotated file before src, watched a while for late lines
	due    bool    // may have something new
	tell   bool    // pos is new and has not been handed out

	linger, patience int // ticks of Options.Linger, and of ten times that
	changed          bool
	quiet            int // ticks since src last changed
	missed           int // ticks in which the file of pos was not found
	watched          int // ticks that former is still watched

	gap    *Gap  // before the next text
	saw    int64 // size of the log when it was last seen before it was truncated; 0 when it was not
	passed bool  // the end of that file's copy has been passed

	status statusBox
}

// lateWatch is how long a rotated file is watched for late lines after its successor was begun.
const lateWatch = time.Minute

// maxMisses is how often a file is looked for before it counts as gone: a rotation may go on just then.
const maxMisses = 3

func newLog(path string, o Options) *log {
	poll := time.Duration(o.Config.Poll)
	l := &log{Options: o, path: path, pos: positionOf(path, o.Positions), due: true,
		linger: ticks(o.Linger, poll), patience: ticks(10*o.Linger, poll)}
	l.status.Log, l.status.Since = path, o.Now()
	return l
}

func (l *log) maxLine() int { return int(l.Config.MaxLine) }

func (l *log) tick() {
	l.due = true
	l.quiet++
	if l.watched--; l.watched <= 0 {
		l.dropFormer()
	}
}

func (l *log) drop() {
	if l.src != nil {
		l.src.close()
		l.src = nil
	}
}

func (l *log) dropFormer() {
	if l.former != nil {
		l.former.close()
		l.former = nil
	}
}

// maxTries bounds how often a log that keeps changing under the reader is looked at before the next tick.
const maxTries = 100

// next gives the log's next batch, false when there is nothing now.
func (l *log) next() (Batch, bool) {
	if b, ok := l.late(); ok {
		return b, true
	}
	for again, tries := true, 0; again && tries < maxTries; tries++ {
		if l.src == nil && !l.find() {
			break
		}
		if l.tell {
			l.tell = false
			return Batch{Log: l.path, Position: l.pos, AtEnd: true}, true
		}
		p, err := l.read()
		if p.size == 0 {
			p, again = l.onward(err)
		}
		if p.size > 0 {
			return l.hand(p), true
		}
	}
	return Batch{}, false
}

// read gives the next whole lines of the source, after making sure that they belong to what was read before.
func (l *log) read() (piece, error) {
	s := l.src
	before := s.size
	changed, err := s.refresh()
	if err != nil {
		return piece{}, err
	}
	if l.changed = changed; changed {
		l.quiet = 0
	}
	truncated := s.live && s.unread() < 0
	var p piece
	if !truncated {
		p, err = s.read()
		// Looked at after reading, so that what was read can be trusted.
		truncated = s.live && (changed || p.size > 0) && !s.intact()
	}
	if s.live && s.offset == 0 && p.size > 0 {
		// Nothing of it is known yet by which to tell whether it was copied and truncated since it was chosen: then
		// there is a file that comes before it.
		if now, err := family(l.path, l.Config.OldDirs); err != nil || !sameFiles(now, s.family) {
			return piece{}, errStale
		}
	}
	if truncated {
		l.Logger.Info("log was truncated", "log", l.path, "offset", s.offset, "size", before)
		if s.offset > 0 {
			l.saw = before
		}
		return piece{}, errStale
	}
	return p, err
}

// errStale tells that what the source is must be found out anew.
var errStale = errors.New("the log was truncated or may have been")

// hand makes a batch of a piece.
func (l *log) hand(p piece) Batch {
	s := l.src
	b := Batch{Text: p.text, Log: l.path, File: s.name, Offset: s.offset, Cut: p.cut, CutBytes: p.cutBytes, Gap: l.gap}
	s.advance(p)
	l.pos = s.position(l.path)
	b.Position = l.pos
	b.AtEnd = !s.packed && s.unread() <= 0 && !s.split.ready()
	l.gap = nil
	if s.live || l.passed {
		l.saw, l.passed = 0, false
	}
	l.due = !s.live || !b.AtEnd
	l.status.handed(b, s.behind(), l.Now())
	return b
}

// late gives lines that were written to the former file after the change to its successor. They come with the
// successor's position: killed before that is saved, osm reads the successor again but not these.
func (l *log) late() (Batch, bool) {
	s := l.former
	if s == nil {
		return Batch{}, false
	}
	if _, err := s.refresh(); err != nil {
		return Batch{}, false
	}
	p, err := s.read()
	if err != nil || p.size == 0 {
		return Batch{}, false
	}
	b := Batch{Text: p.text, Log: l.path, File: s.name, Offset: s.offset, Cut: p.cut, CutBytes: p.cutBytes, Late: true}
	s.advance(p)
	if l.pos.Inode == s.id.ino && l.pos.Device == s.id.dev { // the successor has given nothing yet
		l.pos = s.position(l.path)
	}
	b.Position = l.pos
	l.status.handed(b, 0, l.Now())
	return b, true
}

// lose notes that something is missing before the next text.
func (l *log) lose(g *Gap) {
	if g != nil && l.gap != nil {
		g = &Gap{Reason: l.gap.Reason + "; " + g.Reason, Bytes: l.gap.Bytes + g.Bytes}
	}
	if g != nil {
		l.gap = g
	}
}

func (l *log) missing(err error) {
	switch {
	case err == errChanged: // a rotation goes on: look again
	case !errors.Is(err, fs.ErrNotExist):
		l.fail(Unreadable, err)
	case !exists(filepath.Dir(l.path)):
		l.fail(Missing, fmt.Errorf("the folder %s does not exist", filepath.Dir(l.path)))
	default:
		l.fail(Missing, fmt.Errorf("%s does not exist", l.path))
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (l *log) fail(state State, err error) { l.status.fail(state, err.Error(), l.Logger, l.Now()) }
