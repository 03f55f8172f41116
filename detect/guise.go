package detect

import (
	"strings"

	"osm"
	"osm/window"
)

// guise weighs the envelope sender and the subject.
func (d *Detector) guise(l *look) {
	s, m, w := l.s, l.m, &l.weights
	if m.Sender != "" {
		l.from, l.newFrom = s.find(froms, &s.recent.from, l.sender, l.now)
		l.newFrom = l.newFrom && !d.known.Has(window.Pair(s.hash+knownSender, l.from.hash))
		if !l.from.mature(l.now) && !l.from.founding(s) && !d.ownDomain(l) {
			w[foreignSender] = d.settled(l.now) * max(l.confident, 0.5) * surprise(s.newFrom.of(0.05, 10), d.most[foreignSender])
		}
	}
	if l.words > 0 && (!l.reply || m.Class != osm.Login) {
		l.subject, l.newSubject = s.find(subjects, &s.recent.subject, l.template, l.now)
		if !l.subject.mature(l.now) && !l.subject.founding(s) {
			// In place of the usual mail, not beside it, it may be a new version of the same program.
			beside := 0.65 + 0.35*min(1, s.inHr/(s.busy(l.now)+1))
			usual := min(1, s.repeats.of(repeatMean(m), 8)/0.6)
			w[newSubject] = beside * usual * l.confident * s.seasoned() * surprise(s.newSubject.of(0.5, 6), d.most[newSubject])
			if l.from != nil && !l.from.mature(l.now) && w[foreignSender] == 0 {
				w[newSubject] *= 0.6 // a new mailing under a new name of the same house
			}
		}
	}
}

// seasoned is how far the sender has a subject that lasts. A newsletter has another one for each issue, however many its
// readers, and the next one is no surprise.
func (s *sender) seasoned() float32 {
	var longest window.Seconds
	for a := range s.each(subjects) {
		if a.trust >= matureTrust {
			longest = max(longest, window.Elapsed(a.born, a.last))
		}
	}
	return min(1, float32(longest)/(5*day))
}

// ownDomain tells whether the envelope sender's domain is one that the sender or his account has written as.
func (d *Detector) ownDomain(l *look) bool {
	if l.m.Class == osm.Login && strings.EqualFold(domainOf(l.m.Login), domainOf(l.m.Sender)) {
		return true
	}
	if d.known.Has(window.Pair(l.s.hash+knownDomain, l.domain)) {
		return true
	}
	return l.account != 0 && d.known.Has(window.Pair(l.account+knownDomain, l.domain))
}

// novelty weighs senders that were not there before.
func (d *Detector) novelty(l *look) {
	s, m, w := l.s, l.m, &l.weights
	young := d.young(s.first, l.now) * 60 / (60 + s.sent)
	switch m.Class {
	case osm.Local, osm.System:
		if s.key.Kind == osm.KeyScript && young > 0 {
			w[uploadFolder] = young * uploadPath(m.Script.Path) * d.most[uploadFolder]
			w[newScript] = young * d.continuity(l) * d.most[newScript]
			// Visitors of a new site come one by one.
			w[newAccount] = (0.3 + 0.7*min(1, s.inHr/30)) * min(young, d.young(d.firstSeen(l), l.now)) * d.most[newAccount]
		}
	case osm.Login:
		if young == 0 {
			break
		}
		w[newAccount] = min(young, max(d.young(d.firstSeen(l), l.now), 0.45*(d.elsewhere(l)-0.4))) * d.most[newAccount]
	case osm.Localhost, osm.Relay:
		w[newAccount] = young * d.most[newAccount]
	}
	if a := l.owner; a != nil && a.by != s.hash && m.Class == osm.Local {
		w[neighbour] = min(a.stop.Value(l.now, 3*day), 1) * max(young, w[foreignSender]/3) * d.most[neighbour]
	}
}

// young is how new something first seen then is, 1 to 0. What is first seen when this server has only just begun to be
// watched may have been there for long.
func (d *Detector) young(first, now window.Seconds) float32 {
	watched := min(max(float32(window.Elapsed(d.began, first))-6*day, 0)/(4*day), 1)
	if watched == 0 {
		return 0
	}
	return watched * window.Fade(window.Elapsed(first, now), 8*day)
}

// settled is how far this server has been watched for long enough to know what is usual, 0 to 1.
func (d *Detector) settled(now window.Seconds) float32 {
	return min(float32(window.Elapsed(d.began, now))/(5*day), 1)
}

// firstSeen is when the account or the envelope sender's domain was first seen.
func (d *Detector) firstSeen(l *look) window.Seconds {
	first := l.now
	if l.owner != nil {
		first = min(first, l.owner.first)
	}
	if a, ok := d.accounts.index.get(l.domain); ok {
		first = min(first, a.first)
	}
	return first
}

// continuity is how much of a new script is new to its account: little when it goes on with the account's senders and
// subjects, as a site does that moved to another folder.
func (d *Detector) continuity(l *look) float32 {
	if l.account == 0 {
		return 1
	}
	part := float32(1)
	if d.known.Has(window.Pair(l.account+knownDomain, l.domain)) {
		part -= 0.3
	}
	if l.words > 0 && d.known.Has(window.Pair(l.account+knownSubject, l.template)) {
		part -= 0.6
	}
	return part
}

// grown is how far a login is old enough to have habits; the habits of scripts show at once.
func (l *look) grown() float32 {
	if l.m.Class != osm.Login {
		return 1
	}
	return min(float32(window.Elapsed(l.s.first, l.now))/(7*day)+0.3, 1)
}
