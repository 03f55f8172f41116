package detect

import (
	"math"
	"strings"

	"osm"
	"osm/window"
)

// see hashes a message and finds its sender.
func (d *Detector) see(l *look, m *osm.Message, now window.Seconds) {
	*l = look{m: m, now: now}
	kind, value, ok := charge(m)
	if !ok {
		return
	}
	l.charged = true
	hash := hashKey(m, kind, value)
	if m.Account != "" {
		l.account = window.Pair(hashText(m.Account), uint64(osm.KeyAccount))
	}
	s := d.senders.find(hash)
	if s == nil {
		if kind == osm.KeyClient {
			value = m.Client.Unmap().String()
		}
		s = &sender{key: osm.Key{Kind: kind, Value: strings.Clone(value)}, hash: hash, account: l.account, first: l.now, last: l.now}
		d.senders.add(s)
	}
	l.s = s
	s.tick(l.now)
	if m.HasSubject {
		l.template, l.words, l.reply = template(m.Subject)
	}
	l.domain = hashText(domainOf(m.Sender))
}

// context weighs where a message comes from and under which name, against what its sender has used before.
func (d *Detector) context(l *look) {
	s, m := l.s, l.m
	l.confident = s.sent / (s.sent + 8)
	if m.Client.IsValid() && m.Class == osm.Login {
		d.place(l)
	}
	d.guise(l)
	d.novelty(l)
	sum := float32(0)
	for f := newNetwork; f <= newSubject; f++ {
		sum += l.weights[f]
	}
	l.strange = sum >= 0.8
}

// surprise is how much a new value says, when it is new in this share of the sender's messages: in natural logarithms, as a
// part of the most.
func surprise(p, most float32) float32 {
	return min(max(float32(math.Log(float64(0.6/p)))/4.5, 0), 1) * most
}

func (d *Detector) place(l *look) {
	s, m, w := l.s, l.m, &l.weights
	if m.Client.IsLoopback() {
		l.network, _ = find(s.networks[:], 1, l.now)
	} else {
		l.network, l.newNetwork = find(s.networks[:], hashNetwork(m.Client), l.now)
	}
	l.client, _ = find(s.clients[:], hashClient(m.Client), l.now)
	if m.Helo != "" {
		l.helo, _ = find(s.helos[:], hashHelo(m.Helo), l.now)
		if !l.helo.mature(l.now) {
			w[newHelo] = l.confident * surprise(s.newHelo.of(0.04, 15), d.most[newHelo])
		}
	}
	if m.Country != "" {
		l.country, _ = find(s.places[:], hashText(m.Country), l.now)
	}
	switch {
	case !l.network.mature(l.now):
		w[newNetwork] = l.confident * surprise(s.newNetwork.of(0.03, 15), d.most[newNetwork])
		if l.country != nil && !l.country.mature(l.now) {
			w[newCountry] = l.confident * d.most[newCountry]
		}
		fails := s.fails.Value(l.now, day)
		w[failedLogins] = l.confident * min(fails/6, 1) * d.most[failedLogins]
	case !l.client.mature(l.now):
		w[newAddress] = l.confident * surprise(s.newClient.of(0.05, 15), d.most[newAddress])
	}
}

func (d *Detector) guise(l *look) {
	s, m, w := l.s, l.m, &l.weights
	if m.Sender != "" {
		l.from, l.newFrom = find(s.froms[:], hashText(m.Sender), l.now)
		if !l.from.mature(l.now) && !d.ownDomain(l) {
			w[foreignSender] = max(l.confident, 0.5) * surprise(s.newFrom.of(0.05, 10), d.most[foreignSender])
		}
	}
	if l.words > 0 && !l.reply {
		l.subject, _ = find(s.subjects[:], l.template, l.now)
		if !l.subject.mature(l.now) {
			w[newSubject] = l.confident * surprise(s.newSubject.of(0.5, 6), d.most[newSubject])
		}
	}
}

