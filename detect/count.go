package detect

import (
	"math"

	"osm"
	"osm/window"
)

// count adds the message to the evidence of late.
func (d *Detector) count(l *look) {
	s, m, e := l.s, l.m, l.slot
	e.fade(l.now, d.halfLife)
	e.messages++
	if l.newNetwork && (l.confident > 0.3 || d.young(s.first, l.now) > 0.5) { // a new sender has one place, not several
		e.networks += d.elsewhere(l)
	}
	if l.newFrom {
		e.froms += 0.5
		if !d.ownDomain(l) {
			e.froms += 0.5
		}
	}
	if l.subject != nil && !l.subject.mature(l.now) {
		e.newSubject++
		if l.subject.born != l.now && e.recent == l.subject.hash || l.subject.last > l.subject.born {
			e.repeats++
			l.again = true
		}
		e.recent = l.subject.hash
	}
	d.recipients(l)
	if l.subject != nil {
		l.subject.deliver(l.fresh, len(m.Recipients), l.now)
	}
	n := float32(len(m.Recipients))
	s.inHr += n
	s.quick.Add(l.now, quickSpan, n)
	d.senders.touch(s, l.now)
}

// recipients compares them with those that the sender, and others here, have mailed before. The run of strangers is a CUSUM
// (Page 1954) of the log likelihood ratio between a thief's list and the sender's habit: it rises in a few messages
// whatever else the sender sends meanwhile, and never sinks below zero.
func (d *Detector) recipients(l *look) {
	e := l.slot
	d.fresh = d.fresh[:0]
	for _, r := range l.to {
		fresh := d.stranger(l, r)
		l.fresh += fresh
		d.fresh = append(d.fresh, fresh)
	}
	e.recipients += float32(len(l.to))
	e.list.follow(d.fresh, l.m.Class == osm.Login)
	if l.fresh == 0 && e.run == 0 {
		return // which is most mail
	}
	usual := d.strangerShare(l)
	up := max(float32(math.Log(float64(thief/usual))), 0)
	down := float32(math.Log(float64((1 - thief) / (1 - usual))))
	for _, fresh := range d.fresh {
		e.run = min(max(e.run+fresh*up+(1-fresh)*min(down, 0), 0), runLimit)
	}
	e.fresh += l.fresh
	l.s.strangers += l.fresh
}

// thief is the share of strangers among the recipients of a sender whom a thief uses beside his owner, and runLimit is
// where a run of them is beyond doubt.
const (
	thief    = 0.87
	runLimit = 20
)

// stranger is how far a recipient is one: 1 when nobody here has ever mailed him, 0 when this sender has.
func (d *Detector) stranger(l *look, recipient uint64) float32 {
	switch {
	case d.known.Has(window.Pair(l.s.hash, recipient)):
		return 0
	case l.account != 0 && d.known.Has(window.Pair(l.account, recipient)):
		return knownToAccount
	case d.known.Has(recipient):
		return 0.3
	}
	l.unknown++
	return 1
}

// strangerShare is the share of recipients never mailed before that is usual for the sender, at the upper end of what his
// history leaves open.
func (d *Detector) strangerShare(l *look) float32 {
	s := l.s
	mean, strength := float32(0.25), float32(12)
	if s.key.Kind != osm.KeyLogin {
		mean, strength = 0.5, 4
	}
	h := min(max(s.newRecipient.of(mean, strength), 0.03), 0.97)
	if guised := min((l.weights[newSubject]+l.weights[foreignSender])/3, 1); guised > 0.3 { // the habit is that of his usual mail
		h = min(h, 1-0.7*guised)
	}
	sd := float32(math.Sqrt(float64(h * (1 - h) / (s.newRecipient.all/4 + 4))))
	return min(max(h+0.5*sd, 0.05), 0.97)
}

// repeatMean is how often senders of a kind repeat subjects, as long as nothing is known of this one.
func repeatMean(m *osm.Message) float32 {
	if m.Class == osm.Login {
		return 0.2
	}
	return 0.7
}
