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

// wire is a connection from which lines and content are read, into a buffer that is small while nothing much comes.
type wire struct {
	conn net.Conn
	wait time.Duration // the longest silence
	end  time.Time     // of a transfer; zero: only wait counts
	stop func() bool   // asked before waiting; true ends the reading

	set   deadline // of both directions
	fresh bool     // it was looked at before something was written, whose answer is waited for now

	buf   []byte
	spare []byte // the small buffer while buf is a big one
	r, w  int    // unread bytes are buf[r:w]
}

// errStopping says that the gateway ends and that the connection has nothing more to say.
var errStopping = errors.New("the gateway stops")

const smallBuffer = 1 << 10

// unread are the bytes that have come and were not taken.
func (c *wire) unread() []byte { return c.buf[c.r:c.w] }

// hasLine tells whether a whole line can be read without waiting.
func (c *wire) hasLine() bool { return bytes.IndexByte(c.unread(), '\n') >= 0 }

// fill waits for more bytes.
func (c *wire) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	} else if c.w == len(c.buf) && c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) {
		c.buf = append(c.buf, make([]byte, max(len(c.buf), smallBuffer))...)
	}
	if !c.fresh {
		if err := c.extend(); err != nil {
			return err
		}
	}
	c.fresh = false
	if c.stop != nil && c.stop() {
		return errStopping
	}
	n, err := c.conn.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// extend sees to it that there is time for what comes next.
func (c *wire) extend() error {
	if until, due := c.set.nextDeadline(c.wait, c.end); due {
		return c.conn.SetDeadline(until)
	}
	return nil
}

// renew makes the deadline be set anew: the one before may not hold any more.
func (c *wire) renew() { c.set, c.fresh = deadline{}, false }

// write sends b. A large one may take its time.
func (c *wire) write(b []byte) error {
	if err := c.extend(); err != nil {
		return err
	}
	_, err := c.conn.Write(b)
	c.fresh = err == nil && len(b) <= smallBuffer
	return err
}

// line reads one line of at most limit bytes and returns it without its CR LF. It is good until the next call.
func (c *wire) line(limit int) ([]byte, error) {
	for seen := 0; ; {
		if n := bytes.IndexByte(c.unread()[seen:], '\n'); n >= 0 {
			return c.takeLine(seen+n+1, limit)
		}
		if seen = c.w - c.r; seen > limit {
			return nil, errLong
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// takeLine takes n bytes that end in LF.
func (c *wire) takeLine(n, limit int) ([]byte, error) {
	line := c.buf[c.r : c.r+n]
	c.r += n
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
func (c *wire) enlarge(b *buffers) {
	if len(c.buf) >= bigBuffer {
		return
	}
	big := b.get()
	big = big[:cap(big)]
	c.w = copy(big, c.unread())
	c.r, c.buf, c.spare = 0, big, c.buf
}

func (c *wire) reduce(b *buffers) {
	if len(c.buf) < bigBuffer || c.w-c.r > smallBuffer {
		return
	}
	if len(c.spare) < smallBuffer {
		c.spare = make([]byte, smallBuffer)
	}
	n := copy(c.spare, c.unread())
	b.put(c.buf)
	c.buf, c.spare, c.r, c.w = c.spare, nil, 0, n
}
