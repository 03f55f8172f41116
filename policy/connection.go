package policy

import (
	"bytes"
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connection is one that is served, and what has come on it.
type connection struct {
	net.Conn
	in    []byte
	idle  time.Duration
	since time.Time // when the read deadline was set last
}

// readNow reads what has come. end is true when nothing will any more, or the connection is broken.
func (c *connection) readNow(dst []byte) (n int, end bool) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, true
	}
	readErr := raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), dst)
		return true // whatever it was: it does not wait
	})
	switch {
	case readErr != nil:
		return 0, true
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, false
	}
	return max(n, 0), n <= 0
}

// moveDeadline gives the next read its time; not for each of many quick ones. asked is when the last question came, as far as it
// was told: the clock is read often enough without it.
func (c *connection) moveDeadline(ctx context.Context, asked time.Time) error {
	if !asked.IsZero() && asked.Sub(c.since) <= c.idle/8 {
		return nil
	}
	now := time.Now()
	if now.Sub(c.since) <= c.idle/8 {
		return nil
	}
	if err := c.SetReadDeadline(now.Add(c.idle)); err != nil {
		return err
	}
	c.since = now
	return ctx.Err() // the end of ctx has set another one, perhaps just before
}

// receive reads until in begins with a whole request; asked is when the one before came.
func (c *connection) receive(ctx context.Context, asked time.Time) error {
	for looked := 0; !whole(c.in[looked:]); {
		looked = max(0, len(c.in)-2) // the two may be the beginning of its end
		if len(c.in) >= maxRequest {
			return ErrTooLarge
		}
		if len(c.in) == cap(c.in) {
			c.in = append(c.in, make([]byte, max(cap(c.in), firstBuffer))...)[:len(c.in)]
		}
		if err := c.moveDeadline(ctx, asked); err != nil {
			return err
		}
		n, err := c.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+n]
		if err != nil && n == 0 {
			return err
		}
	}
	return nil
}

// whole tells whether there is an empty line: it ends a request. Mostly the last one is it.
func whole(in []byte) bool {
	return bytes.HasSuffix(in, []byte("\n\n")) || bytes.Contains(in, []byte("\n\n")) || bytes.Contains(in, []byte("\n\r\n"))
}
