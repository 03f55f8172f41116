package detect

import (
	"math"
	"strings"

	"osm"
	"osm/window"
)

// see finds the sender of a message, or makes him.
func (d *Detector) see(l *look, m *osm.Message, p *Prints, now window.Seconds) {
	*l = look{m: m, id: m.ID, now: now, Prints: p}
	kind, value, ok := charge(m, m.Sender != "" && d.ours(l))
	if !ok {
		return
	}
	l.charged = true
	hash := p.key(m, kind, value)
	if m.Account != "" {
		l.account = p.account(m)
	}
	s, known := d.senders.index.get(hash)
	if !known {
		if kind == osm.KeyClient {
			value = m.Client.Unmap().String()
		}
		s = &sender{row: row{hash: hash, last: l.now}, key: osm.Key{Kind: kind, Value: strings.Clone(value)}, account: l.account,
			first: l.now}
		d.senders.add(s)
	}
	l.s = s
	s.tick(l.now)
	if l.account == 0 && kind == osm.KeyLogin {
		l.account = hashText(domainOf(m.Login))
	}
	l.owner = d.owner(s, l.account, l.now)
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
	a, ok := d.accounts.index.get(l.domain)
	return ok && (a.first < d.began+5*day || window.Elapsed(a.first, l.now) > day)
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

// surprise is how much something new says when it is new in the share p of the sender's messages: a log likelihood ratio
// against a thief, for whom it nearly always is, as a part of the most.
func surprise(p, most float32) float32 {
	return min(max(float32(math.Log(float64(0.6/p)))/4.5, 0), 1) * most
}

// place weighs the client's address. The finer ones only count where the coarser ones are familiar.
func (d *Detector) place(l *look) {
	s, m, w := l.s, l.m, &l.weights
	if m.Client.IsLoopback() {
		l.network, _ = s.find(networks, &s.recent.network, 1, l.now)
	} else {
		l.network, l.newNetwork = s.find(networks, &s.recent.network, l.Prints.network, l.now)
	}
	l.wide, _ = s.find(wides, &s.recent.wide, l.Prints.wide, l.now)
	if p := l.Prints.provider; p != 0 {
		l.provider, _ = s.find(wides, &s.recent.provider, p, l.now)
	}
	l.client, l.newClient = s.find(clients, &s.recent.client, l.Prints.client, l.now)
	if m.Country != "" {
		l.country, _ = s.find(countries, &s.recent.country, hashText(m.Country), l.now)
	}
	past := s.newNetwork.all // whose messages tell what is usual for him; those of today may be the thief's own
	sure := min(l.confident, past/(past+1)) * min(float32(window.Elapsed(s.first, l.now))/(7*day)+0.2, 1)
	if m.Helo != "" {
		d.device(l, sure)
	}
	switch {
	case !l.network.mature(l.now) && !l.network.founding(s):
		l.odd = true
		w[newNetwork] = d.elsewhere(l) * sure * surprise(s.newNetwork.of(0.08, 8), d.most[newNetwork])
		if l.country != nil && !l.country.mature(l.now) {
			w[newCountry] = sure * d.most[newCountry]
		}
		w[impossibleTravel] = sure * d.travelled(l) * d.most[impossibleTravel]
		fails := s.fails.Value(l.now, day)
		w[failedLogins] = sure * min(fails/6, 1) * d.most[failedLogins]
	case !l.client.mature(l.now) && !l.client.founding(s):
		w[newAddress] = sure * surprise(s.newClient.of(0.08, 8), d.most[newAddress])
	}
}

// What databases of addresses may be wrong by, in km, and what a plane flies in an hour.
const (
	errorOfPlaces = 300
	flight        = 1000
)

// travelled is how far it is to where the sender's own mail last came from, against what can be reached since.
func (d *Detector) travelled(l *look) float32 {
	s := l.s
	if !s.where.Known() || !l.m.Where.Known() {
		return 0
	}
	hours := float64(window.Elapsed(s.whereAt, l.now)) / 3600
	return logPart(float32(s.where.Kilometres(l.m.Where)/(errorOfPlaces+flight*hours)), 1)
}

// device weighs the HELO name. A private address as a name is one device's for as long as its router pleases.
func (d *Detector) device(l *look, sure float32) {
	s, h := l.s, l.Prints.helo
	l.helo, l.newHelo = s.find(helos, &s.recent.helo, h, l.now)
	if h == heloPrivate {
		if exact, _ := s.find(helos, &s.recent.private, hashText(l.m.Helo)|8, l.now); exact.mature(l.now) {
			l.own = true
		} else {
			l.private = exact
		}
	} else if h >= 8 && l.helo.mature(l.now) {
		l.own = true
	}
	if !l.m.Client.IsLoopback() && !l.helo.mature(l.now) && !l.helo.founding(s) {
		l.odd = true
		l.weights[newHelo] = sure * surprise(s.newHelo.of(0.08, 8), d.most[newHelo])
	}
}

// elsewhere is 1 for a network that has nothing to do with the sender, less when the provider, the device or the account's
// other people are familiar: lines get new addresses.
func (d *Detector) elsewhere(l *look) float32 {
	part := float32(1)
	if l.own {
		part = 0.45 // the same device, it seems
	}
	if l.wide != nil && l.wide.mature(l.now) || l.provider != nil && l.provider.mature(l.now) {
		return 0.4 * part
	}
	if l.m.Client.IsLoopback() { // webmail
		return 0.4
	}
	if l.account != 0 && l.m.Client.IsValid() && d.known.Has(window.Pair(l.account+knownNetwork, l.Prints.network)) {
		return 0.4 * part
	}
	return part
}
