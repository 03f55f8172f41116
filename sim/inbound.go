package sim

import (
	"fmt"
	"time"

	"osm"
)

// serverName is the server's own host name, part of every unix user's address.
const serverName = "srv.host.example"

// What comes from outside: answers, forwarded mail, spam for local mailboxes, wrong passwords.

// inbound plans one message from a stranger's server.
func (b *builder) inbound(d dice, at time.Duration, from, to, subject string) {
	b.receive(d, b.stranger(), at, from, to, subject, nil)
}

// stranger is the one source of mail from outside.
func (b *builder) stranger() *source {
	if b.world.outside == nil {
		b.world.outside = b.source("inbound", "outside", source{class: osm.Inbound})
	}
	return b.world.outside
}

func (b *builder) receive(d dice, src *source, at time.Duration, from, to, subject string, m *mood) {
	p := b.net.foreign[int(hashOf(from)%uint64(len(b.net.foreign)))]
	host := fmt.Sprintf("mx%d.%s.example", hashOf(from)%40, p.name)
	ip := near(d, p.nets[0])
	b.send(send{at: at, src: src, from: &client{ip: ip, host: host, helo: host, country: p.country, asn: p.asn},
		sender: from, subject: subject, to: []string{to}, mood: m, size: int32(d.lognormal(6000, 1.2))})
}

// addForwarders makes addresses whose mail leaves again, the spam in it too.
func (b *builder) addForwarders(a *account, d dice) {
	for i := range 1 + d.IntN(4) {
		alias := fmt.Sprintf("%s%d@%s", pick(d, b.words.spamSenders), i, a.domain)
		b.forward(d, alias, b.words.stranger(d, b.others, 0.8), 0, d.log(span{0.5, 40}), d.uniform(span{0.05, 0.7}))
	}
}

// forward gives an address an outside target and its daily mail.
func (b *builder) forward(d dice, alias, target string, from time.Duration, daily, spam float64) {
	b.world.forwards[alias] = target
	good := b.source("forwarded", alias, source{class: osm.Inbound})
	bad := b.source("forwarded-spam", alias, source{class: osm.Inbound})
	for day := int(from / (24 * time.Hour)); day < b.cfg.Days; day++ {
		for range d.poisson(daily) {
			at := time.Duration(day)*24*time.Hour + clock(d, shoppingHours, 0)
			if at < from {
				continue
			}
			sender := b.words.stranger(d, b.others, 0.5)
			if d.chance(spam) {
				b.receive(d, bad, at, sender, alias, b.words.lure(d), &mood{spam: 0.5, onset: 0})
			} else {
				b.receive(d, good, at, sender, alias, b.words.subject(d), nil)
			}
		}
	}
}

// away lets some people's mailboxes answer by themselves for a while, each address once, the spammers' too. Such
// answers have no sender (RFC 3834), so that they are never answered in turn.
func (b *builder) away() {
	d := b.dice("away")
	absent := map[string][2]time.Duration{}
	answer := map[string]*source{}
	for _, p := range b.people {
		if d.chance(b.ranges.absent) {
			begin := d.between(0, b.span)
			absent[p.address] = [2]time.Duration{begin, begin + d.between(2*24*time.Hour, 20*24*time.Hour)}
			answer[p.address] = b.source("autoreply", p.address, source{class: osm.Bounce, user: "Debian-exim"})
		}
	}
	told := map[string]bool{}
	for _, s := range b.world.sends {
		span, ok := absent[s.to[0]]
		if !ok || s.src.class != osm.Inbound || s.at < span[0] || s.at > span[1] || told[s.to[0]+s.sender] {
			continue
		}
		told[s.to[0]+s.sender] = true
		b.send(send{at: s.at + time.Second, src: answer[s.to[0]], subject: "Re: " + s.subject, to: []string{s.sender},
			mood: &mood{dead: 0.1}})
	}
}

// background is what every server sees: spam for its mailboxes and guessed passwords.
func (b *builder) background(d dice) {
	for range int(float64(b.cfg.Days) * noise * float64(len(b.accounts))) {
		at := d.between(0, b.span)
		p := pick(d, b.people)
		b.receive(d, b.stranger(), at, b.words.stranger(d, b.others, 0.3), p.address, b.words.lure(d), nil)
		if d.chance(0.5) {
			bot := b.bots(d, 1, 0.5)[0]
			b.guess(at, p.address, bot, d, 1+d.IntN(4))
		}
	}
}

// noise is how many unwanted messages an account gets a day.
const noise = 0.6

// attempt is one wrong password.
type attempt struct {
	at    time.Duration
	login string
	from  *client
}

func (b *builder) guess(at time.Duration, login string, from *client, d dice, n int) {
	for range n {
		b.world.failures = append(b.world.failures, attempt{at, login, from})
		at += d.between(time.Second, 20*time.Second)
	}
}
