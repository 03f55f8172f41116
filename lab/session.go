package lab

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/emersion/go-smtp"
)

// session is one connection to a receiver.
type session struct {
	sink     *Sink
	receiver *receiver
	conn     *smtp.Conn
	mail     Received
}

func (s *session) Reset()        { s.mail = Received{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mail = Received{To: s.receiver.mx, Helo: s.conn.Hostname(), Sender: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if a := s.sink.judgeRecipient(s.receiver, to); a != nil {
		return a.reply(to, s.client())
	}
	s.mail.Recipients = append(s.mail.Recipients, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.Data = data
	mail := s.mail
	mail.Recipients = slices.Clone(mail.Recipients)
	if a := s.sink.judgeMessage(s.receiver, &mail); a != nil {
		return a.reply(mail.Recipients[0], s.client())
	}
	return nil
}

// client is our address as the receiver sees it.
func (s *session) client() string {
	host, _, _ := net.SplitHostPort(s.conn.Conn().RemoteAddr().String())
	return host
}

// judgeRecipient returns the refusal of a recipient, nil to take it.
func (s *Sink) judgeRecipient(r *receiver, to string) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, _, _ := strings.Cut(to, ".")
	var a *answer
	switch again := s.tried[to]; {
	case kind == "gone":
		a = &r.unknown
	case kind == "full":
		a = &r.full
	case kind == "grey" && !again:
		a = &r.greylisted
	case kind == "busy" && !again:
		a = &r.busy
	default:
		return nil
	}
	s.tried[to] = true
	s.refuse()
	return a
}

// judgeMessage returns the refusal of a message, nil after it was taken.
func (s *Sink) judgeMessage(r *receiver, m *Received) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	spam := s.options.Spam != "" && bytes.Contains(m.Data, []byte(s.options.Spam))
	if spam {
		s.spam++
	}
	reached := func(limit int) bool { return limit > 0 && s.spam > limit }
	switch {
	case reached(s.options.ListedAfter) && (spam || r.heedsLists):
		s.refuse()
		return &r.listed
	case spam && reached(s.options.SpamAfter):
		s.refuse()
		return &r.spam
	}
	if spam {
		s.totals.Spam++
	}
	s.take(m)
	return nil
}

func (s *Sink) refuse() {
	s.totals.Refused++
	s.wake()
}

func (s *Sink) take(m *Received) {
	s.totals.Messages++
	s.totals.Recipients += len(m.Recipients)
	s.perFrom[m.Sender]++
	for _, r := range m.Recipients {
		s.perTo[r]++
	}
	if len(s.kept) == s.options.Keep {
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	s.kept = append(s.kept, m)
	s.wake()
}

func (s *Sink) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}
