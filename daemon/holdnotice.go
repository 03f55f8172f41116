package daemon

import (
	"time"

	"osm"
	"osm/action"
	"osm/hold"
)

// mostTold bounds the senders that are told in one go: a storm is no reason for another one.
const mostTold = 200

// noticeHeld tells senders of mail that is held, each at most once a day.
func (s *session) noticeHeld() {
	type sender struct {
		some  []hold.Message
		count int
	}
	senders := map[osm.Key]*sender{}
	s.eachHeld(func(m *hold.Message) {
		at := senders[m.Key]
		if at == nil {
			if len(senders) >= mostTold || m.State != hold.Held || !action.Tellable(m.Owner) {
				return
			}
			at = &sender{}
			senders[m.Key] = at
		}
		if m.State != hold.Held {
			return
		}
		at.count++
		if len(at.some) < mostNamed {
			at.some = append(at.some, *m)
		}
	})
	now := time.Now()
	for key, at := range senders {
		s.mu.Lock()
		may := s.holds.book.Told(key, now)
		s.mu.Unlock()
		if may {
			s.tellSender(hold.HeldNotice, at.some, at.count, now)
		}
	}
}

// tellSender writes a notice to whoever sent the messages: to the mailbox of the login or unix user, never to the address that the mail
// claims to come from, which may be anybody's.
func (s *session) tellSender(n hold.Notice, all []hold.Message, count int, now time.Time) {
	owner := all[0].Owner
	if !action.Tellable(owner) {
		return
	}
	s.mu.Lock()
	secret, cfg := s.holds.book.Secret(), s.cfg.Alert
	s.mu.Unlock()
	link := func(id string) string {
		if s.holds.cfg.Link == "" || n != hold.HeldNotice {
			return ""
		}
		return s.holds.cfg.Link + hold.Sign(secret, id, now.Add(time.Duration(s.holds.cfg.LinkFor)))
	}
	subject, text := n.Text(cfg.HostName(), all, count, link)
	s.alarm.outbox.PutLetter(action.Letter{ID: string(n) + "-" + all[0].ID, Way: "customer", Next: now,
		Mail: &action.Mail{To: []string{owner}, Time: now, Subject: subject, Text: text}})
	s.alarm.awake()
}

// eachHeld shows every message of the book, a part of it at a time; the pointer is valid until fn returns.
func (s *session) eachHeld(fn func(m *hold.Message)) {
	s.mu.Lock()
	below := s.holds.book.All()
	s.mu.Unlock()
	for below > 0 {
		s.mu.Lock()
		below = s.holds.book.Each(below, lookAtOnce, fn)
		s.mu.Unlock()
	}
}
