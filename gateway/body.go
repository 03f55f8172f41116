package gateway

import (
	"bytes"
	"errors"
)

// What can be wrong with a message's content. It is read to its end, so that no part of it is taken for commands, and then
// refused.
var (
	errContentBare = errors.New("bare CR or LF in the message")
	errContentNul  = errors.New("NUL in the message")
	errContentLine = errors.New("a line of the message is too long")
)

// checker looks at the bytes of a message as they come: every CR is followed by LF and every LF comes after CR, there is no
// NUL, and no line is too long. Servers that see a line end where others see none can be made to see a message's end and
// commands in its content (SMTP smuggling, CVE-2023-51764 to 51766).
type checker struct {
	lineMost int
	longest  int  // line so far that has ended, in bytes
	line     int  // bytes of the current line so far
	cr       bool // the last byte was CR
	dotted   bool // a line begins with a dot
	wrong    error
}

// see takes the next bytes.
func (c *checker) see(b []byte) {
	if c.wrong != nil || len(b) == 0 {
		return
	}
	if bytes.IndexByte(b, 0) >= 0 {
		c.wrong = errContentNul
		return
	}
	if c.cr && b[0] != '\n' {
		c.wrong = errContentBare
		return
	}
	for {
		if c.line == 0 && len(b) > 0 && b[0] == '.' {
			c.dotted = true
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		before := b[:i]
		if i > 0 {
			c.cr, before = b[i-1] == '\r', b[:i-1]
		}
		switch {
		case !c.cr || bytes.IndexByte(before, '\r') >= 0:
			c.wrong = errContentBare
		case c.line+i+1 > c.lineMost:
			c.wrong = errContentLine
		}
		if c.wrong != nil {
			return
		}
		c.longest = max(c.longest, c.line+i+1)
		c.line, c.cr, b = 0, false, b[i+1:]
	}
	if len(b) == 0 {
		return
	}
	c.line += len(b)
	last := len(b) - 1
	c.cr = b[last] == '\r'
	switch {
	case bytes.IndexByte(b[:last], '\r') >= 0:
		c.wrong = errContentBare
	case c.line > c.lineMost:
		c.wrong = errContentLine
	}
}

// data reads the content of DATA in the form of the wire, dots doubled (RFC 5321 section 4.5.2), up to CR LF . CR LF and no
// other sequence.
type data struct {
	in    *wire
	begin bool // the next byte begins a line
}

// next gives the bytes that have come, good until the next call; done: the end has been read, which is not among them.
func (d *data) next() (piece []byte, done bool, err error) {
	for {
		n, done := d.scan(d.in.unread())
		if n > 0 || done {
			piece = d.in.buf[d.in.r : d.in.r+n]
			d.in.r += n
			if done {
				d.in.r += len(theEnd)
			}
			return piece, done, nil
		}
		if err := d.in.fill(); err != nil {
			return nil, false, err
		}
	}
}

const theEnd = ".\r\n"

// scan tells how many of the bytes are content, and whether the end follows them. It leaves what can't be told apart yet.
func (d *data) scan(b []byte) (n int, done bool) {
	for n < len(b) {
		if d.begin && b[n] == '.' {
			rest := b[n:]
			if len(rest) < len(theEnd) && string(rest) == theEnd[:len(rest)] {
				return n, false
			}
			if bytes.HasPrefix(rest, []byte(theEnd)) {
				return n, true
			}
		}
		end := lineEnd(b, n)
		if end < 0 {
			d.begin = false
			if b[len(b)-1] == '\r' && n < len(b)-1 {
				return len(b) - 1, false // to see the LF with its CR
			}
			if b[len(b)-1] == '\r' {
				return n, false
			}
			return len(b), false
		}
		n, d.begin = end, true
	}
	return n, false
}

// lineEnd is behind the first CR LF at or behind a position, -1 where there is none.
func lineEnd(b []byte, from int) int {
	for at := from; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		if at += i + 1; at-from > 1 && b[at-2] == '\r' {
			return at
		}
	}
}

// stuff appends content with the dots at the beginning of lines doubled.
func stuff(dst, b []byte, begin *bool) []byte {
	for len(b) > 0 {
		if *begin && b[0] == '.' {
			dst = append(dst, '.')
		}
		i := bytes.IndexByte(b, '\n')
		*begin = i >= 0
		if i < 0 {
			i = len(b) - 1
		}
		dst = append(dst, b[:i+1]...)
		b = b[i+1:]
	}
	return dst
}

// unstuff is content as it was before its dots were doubled.
func unstuff(b []byte) []byte {
	plain := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] == '.' {
			b = b[1:]
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			i = len(b) - 1
		}
		plain = append(plain, b[:i+1]...)
		b = b[i+1:]
	}
	return plain
}
