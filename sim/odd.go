package sim

import (
	"fmt"
	"math"
	"time"
)

// Wanted mail that looks odd, of the hard worlds: a change of habit that a fixed idea of normal takes for an attack.
// All of it begins after the learning period, or it would be nothing odd any more.

// oddities gives a share of the people and accounts something new.
func (b *builder) oddities() {
	d := b.dice("oddities")
	r := b.ranges
	for _, p := range b.people {
		own := b.dice("odd " + p.address)
		switch u := own.Float64(); {
		case u < r.travellers:
			b.travel(p, own)
		case u < r.travellers+r.devices:
			b.newDevice(p, own)
		case u < r.travellers+r.devices+r.merges:
			b.merge(p, own)
		case u < r.travellers+r.devices+r.merges+r.moves:
			b.moveAway(p, own)
		}
	}
	for _, odd := range []struct {
		share float64
		make  func(*account, dice)
	}{{r.firstNews, b.firstNewsletter}, {r.newSignup, b.newSignup}, {r.siteMoves, b.moveSite}, {r.agencies, b.addAgency}} {
		// At least one of each, whatever the size of the server.
		for range max(1, d.poisson(odd.share*float64(len(b.accounts)))) {
			a := pick(d, b.accounts)
			odd.make(a, d)
		}
	}
}

// ofPerson are the planned messages of a person from a moment on.
func (b *builder) ofPerson(p *person, from, until time.Duration) []*send {
	var all []*send
	for i := range b.world.sends {
		if s := &b.world.sends[i]; s.src == p.src && s.at >= from && s.at < until {
			all = append(all, s)
		}
	}
	return all
}

// travel moves a person to another country for some days: hotel, phone abroad, the same laptop.
func (b *builder) travel(p *person, d dice) {
	begin := b.begun(d)
	end := begin + d.between(2*24*time.Hour, 12*24*time.Hour)
	abroad := pick(d, b.net.foreign)
	laptop := &device{net: abroad, ip: abroad.addr(d), moves: 0.25, helo: p.devices[0].helo}
	if p.devices[0].ip.IsLoopback() || d.chance(0.3) {
		laptop.helo = b.desktop(d, abroad, laptop.ip, 0).helo
	}
	roaming := b.phone(d)
	roaming.net, roaming.ip = abroad, abroad.addr(d)
	src := b.aside(p.src, "traveller")
	for _, s := range b.ofPerson(p, begin, end) {
		s.src = src
		if s.from.ip.IsLoopback() && d.chance(0.7) {
			continue // webmail works from anywhere
		}
		if s.from = laptop.connect(d); d.chance(0.4) {
			s.from = roaming.connect(d)
		}
	}
	p.taken = true
}

// newDevice is a new computer, a new phone, a new access line or all of it.
func (b *builder) newDevice(p *person, d dice) {
	net, ip := p.account.office, p.account.ip
	if d.chance(0.4) {
		net = pick(d, b.net.home)
		ip = net.addr(d)
	}
	fresh := b.desktop(d, net, ip, 0.05)
	if d.chance(0.3) {
		fresh = b.phone(d)
	}
	share, src := d.uniform(span{0.3, 1}), b.aside(p.src, "new-device")
	for _, s := range b.ofPerson(p, b.begun(d), b.span) {
		if s.src = src; d.chance(share) {
			s.from = fresh.connect(d)
		}
	}
}

// merge is a person's one mailing: an invitation, a new address, season's greetings.
func (b *builder) merge(p *person, d dice) {
	at := time.Duration(int(b.begun(d)/(24*time.Hour)))*24*time.Hour + clock(d, hourCounts, p.shift)
	known := d.uniform(span{0.05, 0.7})
	to := make([]string, d.logInt(b.ranges.mergeSize))
	for i := range to {
		switch {
		case d.chance(known):
			to[i] = pick(d, p.likes)
		case d.chance(0.3):
			to[i] = pick(d, p.account.known)
		default:
			to[i] = b.words.stranger(d, b.others, 0.5)
		}
	}
	subject, from := pick(d, b.words.merges), p.device(d, at).connect(d)
	m := &mood{dead: d.uniform(span{0, 0.08}), spam: 0.002}
	src := b.aside(p.src, "mail-merge")
	batch, gap := 1, time.Duration(d.log(span{float64(time.Second), float64(time.Minute)}))
	if d.chance(0.4) {
		batch = d.logInt(span{10, 60})
	}
	for i := 0; i < len(to); i += batch {
		b.send(send{at: at, src: src, from: from, sender: p.address, subject: subject,
			to: to[i:min(i+batch, len(to))], mood: m})
		at += d.wait(gap * time.Duration(batch))
	}
	p.taken = true
}

// aside is the same sender under another kind, so that reports tell the odd part of its mail from the rest.
func (b *builder) aside(s *source, kind string) *source {
	c := *s
	name := b.world.Senders[s.number].Name
	return b.source(kind, name, c)
}