// ownDomain tells whether the envelope sender's domain is one that the sender or his account has written as.
func (d *Detector) ownDomain(l *look) bool {
	if l.m.Class == osm.Login && strings.EqualFold(domainOf(l.m.Login), domainOf(l.m.Sender)) {
		return true
	}
	if d.known.Has(window.Pair(l.s.hash+1, l.domain)) {
		return true
	}
	return l.account != 0 && d.known.Has(window.Pair(l.account+1, l.domain))
}

func (d *Detector) novelty(l *look) {
	s, m, w := l.s, l.m, &l.weights
	age := window.Elapsed(s.first, l.now)
	watched := min(float32(window.Elapsed(d.began, s.first))/(7*day), 1) // how sure it is that it was not there before
	young := watched * window.Fade(age, 3*day) * 60 / (60 + s.sent)
	switch m.Class {
	case osm.Local, osm.System:
		if s.key.Kind == osm.KeyScript {
			if uploadPath(m.Script.Path) {
				w[uploadFolder] = max(young, 1-min(s.sent/50, 1)) * d.most[uploadFolder]
			}
			w[newScript] = young * d.continuity(l) * d.most[newScript]
		}
	case osm.Login, osm.Localhost, osm.Relay:
		w[newAccount] = young * d.most[newAccount]
	}
	if a := d.senders.find(l.account); a != nil && a != s {
		w[neighbour] = min(a.stop.Value(l.now, 3*day), 1) * max(young, w[foreignSender]/3) * d.most[neighbour]
	}
}

// continuity is how much of a new script is new to its account: little when it goes on with the account's senders and subjects.
func (d *Detector) continuity(l *look) float32 {
	if l.account == 0 {
		return 1
	}
	part := float32(1)
	if d.known.Has(window.Pair(l.account+1, l.domain)) {
		part -= 0.3
	}
	if l.words > 0 && d.known.Has(window.Pair(l.account+2, l.template)) {
		part -= 0.6
	}
	return part
}

// count adds the message to the evidence of late.
func (d *Detector) count(l *look) {
	s, m, e := l.s, l.m, l.slot
	e.fade(l.now, d.halfLife)
	e.messages++
	if l.newNetwork && l.confident > 0.3 {
		e.networks++
	}
	if l.newFrom {
		e.froms++
	}
	if l.subject != nil && !l.subject.mature(l.now) {
		e.newSubject++
		if l.subject.born != l.now && e.recent == l.subject.hash || l.subject.last > l.subject.born {
			e.repeats++
		}
		e.recent = l.subject.hash
	}
	d.recipients(l, m.Recipients)
	n := float32(len(m.Recipients))
	s.inHr += n
	s.quick.Add(l.now, 600, n)
	d.senders.touch(s, l.now)
}

// recipients compares them with those that the sender, and others here, have mailed before.
func (d *Detector) recipients(l *look, list []string) {
	for _, r := range list {
		h := hashText(r)
		switch {
		case d.known.Has(window.Pair(l.s.hash, h)):
		case d.known.Has(h):
			l.fresh += 0.3
		case l.account != 0 && d.known.Has(window.Pair(l.account, h)):
			l.fresh += 0.1
		default:
			l.fresh++
			l.unknown++
		}
	}
	l.slot.fresh += l.fresh
	l.slot.recipients += float32(len(list))
}

// saturate grows from 0 to 1, about as x at first.
func saturate(x float32) float32 {
	if x <= 0 {
		return 0
	}
	return 1 - float32(math.Exp(-float64(x)))
}

// score adds the evidence up, group by group.
func (d *Detector) score(l *look) float32 {
	d.weighBulk(l)
	d.weighRest(l)
	var sums [groups]float32
	for f := range l.weights {
		sums[weights[f].group] += l.weights[f]
	}
	limit := groupLimits[bulk] + d.rigid(l)
	total := min(sums[bulk], limit)
	for g := place; g < credit; g++ {
		total += min(sums[g], groupLimits[g])
	}
	return total - min(sums[credit], groupLimits[credit])
}

// rigid is by how much the limit of bulk is raised for a sender who, in many messages, has never written to strangers.
func (d *Detector) rigid(l *look) float32 {
	s := l.s
	h := s.newRecipient.of(0.5, 2)
	if s.newRecipient.all < 15 || h > 0.1 {
		return 0
	}
	return 5 * (0.1 - h) / 0.1
}

