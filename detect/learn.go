package detect

import (
	"osm"
	"osm/window"
)

// learn makes an accepted message part of its sender's past. The more suspicious the moment, the less is learned.
func (d *Detector) learn(l *look, m *osm.Message) {
	s, now := l.s, l.now
	s.sent++
	d.senders.touch(s, now)
	d.remember(l)
	if !l.calm {
		return
	}
	l.trust(l.from, l.subject)
	// Neither strangers nor a rush through the address book are a sign that he is himself.
	if l.fresh == 0 && s.inHr <= 1.5*s.busy(now)+2 || d.strangerShare(l) > 0.6 {
		l.trust(l.network, l.wide, l.provider, l.client, l.helo, l.private, l.country)
	}
	if l.network != nil {
		if !l.odd && m.Where.Known() {
			s.where, s.whereAt = m.Where, now
		}
		if l.account != 0 && l.network.mature(now) && !l.network.shared {
			d.known.Add(window.Pair(l.account+knownNetwork, l.Prints.network), now)
			l.network.shared = true
		}
		s.newNetwork.add(l.newNetwork && !l.network.founding(s), 1)
		s.newClient.add(l.newClient && !l.client.founding(s), 1)
	}
	if l.helo != nil {
		s.newHelo.add(l.newHelo && !l.helo.founding(s), 1)
	}
	if l.from != nil {
		s.newFrom.add(l.newFrom && !l.from.founding(s), 1)
		if !l.from.mature(now) {
			d.known.Add(window.Pair(s.hash+knownSender, l.from.hash), now)
			d.known.Add(window.Pair(s.hash+knownDomain, l.domain), now)
			d.writesIn(l, now)
		}
	}
	if l.subject != nil {
		s.newSubject.add(l.newSubject && !l.subject.founding(s), 1)
		s.repeats.add(l.subject.last > l.subject.born, 1)
		if !l.subject.mature(now) {
			d.known.Add(window.Pair(l.account+knownSubject, l.template), now)
		}
	}
	if m.Class == osm.Login && !l.strange && m.HasSubject && s.sent > 10 {
		for _, p := range l.pairs[:l.paired] {
			d.phrases.Add(p, now)
		}
	}
}

// trust notes that values were used while nothing was suspicious.
func (l *look) trust(values ...*attr) {
	for _, a := range values {
		if a != nil && a.trust < 255 {
			a.trust++
		}
	}
}

// remember makes recipients known.
func (d *Detector) remember(l *look) {
	if len(l.to) == 0 {
		return
	}
	for _, h := range l.to {
		was := d.known.Add(window.Pair(l.s.hash, h), l.now)
		l.s.newRecipient.add(!was, 1)
		if was {
			continue // and to all others here then
		}
		d.known.Add(h, l.now)
		if l.account != 0 {
			d.known.Add(window.Pair(l.account, h), l.now)
		}
	}
	l.s.learnSize(len(l.to))
}

// learnOutside notes who writes to whom here: an answer to a stranger who wrote first is not mail to a stranger.
func (d *Detector) learnOutside(p *Prints, m *osm.Message, now window.Seconds) {
	if m.Sender == "" || m.Class != osm.Inbound && m.Class != osm.Forward || len(m.Recipients) > 20 {
		return
	}
	from := hashText(m.Sender)
	for i, r := range m.Recipients {
		if m.Class == osm.Inbound {
			d.account(hashText(domainOf(r)), now)
		}
		login := window.Pair(p.to[i], uint64(osm.KeyLogin))
		d.known.Add(window.Pair(login, from), now)
	}
}

// answer weighs what a receiver said.
func (d *Detector) answer(l *look, dl *osm.Delivery) {
	if !dl.Remote && dl.Outcome == osm.Delivered {
		return
	}
	s := l.s
	e := &s.familiar
	if l.strange = d.slots.get(hashText(l.m.ID)); l.strange {
		e = &s.strange
	}
	e.fade(l.now, d.halfLife)
	switch {
	case dl.Outcome == osm.Delivered:
		e.answers++
		e.deadRun = s.died(e.deadRun, false)
		e.spamRun = s.spurned(e.spamRun, false)
		s.refused.add(false, 1)
		s.refusedSpam.add(false, 1)
	case dl.Refusal == osm.NoSuchUser && dl.Outcome == osm.Failed:
		if d.known.Add(window.Pair(s.hash+knownDead, hashText(dl.Recipient)), l.now) {
			break // a shop that tells its owner at a dead address has one of these, not a list of them
		}
		e.answers++
		e.unknown++
		e.deadRun = s.died(e.deadRun, true)
		s.refused.add(true, 1)
	case dl.Refusal == osm.Spam || dl.Refusal == osm.Listed || dl.Refusal == osm.RateLimited:
		e.answers++
		e.spam++
		e.spamRun = s.spurned(e.spamRun, true)
		s.refusedSpam.add(true, 1)
	}
	if len(l.m.Recipients) == 0 && dl.Outcome != osm.Deferred {
		d.late(l, e, dl)
	}
	d.senders.touch(s, l.now)
}

// late counts a recipient that was not logged at arrival.
func (d *Detector) late(l *look, e *evidence, dl *osm.Delivery) {
	to := dl.Original
	if to == "" {
		to = dl.Recipient
	}
	l.slot = e
	l.fresh = 0
	l.to = append(l.to[:0], hashText(to))
	d.recipients(l)
	l.s.inHr++
	l.s.quick.Add(l.now, quickSpan, 1)
	d.remember(l)
}

// writesIn notes the domain that an account writes in, and when several accounts do: then it is a mail service's, nobody's own.
func (d *Detector) writesIn(l *look, now window.Seconds) {
	own, any, shared := window.Pair(l.account+knownDomain, l.domain), window.Pair(anyDomain, l.domain), window.Pair(sharedDomain, l.domain)
	switch {
	case d.known.Has(shared):
		d.known.Add(shared, now) // is not forgotten
	case d.known.Has(own):
	case d.known.Has(any):
		d.known.Add(shared, now)
	default:
		d.known.Add(any, now)
	}
	d.known.Add(own, now)
}