// moveAway forwards a mailbox to a big mail service. From then on its owner sends through that service too, in his own
// name with his login here: other addresses and names of clients than ever.
func (b *builder) moveAway(p *person, d dice) {
	begin := b.begun(d)
	target := p.account.name + "." + code(d, 4) + "@" + pick(d, b.words.freemail)
	b.forward(d, p.address, target, begin, d.log(span{2, 30}), d.uniform(span{0.1, 0.6}))
	if d.chance(0.4) {
		return
	}
	service, src := pick(d, b.net.mailers), b.aside(p.src, "moved-mailbox")
	for _, s := range b.ofPerson(p, begin, b.span) {
		name := fmt.Sprintf("mail-%s%d-f%d.%s.example", "wm", d.IntN(3), 30+d.IntN(40), service.name)
		c := service.at(d, service.addr(d), name)
		c.host = name
		s.src, s.from = src, c
	}
	p.taken = true
}

// firstNewsletter is what an account that never mailed many sends to its customers.
func (b *builder) firstNewsletter(a *account, d dice) {
	n := b.newsletter(a, d, d.chance(0.5))
	n.src = b.aside(n.src, "first-newsletter")
	if n.from != nil && d.chance(0.5) && len(a.people) > 0 {
		p := pick(d, a.people) // by hand, from a person's own mailbox
		a.mailing, n.verp = nil, false
		n.src, n.sender, n.from, p.taken = b.aside(p.src, "first-newsletter"), p.address, p.devices[0].connect(d), true
	}
	a.taken = true
	size := d.log(b.ranges.firstReaders) * math.Sqrt(b.cfg.Volume)
	customers := d.uniform(span{0, 0.6})
	n.readers = n.readers[:0]
	for range int(size) {
		if d.chance(customers) {
			n.readers = append(n.readers, pick(d, a.known))
		} else {
			n.readers = append(n.readers, b.words.stranger(d, b.others, 0.6))
		}
	}
	n.dead = d.uniform(span{0, 0.08})
	for at := b.begun(d); at < b.span; at += 7 * 24 * time.Hour {
		at = time.Duration(int(at/(24*time.Hour)))*24*time.Hour + clock(d, hourCounts, -2)
		b.issue(n, d, at, b.words.fill(d, n.subject, 1))
		if n.renew(b, d); d.chance(0.6) {
			break
		}
	}
}

// newSignup is a page opened a moment ago that mails everybody who registers.
func (b *builder) newSignup(a *account, d dice) {
	folder := a.root + pick(d, []string{"/register", "/campaign", "/gewinnspiel", "/app", "/join", "/event"})
	b.confirm(a, d, b.script("new-signup", a, folder), b.begun(d), d.log(span{30, 800}))
}

// moveSite lets an account's scripts send from another folder.
func (b *builder) moveSite(a *account, d dice) {
	if len(a.scripts) == 0 {
		b.addSignup(a, d)
	}
	begin := b.begun(d)
	folder := "/home/" + a.name + pick(d, []string{"/public_html/new", "/www", "/htdocs/current"})
	moved := map[*source]*source{}
	for _, s := range a.scripts {
		c := *s
		c.script = folder
		moved[s] = b.source("moved-site", folder, c)
	}
	for i := range b.world.sends {
		s := &b.world.sends[i]
		if to, ok := moved[s.src]; ok && s.at >= begin {
			s.src = to
		}
	}
	a.taken = true
}

// addAgency writes for its clients, in their names, from its own login; for some time already or since a moment ago.
func (b *builder) addAgency(a *account, d dice) {
	login := "studio@" + a.domain
	src := b.login("agency", a, login)
	desk := b.desktop(d, a.office, a.ip, 0.02)
	begin := time.Duration(0)
	if d.chance(0.5) {
		begin = b.begun(d)
	}
	clients := make([]string, 2+d.IntN(12))
	for i := range clients {
		clients[i] = fmt.Sprintf("%s@%s", pick(d, []string{"info", "office", "hello", "press"}), pick(d, b.others))
	}
	rate, reuse, pool := d.log(span{2, 40}), d.uniform(span{0.2, 0.8}), []string{}
	for day := int(begin / (24 * time.Hour)); day < b.cfg.Days; day++ {
		for range d.poisson(rate * weekdayCounts[b.weekday(day)] / weekdayCounts[0]) {
			at := time.Duration(day)*24*time.Hour + clock(d, hourCounts, -2)
			to := b.words.stranger(d, b.others, 0.4)
			if len(pool) > 0 && d.chance(reuse) {
				to = pick(d, pool)
			}
			pool = append(pool, to)
			b.send(send{at: at, src: src, from: desk.connect(d), sender: pick(d, clients),
				subject: b.words.subject(d), to: []string{to}})
		}
		if at := time.Duration(day)*24*time.Hour + d.between(9*time.Hour, 16*time.Hour); d.chance(0.04) { // a press release
			subject, sender := b.words.subject(d), pick(d, clients)
			for range d.logInt(span{20, 200}) {
				b.send(send{at: at, src: src, from: desk.connect(d), sender: sender, subject: subject,
					to: []string{b.words.stranger(d, b.others, 0.4)}})
				at += d.between(time.Second, 8*time.Second)
			}
		}
	}
}
