// Package detect tells spam from wanted mail by what is normal for each sender. It weighs every message and every answer
// of a receiver against the sender's own past, adds the evidence up, and says what should be done. It is a pure function of
// what it is given: it reads no clock, no file and no network. It leaves to others who a message belongs to (enrich),
// the administrator's lists and limits (policy), and carrying a decision out (action).
package detect

import (
	"net/netip"
	"time"

	"osm"
	"osm/window"
)

// Assessment is what the detector thinks of one message.
type Assessment struct {
	Action   osm.Action    // Accept, Hold (suspicious: slow down, sample and hold) or Reject (stop)
	Rule     string        // the kind of attack it looks like: stolen-login, hacked-script, ...; "" when accepted
	Reason   string        // the strongest fact, as in the table of weights
	Detail   string        // the strongest fact in words: "412 of 420 never mailed before"
	Key      osm.Key       // whom it is charged to
	Score    float64       // the sender's score with this message, in the unit of the thresholds
	Findings []osm.Finding // every fact that weighed, strongest first; only when the message is not accepted
}

// Detector holds what is known of every sender. It is not safe for concurrent use: one engine goroutine owns it.
type Detector struct {
	cfg        Config
	most       [facts]float32 // the weights, as configured
	halfLife   float64        // seconds
	clock      window.Clock
	began      window.Seconds // first message ever seen
	beganDirty bool
	senders    table[*sender]
	accounts   table[*account] // by account and by domain
	known      *window.Known
	phrases    *window.Known // pairs of words in the subjects of ordinary mail
	likeness   likeness
	slots      slots
	look       look      // of the last message
	prints     Prints    // of the last message that came without
	fresh      []float32 // scratch of recipients
}

const knownPhrases = 300_000

// New makes a detector without any history.
func New(cfg Config) *Detector {
	d := &Detector{cfg: cfg, senders: newTable[*sender](cfg.Senders),
		known: window.NewKnown(cfg.Known), phrases: window.NewKnown(knownPhrases), likeness: newLikeness(), accounts: newTable[*account](2 * cfg.Senders),
		slots: make(slots, slotCells)}
	d.Tune(cfg)
	return d
}

// Tune puts other thresholds and weights into force. What is remembered stays, and so does how much that may be.
func (d *Detector) Tune(cfg Config) {
	cfg.Senders, cfg.Known = d.cfg.Senders, d.cfg.Known
	d.cfg, d.halfLife = cfg, time.Duration(cfg.HalfLife).Seconds()
	for f := range weights {
		d.most[f] = weights[f].most
		if w, ok := cfg.Weights[weights[f].name]; ok {
			d.most[f] = float32(w)
		}
	}
}

// Find weighs one message at its arrival. It counts the attempt whatever becomes of it; Learn follows with what was done.
func (d *Detector) Find(m *osm.Message) Assessment {
	return d.FindRead(m, nil)
}

// FindRead is Find of a message that was read before; nil is one that was not. The prints stay as they are until Learn.
func (d *Detector) FindRead(m *osm.Message, p *Prints) Assessment {
	if p == nil {
		p = &d.prints
		p.Read(m)
	}
	l := &d.look
	d.see(l, m, p, d.tick(m.Time))
	if !l.charged {
		return Assessment{}
	}
	d.context(l)
	l.settle()
	d.count(l)
	d.slots.put(p.id, l.strange)
	score := d.score(l)
	suspect := float32(d.cfg.Suspect)
	if l.slot.held >= stillStopped*suspect { // who was stopped stays so until the score has sunk well below
		suspect *= stillStopped
	}
	l.calm = score < calm
	l.s.worst = max(l.s.worst, score)
	if score >= suspect {
		l.slot.held = max(l.slot.held, score)
	}
	switch {
	case d.spared(l):
	case score >= float32(d.cfg.Stop):
		return d.assess(l, osm.Reject, score)
	case score >= suspect:
		return d.assess(l, osm.Hold, score)
	}
	return Assessment{Key: l.s.key, Score: float64(score)}
}

// stillStopped is the part of the threshold below which a stopped sender's score has to sink.
const stillStopped = 0.9

// Learn makes an accepted message part of its sender's past. A message that was not accepted teaches nothing.
func (d *Detector) Learn(m *osm.Message, accepted bool) {
	l := &d.look
	if l.m != m || l.id != m.ID { // it was found as a policy query, before it was logged
		d.prints.Read(m)
		if d.see(l, m, &d.prints, d.tick(m.Time)); l.charged {
			d.context(l)
			l.settle()
			l.calm = d.score(l) < calm
			d.slots.put(l.Prints.id, l.strange)
		}
	}
	l.m = nil
	if !accepted {
		return
	}
	if !l.charged {
		d.learnOutside(l.Prints, m, l.now)
		return
	}
	d.learn(l, m)
}

// settle picks the evidence that the message belongs to.
func (l *look) settle() {
	l.slot = &l.s.familiar
	if l.strange {
		l.slot = &l.s.strange
	}
}

// Delivery weighs a receiver's answer to an accepted message.
func (d *Detector) Delivery(m *osm.Message, dl *osm.Delivery) {
	l := &d.look
	d.prints.who(m)
	if d.see(l, m, &d.prints, d.tick(dl.Time)); l.charged {
		d.answer(l, dl)
	}
	l.m = nil
}

// AuthFailure notes a failed login. The login is what the client claimed to be and may be empty.
func (d *Detector) AuthFailure(t time.Time, login string, client netip.Addr) {
	if login == "" {
		return
	}
	if s, ok := d.senders.index.get(window.Pair(hashText(login), uint64(osm.KeyLogin))); ok {
		s.fails.Add(d.tick(t), day, 1)
	}
}

func (d *Detector) tick(t time.Time) window.Seconds {
	t = d.clock.Tick(t)
	now := window.Seconds(max(t.Unix(), 0))
	if d.began == 0 || now < d.began {
		d.began, d.beganDirty = now, true
	}
	return now
}

// account is what is known of a customer of the server as a whole.
type account struct {
	row
	first window.Seconds
	stop  window.Decayed // one of its senders was stopped
	by    uint64         // that sender
}

// owner finds the record of the account that a message of the sender belongs to; nil where there is none.
func (d *Detector) owner(s *sender, hash uint64, now window.Seconds) *account {
	a := s.owner
	if a == nil || a.hash != hash || a.gone {
		s.owner = d.account(hash, now)
		return s.owner
	}
	if window.Elapsed(a.last, now) > day {
		d.accounts.touch(a, now)
	}
	return a
}

// account finds the record of an account or a domain, or makes one.
func (d *Detector) account(hash uint64, now window.Seconds) *account {
	if hash == 0 {
		return nil
	}
	a, ok := d.accounts.index.get(hash)
	if !ok {
		a = &account{row: row{hash: hash, last: now}, first: now}
		d.accounts.add(a)
		d.accounts.touch(a, now)
	} else if window.Elapsed(a.last, now) > day {
		d.accounts.touch(a, now)
	}
	return a
}
