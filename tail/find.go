package tail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"osm"
)

// find opens the file of the last position, or whatever is to be read instead. It returns false when that is not
// possible now; the reason, where there is one, is in the status.
func (l *log) find() bool {
	l.gap, l.passed = nil, false // found again
	l.dropFormer()
	files, err := family(l.path, l.Config.OldDirs)
	if err != nil {
		l.missing(err)
		return false
	}
	if l.pos.Path == "" {
		return l.begin(files)
	}
	if at := locate(files, l.pos, l.maxLine()); at >= 0 {
		return l.resume(files, at)
	}
	if l.missed++; l.pos.Hashed > 0 && l.missed < maxMisses {
		return false
	}
	next := l.passCopies(files, newerThan(files, l.pos.Modified))
	if next == len(files) {
		l.missing(fs.ErrNotExist)
		return false
	}
	if !l.open(files, next, nil) {
		return false
	}
	if l.pos.Hashed > 0 {
		l.lose(&Gap{Reason: fmt.Sprintf("the file of %s that was read up to byte %d is gone: its rest is lost",
			l.path, l.pos.Offset), Bytes: max(0, l.saw-l.pos.Offset)})
	}
	l.passed = l.saw > 0
	return true
}

// resume goes on in the file that the position was found in.
func (l *log) resume(files []member, at int) bool {
	pos, gap := l.pos, (*Gap)(nil)
	if m := files[at]; m.live && !endsLine(m.name, pos.Offset) {
		// Nobody can tell which of its lines were read, but those at its beginning were.
		if err := endOf(m, l.maxLine(), &pos); err != nil {
			l.missing(err)
			return false
		}
		gap = &Gap{Reason: fmt.Sprintf("%s was cut short or edited before byte %d: reading goes on at its end",
			m.name, l.pos.Offset)}
	}
	if !l.open(files, at, &pos) {
		return false
	}
	l.lose(gap)
	return true
}

// endsLine tells whether a line ends before an offset of a file; it need not where a person has edited it.
func endsLine(name string, offset int64) bool {
	file, err := os.Open(name)
	if err != nil {
		return true // opening it properly tells why
	}
	defer file.Close()
	last := make([]byte, 1)
	_, err = file.ReadAt(last, offset-1)
	return err != nil && err != io.EOF || err == nil && last[0] == '\n'
}

// begin takes the place where a log without a position starts.
func (l *log) begin(files []member) bool {
	pos := osm.Position{Path: l.path}
	if len(files) > 0 {
		first := files[len(files)-1]
		if l.Start == StartOldest {
			first = files[0]
		}
		// Nothing has been read, so the position is only a time: what is not older than the first file is to be read.
		pos.Modified = first.modified
		if first.size > 0 && (first.live || l.Start == StartOldest) {
			pos.Modified--
		}
		if l.Start == StartEnd && first.live {
			if err := endOf(first, l.maxLine(), &pos); err != nil {
				l.fail(Unreadable, err)
				return false
			}
		}
	}
	l.pos, l.tell = pos, true
	return true
}

// endOf sets pos to the end of the last whole line of a file, and leaves it alone when there is none.
func endOf(m member, maxLine int, pos *osm.Position) error {
	src, err := openSource(m, maxLine)
	if err != nil {
		return err
	}
	defer src.close()
	if src.offset, err = src.lastLineEnd(); err != nil || src.offset == 0 {
		return err
	}
	if src.head, err = src.readHead(int(min(src.offset, headSize))); err == nil {
		*pos = src.position(pos.Path)
	}
	return err
}

// lastLineEnd is the offset after the last newline; a torn line after it is for the reader.
func (s *source) lastLineEnd() (int64, error) {
	buf := make([]byte, 64<<10)
	for end := s.size; end > 0; {
		start := max(0, end-int64(len(buf)))
		n, err := s.file.ReadAt(buf[:end-start], start)
		if err != nil && err != io.EOF {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				return start + int64(i) + 1, nil
			}
		}
		end = start
	}
	return 0, nil
}

// locate finds the file that pos was taken in: by device and inode, else by its content, the newest first, since of
// several copies that is the longest. It returns -1 when it is not there.
func locate(files []member, pos osm.Position, maxLine int) int {
	if pos.Hashed == 0 {
		return -1
	}
	found := -1
	for i := len(files) - 1; i >= 0; i-- {
		m := files[i]
		sameFile := m.id == fileID{pos.Device, pos.Inode}
		if found >= 0 && !sameFile || !holds(m, pos, maxLine) {
			continue
		}
		if found = i; sameFile {
			break
		}
	}
	return found
}

// newerThan is the index of the oldest file that was written to after a time, else of the log, which is always newer
// than a file that is gone, else len(files).
func newerThan(files []member, modified int64) int {
	for i, m := range files {
		if m.live || m.modified > modified {
			return i
		}
	}
	return len(files)
}

// passCopies skips rotated files that are copies of the live log.
func (l *log) passCopies(files []member, from int) int {
	last := len(files) - 1
	for from < last && files[last].live && copying(files[from], files[last], l.maxLine()) {
		from++
	}
	return from
}

// open makes a file the source, at a position or at its beginning.
func (l *log) open(files []member, at int, pos *osm.Position) bool {
	m := files[at]
	src, err := openSource(m, l.maxLine())
	if err == nil && src.id != m.id {
		src.close()
		err = errChanged
	} else if err == nil && pos != nil {
		if err = src.seek(*pos); err != nil {
			src.close()
		}
	}
	if err != nil {
		if !errors.Is(err, errChanged) && !errors.Is(err, fs.ErrNotExist) {
			l.fail(Unreadable, err)
		}
		return false // a rotation goes on: look again
	}
	if pos == nil {
		src.family = files
	}
	l.src, l.quiet, l.missed = src, 0, 0
	l.status.opened(m.live, l.Now())
	return true
}
