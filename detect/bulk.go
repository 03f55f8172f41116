package detect

import (
	"math"
	"strings"

	"osm"
	"osm/window"
)

// quickSpan is the half-life of the count behind pace, in seconds.
const quickSpan = 600

// saturate grows from 0 to 1, about as x at first.
func saturate(x float32) float32 {
	if x <= 0 {
		return 0
	}
	return 1 - float32(math.Exp(-float64(x)))
}

// raised is by how much the limit of bulk is raised for a script that does, under the envelope sender it has always used or
// under none of its own, what it has never done: writes to strangers, when in many messages it never did (a contact form), or
// to many more in two days than it used to in its busiest ones. A first newsletter comes under a name of its own.
func (d *Detector) raised(l *look) float32 {
	s := l.s
	if l.m.Class != osm.Local || l.from == nil {
		return 0
	}
	// It writes in the names of visitors, many of whom have their address where visitors of other sites have theirs.
	visitors := s.newFrom.of(0.05, 10) >= 0.3 && (!d.ownDomain(l) || d.known.Has(window.Pair(sharedDomain, l.domain)))
	if !visitors && !l.from.mature(l.now) && !asUser(l.m) {
		return 0
	}
	most, h := float32(0), s.newRecipient.of(0.5, 2)
	if s.newRecipient.all >= 15 && h < 0.1 {
		most = 5 * (0.1 - h) / 0.1
	}
	if window.Elapsed(s.first, l.now) > 10*day {
		enough := 5*window.FromLevel(s.topDay) + 8
		if s.newRecipient.all >= 15 && h >= 0.3 { // strangers are nothing new, and busy days happen
			enough = 2*enough + 15
		}
		most = max(most, 2.5*saturate(l.slot.run/6)*logPart(l.slot.fresh/enough, 1.5))
	}
	return most
}

// asUser tells whether the envelope sender is the unix user: the one that mail has for which a program sets none.
func asUser(m *osm.Message) bool {
	name, _, ok := strings.Cut(m.Sender, "@")
	return ok && m.User != "" && name == m.User
}

// weighBulk weighs much mail to strangers.
func (d *Detector) weighBulk(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	guised := min((w[newSubject]+w[foreignSender])/3, 1)
	if e.run > 0 {
		w[newRecipients] = saturate(e.run/6) * d.most[newRecipients] * (1 + d.raised(l)/10)
		// A few new readers of a newsletter, one after the other, are no run, unless all of it is strange.
		strange := w[newNetwork] + w[newAddress] + w[newHelo] + w[manySenders] + w[newSubject]
		w[newRecipients] *= min(1, max(3*l.freshPart(), strange/5))
	}
	if e.repeats > 0.5 {
		p := float32(0.3)
		if guised < 0.3 {
			p = s.repeats.of(repeatMean(l.m), 8)
		}
		unit := max(float32(math.Log(float64(0.9/p))), 0)
		w[sameSubject] = saturate(e.repeats*unit*0.2) * d.most[sameSubject] * min(1, e.fresh/(e.recipients*0.5+1))
	}
	strangers := min(1, e.fresh/(e.recipients+0.1)*1.5) // the known may get as much as they like
	w[rate] = logPart(s.inHr/(2*s.busy(l.now)+4), 3) * d.most[rate] * strangers
	w[volume] = logPart(e.fresh/(2*window.FromLevel(s.topDay)+4), 3) * d.most[volume]
	w[flood] = d.flooding(l, e.fresh) * d.most[flood]
	if s.week.Hours() < 6 {
		w[pace] = logPart(s.quick.Value(l.now, quickSpan)/6, 3) * d.most[pace] * strangers
	}
	w[manyRecipients] = d.crowd(l) * d.most[manyRecipients]
}

// freshPart is the share of strangers among those who got this subject today, and where these are few beside much other mail, among all
// of late: a newsletter may call each reader by name.
func (l *look) freshPart() float32 {
	late := l.slot.fresh / (l.slot.recipients + 0.1)
	if a := l.subject; a != nil && a.all > 0 {
		weight := 4 * min(1, l.slot.recipients/200)
		return (float32(a.fresh) + weight*late) / (float32(a.all) + weight)
	}
	return late
}

// crowd is how unusual the number of recipients of this one message is, in part for a sender of whom nothing is known.
func (d *Detector) crowd(l *look) float32 {
	n, w := len(l.m.Recipients), &l.weights
	if n < 6 || l.fresh <= 3 {
		return 0
	}
	unusual := min(max(float32(math.Log(float64(0.2/l.s.larger(n))))/5, 0), 1)
	young := d.young(l.s.first, l.now)
	known := max(l.confident, 0.55*young)
	odd := 0.5 + 0.5*max(min(1, (w[newNetwork]+w[newAddress]+w[newHelo]+w[newAccount])/2.5), young*l.isBought())
	return unusual * known * odd * l.fresh / float32(n)
}

// flooding is how far the number of new recipients is beyond what even a good list explains: from several hundred on when the
// mail comes from a person as it always does, sooner when it comes from elsewhere; of strangers alone from a part of that on; of a
// list of the sender's own from three times as many on, and of strangers who took hundreds of it from where he always is.
func (d *Detector) flooding(l *look, fresh float32) float32 {
	w, s := &l.weights, l.s
	odd := min((w[newNetwork]+w[newAddress]+w[newHelo])/1.2, 1)
	fresh /= 1 + 2*l.isOwn()
	welcome := l.isWelcome() * (1 - odd)
	bought := 1 + 2*l.isBought()*(1-welcome)
	elsewhere := logPart(fresh*bought/180, 3) * odd
	switch {
	case l.m.Class != osm.Login:
		return elsewhere
	case s.newRecipient.all < 20:
		// He is new, or was there all the time and hardly ever wrote: all are strangers to him.
		return max(elsewhere, logPart(fresh/(600*(1+2*welcome)), 2.5)*max(d.young(s.first, l.now), idle(s, l.now)))
	case s.newRecipient.of(0.25, 12) > 0.4:
		return elsewhere
	}
	return max(elsewhere, logPart(fresh*bought/400, 2.5))
}

// idle is how far a sender is known to write hardly ever: he was first seen long ago, and little came of it.
func idle(s *sender, now window.Seconds) float32 {
	return min(max(float32(window.Elapsed(s.first, now))/day-10, 0)/10, 1)
}

// logPart is 0 up to 1 and grows by one part of the whole with every doubling, up to 1.
func logPart(over float32, doublings float64) float32 {
	if over <= 1 {
		return 0
	}
	return min(float32(math.Log2(float64(over))/doublings), 1)
}
