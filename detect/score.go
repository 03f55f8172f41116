package detect

import (
	"math"
	"strings"

	"osm"
	"osm/window"
)

// see hashes a message and finds its sender.
func (d *Detector) see(l *look, m *osm.Message, now window.Seconds) {
	*l = look{m: m, id: m.ID, now: now}
	l.domain = hashText(domainOf(m.Sender))
	kind, value, ok := charge(m, m.Sender != "" && d.ours(l))
	if !ok {
		return
	}
	l.charged = true
	hash := hashKey(m, kind, value)
	if m.Account != "" {
		l.account = window.Pair(hashText(m.Account), uint64(osm.KeyAccount))
	}
	s := d.senders.index[hash]
	if s == nil {
		if kind == osm.KeyClient {
			value = m.Client.Unmap().String()
		}
		s = &sender{row: row{hash: hash, last: l.now}, key: osm.Key{Kind: kind, Value: strings.Clone(value)}, account: l.account,
			first: l.now}
		d.senders.add(s)
	}
	l.s = s
	s.tick(l.now)
	if m.HasSubject {
		l.template, l.words, l.reply = template(m.Subject)
	}
	if l.account == 0 && kind == osm.KeyLogin {
		l.account = hashText(domainOf(m.Login))
	}
	d.account(l.account, l.now)
}

// ours tells whether the envelope sender's domain is one that has long had mailboxes, logins or applications here. While the
// server is new to us, every domain may be.
func (d *Detector) ours(l *look) bool {
	if l.m.Class != osm.Localhost && l.m.Class != osm.Relay {
		return false
	}
	if d.settled(l.now) < 1 {
		d.account(l.domain, l.now)
	}
	a := d.accounts.index[l.domain]
	return a != nil && (a.first < d.began+5*day || window.Elapsed(a.first, l.now) > day)
}

// context weighs where a message comes from and under which name, against what its sender has used before.
func (d *Detector) context(l *look) {
	s, m := l.s, l.m
	l.confident = s.sent / (s.sent + 3)
	if m.Client.IsValid() && m.Class == osm.Login {
		d.place(l)
	}
	d.guise(l)
	d.novelty(l)
	w := &l.weights
	l.strange = l.odd || w[newAddress]+w[foreignSender] > 0.5 || w[newSubject] > 1
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
	l.wide, _ = find(s.wides[:], hashWide(m.Client), l.now)
	if p := hashProvider(m); p != 0 {
		l.provider, _ = find(s.wides[:], p, l.now)
	}
	l.client, l.newClient = find(s.clients[:], hashClient(m.Client), l.now)
	if m.Country != "" {
		l.country, _ = find(s.places[:], hashText(m.Country), l.now)
	}
	sure := l.confident * min(float32(window.Elapsed(s.first, l.now))/(7*day)+0.2, 1)
	if m.Helo != "" {
		d.device(l, sure)
	}
	switch {
	case !l.network.mature(l.now) && !l.network.founding(s):
		l.odd = true
		w[newNetwork] = d.elsewhere(l) * sure * surprise(s.newNetwork.of(0.03, 15), d.most[newNetwork])
		if l.country != nil && !l.country.mature(l.now) {
			w[newCountry] = sure * d.most[newCountry]
		}
		fails := s.fails.Value(l.now, day)
		w[failedLogins] = sure * min(fails/6, 1) * d.most[failedLogins]
	case !l.client.mature(l.now) && !l.client.founding(s):
		w[newAddress] = sure * surprise(s.newClient.of(0.05, 15), d.most[newAddress])
	}
}

// device compares the HELO name. A private address as a name is one device's for as long as its router pleases.
func (d *Detector) device(l *look, sure float32) {
	s, h := l.s, hashHelo(l.m.Helo, l.m.Client)
	l.helo, l.newHelo = find(s.helos[:], h, l.now)
	if h == heloPrivate {
		if exact, _ := find(s.helos[:], hashText(l.m.Helo)|8, l.now); exact.mature(l.now) {
			l.own = true
		} else {
			l.private = exact
		}
	} else if h >= 8 && l.helo.mature(l.now) {
		l.own = true
	}
	if !l.helo.mature(l.now) && !l.helo.founding(s) {
		l.odd = true
		l.weights[newHelo] = sure * surprise(s.newHelo.of(0.04, 15), d.most[newHelo])
	}
}

