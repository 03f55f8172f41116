package detect

import (
	"osm"
	"osm/window"
)

// score weighs what was counted and adds the evidence up, group by group.
func (d *Detector) score(l *look) float32 {
	d.weighMany(l)
	d.weighBulk(l)
	d.weighAnswers(l)
	d.weighHerd(l)
	var sums [groups]float32
	for f, w := range l.weights {
		sums[groupOf[f]] += w
	}
	total := sums[bulk]
	if l.m.Class == osm.List { // its members are strangers until it has written to all of them
		total = min(total, listBulk)
	} else if total > groupLimits[bulk] {
		total = min(total, groupLimits[bulk]+d.raised(l))
	}
	own := min(ownList*l.isOwn(), ownPart*total)
	total -= own
	sums[place] -= min(l.weights[knownRecipients], knownPart*sums[place])
	sums[place] *= sums[place] / (sums[place] + slight)
	l.weights[knownRecipients] = max(l.weights[knownRecipients], own)
	for g := burst; g < credit; g++ {
		total += min(sums[g], groupLimits[g])
	}
	return total
}

const (
	listBulk  = 5   // of bulk, for a mailing list
	knownPart = 0.7 // of a strange place, that known recipients can excuse
	ownList   = 3   // of bulk, that a list of the sender's own can excuse,
	ownPart   = 0.5 // and at most this part of it
	slight    = 0.6 // a place that is only a little odd counts for less than its part: most are new devices
)

// spared tells of a message that comes as the sender's always do, to those he has always written to: his own, whoever
// else uses his account meanwhile.
func (d *Detector) spared(l *look) bool {
	n := float32(len(l.m.Recipients))
	if n == 0 || l.fresh > 0 && l.fresh > 0.1*(n-5) {
		return false
	}
	w := &l.weights
	odd := w[newNetwork] + w[newAddress] + w[newCountry] + w[newHelo] + w[foreignSender] + w[uploadFolder]
	return odd < 0.3 || odd < 1.6 && !l.again
}

// weighMany weighs many different networks and senders at once, beyond those usual in as many messages.
func (d *Detector) weighMany(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	usual := 2 * s.newNetwork.of(0.03, 15) * e.messages
	w[manyNetworks] = min(max(e.networks-1-usual, 0)/4, 1) * d.most[manyNetworks]
	if l.m.Class != osm.List {
		usual = 2 * s.newFrom.of(0.03, 10) * e.messages
		w[manySenders] = d.settled(l.now) * l.grown() * min(max(e.froms-2-usual, 0)/4, 1) * d.most[manySenders]
	}
	if known := e.recipients - e.fresh; known > 0 {
		w[knownRecipients] = min(known/6, 1) * d.most[knownRecipients] * max(0, 1-1.5*e.repeats/(e.messages+0.1)) *
			(1 - saturate(e.run/6))
	}
}

// weighHerd weighs what this sender began to have in common with others within the last day. Only those join a herd who
// write to strangers from a place unusual for them, or are new.
func (d *Detector) weighHerd(l *look) {
	w := &l.weights
	if l.unknown > 0 && l.m.Class == osm.Login && l.m.HasSubject && !l.mixed() && (l.odd || w[newAccount] > 1) {
		w[herdSubject] = d.settled(l.now) * herdPart(d.phrasesInCommon(l)) * d.most[herdSubject]
	}
	if w[newNetwork] > 1 {
		others := d.likeness.join(window.Pair(l.network.hash, 2), l.s.hash, l.now)
		w[herdNetwork] = d.settled(l.now) * herdPart(others) * d.most[herdNetwork]
	}
}

// mixed tells of a mailing of today some of whose recipients the sender knows: greetings are alike everywhere at times.
func (l *look) mixed() bool {
	a := l.subject
	return a != nil && a.all >= 6 && float32(a.fresh) < 0.9*float32(a.all)
}

// herdPart is how much of a herd some others are: one is chance, three are plenty.
func herdPart(others int) float32 { return min(max(float32(others)-1, 0)/2, 1) }

// phrasesInCommon is how many other members of a herd began to use the same pair of words in their subjects within the last
// day. Pairs that ordinary mail here uses do not count.
func (d *Detector) phrasesInCommon(l *look) int {
	most := 0
	for _, p := range l.pairs[:l.paired] {
		if !d.phrases.Has(p) {
			most = max(most, d.likeness.join(p, l.s.hash, l.now))
		}
	}
	return most
}
