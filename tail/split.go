package tail

import (
	"bytes"
	"io"
	"unsafe"
)

// splitter cuts a stream into texts of whole lines. It reads straight into the memory that is handed out: the only
// bytes copied are those of the line that a read ended in.
type splitter struct {
	size  int                // of a text, unless one line is longer; at most max
	max   int                // bytes of a line, its newline apart; longer ones are cut
	alloc func(n int) []byte // memory for the next text

	rest    []byte // read and not yet handed out: the start of an unfinished line, at most max
	cutting bool   // that line is longer than max: what follows rest is passed over up to its end
	over    int64  // how much has been passed over
	scratch []byte // what is passed over is read into it
}

// piece is a text and what it stands for.
type piece struct {
	text     string
	buf      []byte // memory of text, when it may be used again
	size     int64  // bytes of the stream
	cut      int
	cutBytes int64
}

func newSplitter(size, max int, alloc func(int) []byte) splitter {
	return splitter{size: min(size, max), max: max, alloc: alloc}
}

// next gives the next whole lines of r, reading at most avail bytes. When they hold none, the piece is empty and
// what was read is kept for the next call; the error then tells why r ended (io.EOF), nil that avail was used up.
func (s *splitter) next(r io.Reader, avail int64) (piece, error) {
	for {
		var p piece
		var n int
		var err error
		if s.cutting {
			p, n, err = s.passOver(r, avail)
		} else {
			p, n, err = s.take(r, avail)
		}
		avail -= int64(n)
		if p.size > 0 {
			return p, nil // the error, if any, comes again
		}
		if err != nil || avail == 0 {
			return piece{}, err
		}
	}
}

func (s *splitter) take(r io.Reader, avail int64) (p piece, n int, err error) {
	want := min(max(s.size, 2*len(s.rest)), s.max)
	buf := s.alloc(int(min(int64(want), int64(len(s.rest))+avail)))
	had := copy(buf, s.rest)
	n, err = fill(r, buf[had:])
	buf = buf[:had+n]
	end := bytes.LastIndexByte(buf, '\n') + 1
	s.rest = append(s.rest[:0], buf[end:]...)
	s.cutting = end == 0 && len(buf) == s.max
	return piece{text: unsafe.String(unsafe.SliceData(buf), end), buf: buf, size: int64(end)}, n, err
}

// passOver looks for the end of a line that is too long.
func (s *splitter) passOver(r io.Reader, avail int64) (p piece, n int, err error) {
	if s.scratch == nil {
		s.scratch = make([]byte, s.size)
	}
	buf := s.scratch[:min(int64(len(s.scratch)), avail)]
	n, err = fill(r, buf)
	i := bytes.IndexByte(buf[:n], '\n')
	if i < 0 {
		s.over += int64(n)
		return piece{}, n, err
	}
	s.over += int64(i)
	p = s.finish("\n")
	p.size++
	s.rest = append(s.rest[:0], buf[i+1:n]...)
	return p, n, err
}

// last gives the unfinished line, when it is known that its end will never come.
func (s *splitter) last() piece { return s.finish("") }

func (s *splitter) finish(newline string) piece {
	p := piece{text: string(s.rest) + newline, size: int64(len(s.rest)) + s.over, cutBytes: s.over}
	if s.over > 0 {
		p.cut = 1
	}
	s.rest, s.cutting, s.over = s.rest[:0], false, 0
	return p
}

// unfinished tells how many bytes were read and not handed out.
func (s *splitter) unfinished() int64 { return int64(len(s.rest)) + s.over }

// ready tells whether a whole line waits: only after a cut line, whose end was read together with what follows it.
func (s *splitter) ready() bool { return !s.cutting && bytes.IndexByte(s.rest, '\n') >= 0 }

// fill is io.ReadFull that leaves the reader's own error as it is: of a damaged file that is io.ErrUnexpectedEOF.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}
