package gateway

import (
	"fmt"
	"strconv"
	"strings"
)

// data answers DATA and takes the message.
func (s *session) data(c command) {
	early := len(s.wire.unread()) > 0
	if !s.settle() {
		return
	}
	switch {
	case c.args != "":
		s.refuse(501, "5.5.4", "DATA has no arguments")
	case !s.mail.begun || s.mail.transfer != nil:
		s.refuse(503, "5.5.1", "MAIL and RCPT first")
	case len(s.mail.recipients)+len(s.mail.discarded) == 0:
		s.noRecipients()
	case early: // RFC 2920 section 3.1: DATA is the last of a group
		s.end(554, "5.5.0", "content before the answer to DATA")
	default:
		s.out = append(s.out, "354 go ahead, end with <CR><LF>.<CR><LF>\r\n"...)
		if !s.flush() {
			s.over = true
			return
		}
		s.receive(s.newTransfer())
	}
}

// noRecipients lets the upstream say that there is nobody to send to.
func (s *session) noRecipients() {
	said, err := s.link.ask("DATA")
	switch {
	case err != nil:
		s.lost()
	case said.code/100 < 4: // it sees it otherwise; nothing was promised to anybody
		s.lose()
		s.finish()
		s.refuse(554, "5.5.1", "no valid recipients")
	default:
		s.out = append(s.out, said.raw...)
		s.errors++
		s.over = s.over || said.code == 421
	}
}

// receive takes the content of DATA.
func (s *session) receive(t *transfer) {
	content := data{in: &s.wire, begin: true}
	for {
		piece, done, err := content.next()
		if err != nil {
			t.giveUp()
			s.finish()
			if !s.broken(err) {
				s.over = true
			}
			return
		}
		if len(piece) > 0 {
			t.add(piece, done)
		}
		if done {
			t.end()
			return
		}
		if t.answer != nil && t.size > 2*s.sizeLimit() { // it was refused long ago
			s.out = append(s.out, t.answer...)
			t.giveUp()
			s.finish()
			s.over = true
			return
		}
	}
}

// bdat answers BDAT (RFC 3030) and takes a chunk. The upstream gets the message by DATA: dots are doubled, and a line end is
// added where the last one is missing.
func (s *session) bdat(c command) {
	if !s.settle() {
		return
	}
	size, last, ok := parseChunk(c.args)
	if !ok {
		s.refuse(501, "5.5.4", "BDAT needs a size, and may have LAST")
		s.over = true // how much is to be read is not known
		return
	}
	if !s.mail.begun || len(s.mail.recipients)+len(s.mail.discarded) == 0 {
		s.refuse(503, "5.5.1", "MAIL and RCPT first")
		s.over = !s.flush() || s.skip(size) != nil
		return
	}
	t := s.mail.transfer
	if t == nil {
		t = s.newTransfer()
		s.mail.transfer = t
		t.begins = true
	}
	if err := s.chunk(t, size); err != nil {
		s.drop()
		s.finish()
		if !s.broken(err) {
			s.over = true
		}
		return
	}
	switch {
	case t.answer != nil && !last:
		s.out = append(s.out, t.answer...)
		s.drop()
		s.finish()
	case last:
		s.mail.transfer = nil
		if !t.begins {
			t.add([]byte("\r\n"), true)
		}
		t.end()
	default:
		s.say(250, "2.0.0", fmt.Sprintf("%d bytes received", size))
	}
}

func parseChunk(args string) (size int64, last, ok bool) {
	first, rest, _ := strings.Cut(args, " ")
	n, err := strconv.ParseUint(first, 10, 62)
	last = strings.EqualFold(rest, "LAST")
	return int64(n), last, err == nil && (last || rest == "")
}

// chunk takes the bytes of a chunk.
func (s *session) chunk(t *transfer, size int64) error {
	var stuffed []byte
	for size > 0 {
		if len(s.wire.unread()) == 0 {
			if err := s.wire.fill(); err != nil {
				return err
			}
		}
		piece := s.wire.unread()
		piece = piece[:min(int64(len(piece)), size)]
		s.wire.r += len(piece)
		size -= int64(len(piece))
		stuffed = stuff(stuffed[:0], piece, &t.begins)
		t.add(stuffed, false)
	}
	return nil
}

// skip reads over a chunk that nobody wants.
func (s *session) skip(size int64) error {
	for size > 0 {
		if len(s.wire.unread()) == 0 {
			if err := s.wire.fill(); err != nil {
				return err
			}
		}
		n := min(int64(len(s.wire.unread())), size)
		s.wire.r += int(n)
		size -= n
	}
	return nil
}