func (d *Detector) guise(l *look) {
	s, m, w := l.s, l.m, &l.weights
	if m.Sender != "" {
		l.from, l.newFrom = find(s.froms[:], hashSender(m.Sender), l.now)
		l.newFrom = l.newFrom && !d.known.Has(window.Pair(s.hash+3, l.from.hash))
		if !l.from.mature(l.now) && !l.from.founding(s) && !d.ownDomain(l) {
			w[foreignSender] = d.settled(l.now) * max(l.confident, 0.5) * surprise(s.newFrom.of(0.05, 10), d.most[foreignSender])
		}
	}
	if l.words > 0 && !l.reply {
		l.subject, l.newSubject = find(s.subjects[:], l.template, l.now)
		if !l.subject.mature(l.now) && !l.subject.founding(s) {
			w[newSubject] = l.confident * surprise(s.newSubject.of(0.5, 6), d.most[newSubject])
			if l.from != nil && !l.from.mature(l.now) && w[foreignSender] == 0 {
				w[newSubject] *= 0.6 // a new mailing under a new name of the same house
			}
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
	young := d.young(s.first, l.now) * 60 / (60 + s.sent)
	switch m.Class {
	case osm.Local, osm.System:
		if s.key.Kind == osm.KeyScript {
			if uploadPath(m.Script.Path) {
				w[uploadFolder] = young * d.most[uploadFolder]
			}
			w[newScript] = young * d.continuity(l) * d.most[newScript]
			w[newAccount] = min(young, d.young(d.firstSeen(l), l.now)) * d.most[newAccount]
		}
	case osm.Login:
		w[newAccount] = min(young, max(d.young(d.firstSeen(l), l.now), 0.8*(d.elsewhere(l)-0.4))) * d.most[newAccount]
	case osm.Localhost, osm.Relay:
		w[newAccount] = young * d.most[newAccount]
	}
	if a := d.accounts.index[l.account]; a != nil && a.by != s.hash && m.Class == osm.Local {
		w[neighbour] = min(a.stop.Value(l.now, 3*day), 1) * max(young, w[foreignSender]/3) * d.most[neighbour]
	}
}

// young is how new something first seen then is, 1 to 0. What is first seen when this server has only just begun to be
// watched may have been there for long.
func (d *Detector) young(first, now window.Seconds) float32 {
	watched := min(max(float32(window.Elapsed(d.began, first))-6*day, 0)/(4*day), 1)
	return watched * window.Fade(window.Elapsed(first, now), 5*day)
}

// settled is how far this server has been watched for long enough to know what is usual, 0 to 1.
func (d *Detector) settled(now window.Seconds) float32 {
	return min(float32(window.Elapsed(d.began, now))/(5*day), 1)
}

// firstSeen is when the account or its domain was first seen.
func (d *Detector) firstSeen(l *look) window.Seconds {
	first := l.now
	if a := d.accounts.index[l.account]; a != nil {
		first = min(first, a.first)
	}
	if a := d.accounts.index[l.domain]; a != nil {
		first = min(first, a.first)
	}
	return first
}

// elsewhere is 1 when a new login is used from a network that nobody of its account has used, less otherwise.
func (d *Detector) elsewhere(l *look) float32 {
	part := float32(1)
	if l.own {
		part = 0.65 // the same device, it seems
	}
	if l.wide != nil && l.wide.mature(l.now) || l.provider != nil && l.provider.mature(l.now) {
		return 0.4 * part
	}
	if l.m.Client.IsLoopback() { // webmail
		return 0.4
	}
	if l.account != 0 && l.m.Client.IsValid() && d.known.Has(window.Pair(l.account+3, hashNetwork(l.m.Client))) {
		return 0.4 * part
	}
	return part
}

// spared tells of a message that comes as the sender's always do, to those he has always written to: his own, whoever
// else uses his account meanwhile.
func (d *Detector) spared(l *look) bool {
	if n := float32(len(l.m.Recipients)); n == 0 || l.fresh > 0.1*(n-5) && l.fresh > 0 {
		return false
	}
	w := &l.weights
	odd := w[newNetwork] + w[newAddress] + w[newCountry] + w[newHelo] + w[foreignSender] + w[uploadFolder]
	return odd < 0.3 || odd < 1.6 && !l.again
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
	d.recipients(l, m.Recipients)
	n := float32(len(m.Recipients))
	s.inHr += n
	s.quick.Add(l.now, quickSpan, n)
	d.senders.touch(s, l.now)
}

// recipients compares them with those that the sender, and others here, have mailed before.
func (d *Detector) recipients(l *look, list []string) {
	if len(list) == 0 {
		return
	}
	usual := d.strangerShare(l)
	up := max(float32(math.Log(float64(thief/usual))), 0.03)
	down := float32(math.Log(float64((1 - thief) / (1 - usual))))
	e := l.slot
	for _, r := range list {
		fresh := d.stranger(l, hashText(r))
		l.fresh += fresh
		e.run = min(max(e.run+fresh*up+(1-fresh)*min(down, 0), 0), runLimit)
	}
	e.fresh += l.fresh
	l.s.strangers += l.fresh
	e.recipients += float32(len(list))
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
		return 0.1
	case d.known.Has(recipient):
		return 0.3
	}
	l.unknown++
	return 1
}

// quickSpan is the half-life of the count behind pace, in seconds.
const quickSpan = 600

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
	if l.m.Class == osm.List {
		limit = 5
	}
	total := min(sums[bulk], limit)
	sums[place] -= min(l.weights[knownRecipients], 0.7*sums[place])
	for g := burst; g < credit; g++ {
		total += min(sums[g], groupLimits[g])
	}
	return total
}

