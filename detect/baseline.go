package detect

import (
	"fmt"
	"strings"
	"time"

	"osm"
	"osm/window"
)

// Baseline is what a sender usually does, for people.
type Baseline struct {
	Key       osm.Key
	Score     float64       // now, in the unit of the thresholds: the higher one of its usual and its unusual mail
	Stopped   bool          // mail that comes like the suspicious messages is stopped until the score decays or a person releases it
	FirstSeen time.Time     // first message
	LastSeen  time.Time     // last message
	Messages  int           // accepted
	Habits    []osm.Finding // Fact: the habit; Normal: what is usual
	Evidence  []osm.Finding // what weighs now, the strongest first
}

// Explain tells a sender's baseline as of time now; ok is false when the sender is not known.
func (d *Detector) Explain(key osm.Key, now time.Time) (b Baseline, ok bool) {
	s := d.named(key)
	if s == nil {
		return Baseline{}, false
	}
	b = Baseline{Key: s.key, FirstSeen: time.Unix(int64(s.first), 0).UTC(), LastSeen: time.Unix(int64(s.last), 0).UTC(),
		Messages: int(s.sent), Habits: s.usual()}
	seconds := window.Seconds(max(now.Unix(), 0))
	for _, e := range []*evidence{&s.familiar, &s.strange} {
		late := *e
		late.fade(seconds, d.halfLife)
		l := &look{Prints: &Prints{}, m: &osm.Message{Class: classOf(key.Kind)}, s: s, slot: &late, now: seconds, strange: e == &s.strange}
		// Where a message comes from weighs with the message: the highest score of late tells of that part.
		if score := float64(max(d.score(l), late.held)); score > b.Score {
			b.Score, b.Evidence = score, d.findings(l)
		}
	}
	b.Stopped = b.Score >= d.cfg.Suspect
	return b, true
}

// HasSent tells whether mail of a login was ever accepted. Unlike Explain it puts nothing into words.
func (d *Detector) HasSent(login string) bool {
	s := d.named(osm.Key{Kind: osm.KeyLogin, Value: login})
	return s != nil && s.sent >= 1
}

// named finds a sender by what people call it. Only a login is found by that alone: several users may share a folder's name, and
// the latest of them counts.
func (d *Detector) named(key osm.Key) (found *sender) {
	if key.Kind == osm.KeyLogin {
		found, _ = d.senders.index.get(window.Pair(hashText(key.Value), uint64(osm.KeyLogin)))
		return found
	}
	for _, s := range d.senders.ring {
		if s.key.Kind == key.Kind && strings.EqualFold(s.key.Value, key.Value) && (found == nil || s.last > found.last) {
			found = s
		}
	}
	return found
}

func classOf(kind osm.KeyKind) osm.Class {
	switch kind {
	case osm.KeyLogin:
		return osm.Login
	case osm.KeyClient, osm.KeySenderDomain:
		return osm.Localhost
	case osm.KeySender:
		return osm.List
	}
	return osm.Local
}

// usual is a sender's habits in words.
func (s *sender) usual() []osm.Finding {
	line := func(fact, normal string) osm.Finding { return osm.Finding{Fact: fact, Normal: normal} }
	all := []osm.Finding{
		line("new-recipients", percent(&s.newRecipient)+" of recipients are new"),
		line("volume", fmt.Sprintf("up to about %.0f new recipients a day", window.FromLevel(s.topDay))),
		line("rate", fmt.Sprintf("up to about %.0f recipients an hour", s.week.Top())),
		line("refused", percent(&s.refused)+" of recipients do not exist"),
	}
	if s.key.Kind == osm.KeyLogin {
		all = append(all, line("new-network", osm.Count(s.habitual(networks), "network")+", "+
			osm.Count(s.habitual(helos), "HELO name")+" used for long"))
	}
	return append(all, line("many-senders", osm.Count(s.habitual(froms), "envelope sender")+" used for long"))
}

func (s *sender) habitual(p property) (n int) {
	for a := range s.each(p) {
		if a.trust >= matureTrust {
			n++
		}
	}
	return n
}

// Release is a person's word that a sender's mail was wanted: its score is cleared, and what it did of late becomes its
// habit at once, so that the same oddities do not stop it again. It tells whether the sender is known.
func (d *Detector) Release(key osm.Key, now time.Time) bool {
	s := d.named(key)
	if s == nil {
		return false
	}
	seconds := window.Seconds(max(now.Unix(), 0))
	for _, e := range []*evidence{&s.familiar, &s.strange} {
		fresh := e.fresh
		if e.recipients > 0 {
			s.newRecipient.add(true, fresh)
			s.newRecipient.add(false, e.recipients-fresh)
		}
		s.topDay = max(s.topDay, window.ToLevel(fresh))
		*e = evidence{at: seconds}
	}
	for _, h := range s.habits() {
		h.close(true)
	}
	for p := range properties {
		for a := range s.each(p) {
			a.trust, a.born = max(a.trust, matureTrust), min(a.born, seconds-matureAge)
		}
	}
	s.worst, s.strangers, s.complaints = 0, 0, window.Decayed{}
	if a, ok := d.accounts.index.get(s.account); ok && a.by == s.hash {
		a.stop = window.Decayed{}
		d.accounts.touch(a, seconds)
	}
	d.senders.touch(s, seconds)
	return true
}
