package gateway

import (
	"errors"
	"fmt"
	"strconv"

	"osm"
)

// reply is an SMTP reply of the upstream's as it came over the wire, all its lines with their CR LF.
type reply struct {
	code int
	raw  []byte
}

// Bounds of what the upstream may answer (RFC 5321 section 4.5.3.1.5 has 512 bytes for a line).
const (
	replyLine = 4 << 10
	replyMost = 64 << 10
)

var errReply = errors.New("an answer that is no SMTP reply")

// readReply reads one reply and appends its bytes to raw.
func readReply(from *wire, raw []byte) (reply, error) {
	start, code := len(raw), 0
	for {
		line, err := from.line(replyLine)
		if err != nil {
			return reply{}, err
		}
		n, err := strconv.Atoi(string(line[:min(3, len(line))]))
		if err != nil || n < 200 || n > 599 || len(line) > 3 && line[3] != ' ' && line[3] != '-' || code != 0 && n != code ||
			len(raw)-start > replyMost {
			return reply{}, fmt.Errorf("%w: %s", errReply, osm.Printable(string(line[:min(len(line), 200)])))
		}
		code = n
		raw = append(append(raw, line...), "\r\n"...)
		if len(line) < 4 || line[3] == ' ' {
			return reply{code, raw[start:]}, nil
		}
	}
}

// ok tells whether a reply is positive.
func (r reply) ok() bool { return r.code/100 == 2 }

// text is what a reply says, its lines joined by spaces, made printable.
func (r reply) text() string {
	all := make([]byte, 0, len(r.raw))
	for i := 0; i < len(r.raw); {
		end := i
		for r.raw[end] != '\n' {
			end++
		}
		line := r.raw[i : end-1]
		if i > 0 {
			all = append(all, ' ')
		}
		all = append(all, line[min(4, len(line)):]...)
		i = end + 1
	}
	return osm.Printable(string(all))
}