// rigid is by how much the limit of bulk is raised for a script that, in many messages of the same envelope sender, has
// never written to strangers: a contact form.
func (d *Detector) rigid(l *look) float32 {
	s := l.s
	h := s.newRecipient.of(0.5, 2)
	if l.m.Class != osm.Local || s.newRecipient.all < 15 || h > 0.1 || l.from == nil || !l.from.mature(l.now) {
		return 0
	}
	return 5 * (0.1 - h) / 0.1
}

// strangerShare is the share of recipients never mailed before that is usual for the sender, at the upper end of what his
// history leaves open.
func (d *Detector) strangerShare(l *look) float32 {
	s := l.s
	mean, strength := float32(0.25), float32(12)
	if l.m.Class != osm.Login {
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

func (d *Detector) weighBulk(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	guised := min((w[newSubject]+w[foreignSender])/3, 1)
	if e.run > 0 {
		w[newRecipients] = saturate(e.run/6) * min(1, 3*e.fresh/e.recipients) * d.most[newRecipients]
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
	_, hour := window.HourOf(l.now)
	usual := max(s.week.Usual(hour), s.week.Top(), 3)
	if over := s.inHr / (2*usual + 4); over > 1 {
		w[rate] = min(float32(math.Log2(float64(over)))/3, 1) * d.most[rate] * strangers
	}
	if over := e.fresh / (2*window.FromLevel(s.topDay) + 4); over > 1 {
		w[volume] = min(float32(math.Log2(float64(over)))/3, 1) * d.most[volume]
	}
	if over := e.fresh / 120; over > 1 && (l.odd || w[newAddress] > 0.5) {
		odd := w[newNetwork] + w[newAddress] + w[newHelo]
		w[flood] = min(float32(math.Log2(float64(over)))/3, 1) * min(odd/1.2, 1) * d.most[flood]
	}
	if s.week.Hours() < 6 {
		if q := s.quick.Value(l.now, quickSpan); q > 6 {
			w[pace] = min(float32(math.Log2(float64(q/6)))/3, 1) * d.most[pace] * strangers
		}
	}
	if n := len(l.m.Recipients); n >= 6 && l.fresh > 3 {
		p := s.larger(n)
		w[manyRecipients] = min(max(float32(math.Log(float64(0.2/p)))/5, 0), 1) * d.most[manyRecipients] * max(l.confident, 0.4*d.young(s.first, l.now)) * l.fresh / float32(n)
		w[manyRecipients] *= 0.5 + 0.5*min(1, (w[newNetwork]+w[newAddress]+w[newHelo]+w[newAccount])/2.5)
	}
}

func (d *Detector) weighRest(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	if e.networks > 1.2 {
		usual := 2 * s.newNetwork.of(0.03, 15) * e.messages
		w[manyNetworks] = min(max(e.networks-1-usual, 0)/4, 1) * d.most[manyNetworks]
	}
	if l.m.Class != osm.List && e.froms > 2.2 {
		usual := 2 * s.newFrom.of(0.03, 10) * e.messages
		w[manySenders] = d.settled(l.now) * min(max(e.froms-2-usual, 0)/4, 1) * d.most[manySenders]
	}
	if e.answers > 0 {
		p := min(max(s.refused.of(0.02, 60), 0.07), 0.5)
		llr := e.unknown*float32(math.Log(float64(max(0.25/p, 1)))) - (e.answers-e.unknown)*0.22
		if llr > 0 {
			w[refused] = min(llr*0.5/8, 1) * d.most[refused]
		}
		if e.spam > 0 {
			p := min(max(s.refusedSpam.of(0.005, 200), 0.01), 0.3)
			llr := e.spam*float32(math.Log(float64(max(0.15/p, 1)))) - (e.answers-e.spam)*0.08
			w[refusedAsSpam] = min(max(llr-1, 0)*0.4/8, 1) * d.most[refusedAsSpam]
		}
	}
	if known := e.recipients - e.fresh; known > 0 {
		w[knownRecipients] = min(known/6, 1) * d.most[knownRecipients] * max(0, 1-1.5*e.repeats/(e.messages+0.1))
	}
	if l.unknown > 0 && m0(l) && (l.odd || w[newAccount] > 1) {
		w[herdSubject] = d.settled(l.now) * min(float32(max(d.phrasesInCommon(l)-1, 0))/3, 1) * d.most[herdSubject]
	}
	if w[newNetwork] > 1 {
		others := d.likeness.join(window.Pair(l.network.hash, 2), s.hash, l.now)
		w[herdNetwork] = d.settled(l.now) * min(max(float32(others)-1, 0)/3, 1) * d.most[herdNetwork]
	}
}

func m0(l *look) bool { return l.m.Class == osm.Login && l.m.HasSubject }

// phrasesInCommon is how many other senders, who also write to strangers from places unusual for them, began to use the
// same pair of words in their subjects within the last day. Pairs that ordinary mail here uses do not count.
func (d *Detector) phrasesInCommon(l *look) int {
	most := 0
	var pairs [maxPairs]uint64
	for _, p := range pairs[:phrases(l.m.Subject, &pairs)] {
		if d.phrases.Has(p) {
			continue
		}
		most = max(most, d.likeness.join(p, l.s.hash, l.now))
	}
	return most
}
