package daemon

import (
	"time"

	"osm"
	"osm/action"
	"osm/hold"
	"osm/window"
)

// bySender collects messages whose senders are to be told: some of each, and how many there are.
type bySender map[osm.Key]*told

type told struct {
	some  []hold.Message
	count int
}

// mostTold bounds the senders that are told in one go: a storm is no reason for another one.
const mostTold = 200

// add collects a message, unless nobody can be told about it.
func (b bySender) add(m *hold.Message) {
	at := b[m.Key]
	if at == nil {
		if len(b) >= mostTold || !action.Tellable(m.Owner) {
			return
		}
		at = &told{}
		b[m.Key] = at
	}
	at.count++
	if len(at.some) < mostNamed {
		at.some = append(at.some, *m)
	}
}

// noticeHeld tells senders of mail that is held, each at most once a day.
func (s *session) noticeHeld() {
	held, now := bySender{}, time.Now()
	s.eachHeld(func(m *hold.Message) {
		if g, _ := s.holds.book.Group(m.Key); m.State == hold.Held && g.MayTell(now) {
			held.add(m)
		}
	})
	s.mu.Lock()
	for key := range held {
		if !s.holds.book.Told(key, now) {
			delete(held, key)
		}
	}
	s.mu.Unlock()
	s.tellAll(hold.HeldNotice, held)
}

// tellAll writes to whoever sent the messages: to the mailbox of the login or unix user, never to the address that
// the mail claims to come from, which may be anybody's. Nobody is told the same twice a day.
func (s *session) tellAll(n hold.Notice, all bySender) {
	if len(all) == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	secret, host := s.holds.book.Secret(), s.cfg.Alert.HostName()
	s.mu.Unlock()
	link := func(id string) string {
		if s.holds.cfg.Load().Link == "" || n != hold.HeldNotice {
			return ""
		}
		return s.holds.cfg.Load().Link + hold.Sign(secret, id, now.Add(time.Duration(s.holds.cfg.Load().LinkFor)))
	}
	for key, at := range all {
		subject, text := n.Text(host, at.some, at.count, link)
		id := string(n) + "-" + osm.ShortID(window.Hash(uint64(key.Kind), key.Value)) + now.Format("-20060102")
		s.alarm.outbox.PutLetter(action.Letter{ID: id, Way: "customer", Next: now,
			Mail: &action.Mail{To: []string{at.some[0].Owner}, Time: now, Subject: subject, Text: text}})
	}
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