func (d *Detector) weighBulk(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	mean, strength := float32(0.25), float32(12)
	if l.m.Class != osm.Login {
		mean, strength = 0.5, 4
	}
	h := min(max(s.newRecipient.of(mean, strength), 0.03), 0.97)
	sd := float32(math.Sqrt(float64(h * (1 - h) / (s.newRecipient.all/4 + 4))))
	allowed := min(h+sd, 1)
	extra := e.fresh - allowed*e.recipients
	if extra > 0 {
		unit := max(float32(math.Log(float64(0.97/h))), 0.05)
		w[newRecipients] = saturate(extra*unit*0.5/6) * d.most[newRecipients]
	}
	if e.repeats > 0.5 {
		p := s.repeats.of(0.2, 8)
		unit := max(float32(math.Log(float64(0.9/p))), 0)
		w[sameSubject] = saturate(e.repeats*unit*0.2) * d.most[sameSubject] * min(1, e.fresh/(e.recipients*0.5+1))
	}
	strangers := min(1, e.fresh/(e.recipients+0.1)*1.5) // the known may get as much as they like
	_, hour := window.HourOf(l.now)
	usual := max(s.week.Usual(hour), s.week.Top(), 5)
	if over := (s.inHr - float32(s.week.Hours())*0) / (2*usual + 6); over > 1 {
		w[rate] = min(float32(math.Log2(float64(over)))/3, 1) * d.most[rate] * strangers
	}
	if s.week.Hours() < 6 {
		if q := s.quick.Value(l.now, 600); q > 6 {
			w[pace] = min(float32(math.Log2(float64(q/6)))/3, 1) * d.most[pace] * strangers
		}
	}
	if n := len(l.m.Recipients); n >= 6 && l.fresh > 3 {
		p := s.larger(n)
		w[manyRecipients] = min(max(float32(math.Log(float64(0.2/p)))/4, 0), 1) * d.most[manyRecipients] * l.fresh / float32(n)
	}
}

func (d *Detector) weighRest(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	if e.networks > 1.2 {
		p := s.newNetwork.of(0.03, 15)
		w[manyNetworks] = min((e.networks-1)/4, 1) * (1 - min(p*2, 1)) * d.most[manyNetworks]
	}
	if l.m.Class != osm.List && e.froms > 2.2 {
		p := s.newFrom.of(0.05, 10)
		w[manySenders] = min((e.froms-2)/4, 1) * (1 - min(p*1.5, 1)) * d.most[manySenders]
	}
	if e.answers > 0 {
		p := min(s.refused.of(0.02, 60), 0.5)
		llr := e.unknown*float32(math.Log(float64(max(0.2/p, 1)))) - (e.answers-e.unknown)*0.15
		if llr > 0 {
			w[refused] = min(llr*0.5/8, 1) * d.most[refused]
		}
		if e.spam > 0 {
			w[refusedAsSpam] = saturate((e.spam*1.5-e.answers*0.03)/4) * d.most[refusedAsSpam]
		}
		if e.answers > 15 && e.unknown < 0.05*e.answers && e.spam < 0.01*e.answers {
			w[cleanAnswers] = min(e.answers/60, 1) * d.most[cleanAnswers]
		}
	}
	if known := e.recipients - e.fresh; known > 0 {
		w[knownRecipients] = min(known/6, 1) * d.most[knownRecipients] * max(0, 1-1.5*e.repeats/(e.messages+0.1))
	}
	if l.unknown > 0 && l.words > 1 && !l.reply && l.subject != nil && !l.subject.mature(l.now) {
		others, odd := d.likeness.join(window.Pair(l.template, 1), s.hash, l.strange, l.now)
		w[herdSubject] = min(max(float32(odd)+0.4*float32(others-odd)-1, 0)/3, 1) * d.most[herdSubject]
	}
	if w[newNetwork] > 1 {
		others, _ := d.likeness.join(window.Pair(l.network.hash, 2), s.hash, true, l.now)
		w[herdNetwork] = min(max(float32(others)-1, 0)/3, 1) * d.most[herdNetwork]
	}
}
