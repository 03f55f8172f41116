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
	set  deadline
	buf  []byte
	// spare is the small buffer while buf is a big one.
	spare []byte
	r, w  int         // unread bytes are buf[r:w]
	stop  func() bool // asked before waiting; true ends the reading
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
	if until, due := r.set.nextDeadline(r.wait, r.end); due {
		if err := r.conn.SetReadDeadline(until); err != nil {
			return err
		}
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
	r.r, r.buf, r.spare = 0, big, r.buf
}

func (r *reader) reduce(b *buffers) {
	if len(r.buf) < bigBuffer || r.w-r.r > smallBuffer {
		return
	}
	if len(r.spare) < smallBuffer {
		r.spare = make([]byte, smallBuffer)
	}
	n := copy(r.spare, r.unread())
	b.put(r.buf)
	r.buf, r.spare, r.r, r.w = r.spare, nil, 0, n
}
