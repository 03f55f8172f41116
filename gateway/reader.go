package gateway

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// What can be wrong with a line. All but errLong leave the reader behind the line.
var (
	errBare = errors.New("a line that does not end in CR LF, or a CR within it")
	errNul  = errors.New("a NUL character")
	errLong = errors.New("a line that is too long")
)

// reader reads lines and content from a connection into a buffer that is small while nothing much comes.
type reader struct {
	conn net.Conn
	wait time.Duration // the longest silence
	end  time.Time     // of a transfer; zero: only wait counts
	buf  []byte
	r, w int         // unread bytes are buf[r:w]
	stop func() bool // asked before waiting; true ends the reading
}

// errStopping says that the gateway ends and that the connection has nothing more to say.
var errStopping = errors.New("the gateway stops")

const smallBuffer = 1 << 10

// unread are the bytes that have come and were not taken.
func (r *reader) unread() []byte { return r.buf[r.r:r.w] }

// hasLine tells whether a whole line can be read without waiting.
func (r *reader) hasLine() bool { return bytes.IndexByte(r.unread(), '\n') >= 0 }

// fill waits for more bytes.
func (r *reader) fill() error {
	if r.r == r.w {
		r.r, r.w = 0, 0
	} else if r.w == len(r.buf) && r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	if r.w == len(r.buf) {
		r.buf = append(r.buf, make([]byte, max(len(r.buf), smallBuffer))...)
	}
	if err := r.deadline(); err != nil {
		return err
	}
	if r.stop != nil && r.stop() {
		return errStopping
	}
	n, err := r.conn.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	return err
}

func (r *reader) deadline() error {
	return r.conn.SetReadDeadline(sooner(time.Now().Add(r.wait), r.end))
}

// sooner is the earlier of two times, of which the second may be none.
func sooner(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// line reads one line of at most limit bytes and returns it without its CR LF. It is good until the next call.
func (r *reader) line(limit int) ([]byte, error) {
	for seen := 0; ; {
		if n := bytes.IndexByte(r.unread()[seen:], '\n'); n >= 0 {
			return r.takeLine(seen+n+1, limit)
		}
		if seen = r.w - r.r; seen > limit {
			return nil, errLong
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// takeLine takes n bytes that end in LF.
func (r *reader) takeLine(n, limit int) ([]byte, error) {
	line := r.buf[r.r : r.r+n]
	r.r += n
	switch {
	case n > limit:
		return nil, errLong
	case n < 2 || line[n-2] != '\r' || bytes.IndexByte(line[:n-2], '\r') >= 0:
		return nil, errBare
	case bytes.IndexByte(line, 0) >= 0:
		return nil, errNul
	}
	return line[:n-2], nil
}

// enlarge gives the reader a buffer for content, and reduce takes it away when what is unread fits into a small one.
func (r *reader) enlarge(b *buffers) {
	if len(r.buf) >= bigBuffer {
		return
	}
	big := b.get()
	big = big[:cap(big)]
	r.w = copy(big, r.unread())
	r.r, r.buf = 0, big
}

func (r *reader) reduce(b *buffers) {
	if len(r.buf) < bigBuffer || r.w-r.r > smallBuffer {
		return
	}
	small := make([]byte, smallBuffer)
	n := copy(small, r.unread())
	b.put(r.buf)
	r.buf, r.r, r.w = small, 0, n
}
