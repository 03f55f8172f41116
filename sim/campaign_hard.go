package sim

import (
	"fmt"
	"strings"
	"time"
)

// The hard campaigns of the table in DESIGN.md, and some more.

// clean makes a campaign's list one without dead addresses and traps.
func (c *attack) clean(d dice) {
	c.mood.dead, c.mood.spam, c.mood.onset = d.uniform(span{0, 0.03}), d.uniform(span{0, 0.04}), d.log(span{50, 500})
}

// neighbour is a client next to the victim's own, with its name: the same /24 or the same provider.
func (b *builder) neighbour(d dice, p *person) *client {
	v := p.devices[0]
	if v.ip.IsLoopback() {
		v = b.desktop(d, p.account.office, p.account.ip, 0)
	}
	ip := near(d, v.ip)
	if d.chance(0.5) {
		ip = v.net.addr(d)
	}
	return v.net.at(d, ip, v.helo(d, ip))
}

func nextDoor(b *builder, d dice, c *attack) {
	p := b.victim(d)
	own := b.neighbour(d, p)
	c.clean(d)
	c.volume = max(50, c.volume)
	c.pace = d.log(span{30, 3000})
	b.theft(d, c, p, []*client{own})
	b.mail(d, c, from(p.src, []*client{own}), b.strangers)
}

func addressBook(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 8}), 0.6)
	book := d.Perm(len(p.likes))
	book = book[:int(float64(len(book))*d.uniform(span{0.4, 1}))]
	c.pace = min(c.pace, 2000)
	c.mood.onset, c.sorted = c.mood.onset*2, false
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), func(d dice, sent int) string {
		if sent < len(book) {
			return p.likes[book[sent]]
		}
		return b.target(d)
	})
}

func officeHours(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 6}), 0.6)
	if d.chance(0.5) {
		near := pick(d, b.net.home) // from the victim's own country
		bots = []*client{near.at(d, near.addr(d), bots[0].helo)}
	}
	c.pace, c.each, c.open = d.log(span{8, 80}), 1, b.office
	c.volume = int(c.pace * d.log(span{10, 60}))
	c.start = min(c.start, b.span-6*24*time.Hour)
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), b.strangers)
}

func herd(b *builder, d dice, c *attack) {
	n := min(20+d.IntN(41), len(b.people)/2)
	template, topic := pick(d, b.words.spam), pick(d, b.words.topics)
	c.subject = func(d dice) string { return fmt.Sprintf(template, topic, strings.ToLower(code(d, 5))) }
	if d.chance(0.4) {
		one := c.subject(d)
		c.subject = func(dice) string { return one }
	}
	c.each = 1 + d.IntN(3)
	each := d.logInt(span{8, 80})
	bots := b.bots(d, d.logInt(span{5, 200}), 0.3)
	total := c.pace
	for range n {
		p := b.victim(d)
		c.volume, c.pace = each, d.log(span{5, 60})
		c.sender = func(dice) string { return p.address }
		b.victimOf(p.src, c)
		one := *c
		one.start = c.start + d.between(0, 20*time.Hour)
		b.mail(d, &one, func(int) (*source, *client) { return p.src, pick(d, bots) }, b.strangers)
	}
	c.volume, c.pace = n*each, total
}

func usualFolder(b *builder, d dice, c *attack) {
	a := b.site(d, func(a *account) bool { return len(a.scripts) > 0 })
	src := b.scriptOf(d, a)
	c.each, c.pace = 1, min(c.pace, 3000)
	c.mood.onset *= 2
	local := pick(d, []string{a.name + "@" + serverName, "info@" + a.domain, "wordpress@" + a.domain})
	c.sender = func(dice) string { return local }
	b.victimOf(src, c)
	b.mail(d, c, alone(src), b.strangers)
}

func shopTakeover(b *builder, d dice, c *attack) {
	a := b.site(d, func(a *account) bool { return a.shop != nil })
	if a.shop == nil {
		b.addShop(a, d)
	}
	s := a.shop
	c.each = 1
	c.volume = max(100, int(s.peak*d.log(span{1, 30})))
	c.pace = max(20, s.peak/10*d.log(span{0.5, 20}))
	c.clean(d)
	c.mood.dead, c.mood.spam = d.uniform(span{0, 0.15}), d.uniform(span{0, 0.3})
	c.sender = func(dice) string { return s.sender }
	if order := pick(d, b.words.orders); d.chance(0.3) {
		c.subject = func(d dice) string { return fmt.Sprintf(order, d.IntN(100000)) }
	}
	b.victimOf(s.src, c)
	b.mail(d, c, func(int) (*source, *client) { return s.src, s.from }, b.strangers)
}

func fifteenBcc(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 6}), 0.5)
	if d.chance(0.4) {
		bots = []*client{b.neighbour(d, p)}
	}
	c.each, c.pace = 10+d.IntN(11), d.log(span{60, 2000})
	c.mood.dead, c.mood.spam = c.mood.dead/2, c.mood.spam/2
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), b.strangers)
}

// The kinds beyond the bar.

func webmailTheft(b *builder, d dice, c *attack) {
	p := b.victim(d)
	c.pace = min(c.pace, 200)
	own := []*client{webmail().where}
	b.theft(d, c, p, own)
	b.mail(d, c, from(p.src, own), b.strangers)
}

func replyChain(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{5, 100}), 0.1)
	c.volume, c.pace, c.each = len(p.likes), d.log(span{10, 200}), 1+d.IntN(2)
	c.sorted = false
	c.subject = func(d dice) string { return "Re: " + b.words.subject(d) }
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), func(_ dice, sent int) string { return p.likes[sent%len(p.likes)] })
}

func dormant(b *builder, d dice, c *attack) {
	a := b.site(d, anySite)
	login := "backup@" + a.domain
	src, bots := b.login("spam", a, login), b.bots(d, d.logInt(span{1, 30}), 0.5)
	c.pace, c.sender = d.log(span{10, 300}), func(dice) string { return login }
	b.mail(d, c, from(src, bots), b.strangers)
}

func warmUp(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 4}), 0.6)
	c.start = b.learn + d.between(0, 3*24*time.Hour)
	c.pace, c.ramp, c.each = d.log(span{0.5, 3}), d.uniform(span{0.5, 2}), 1
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), b.strangers)
}

func homeScript(b *builder, d dice, c *attack) {
	a := b.site(d, anySite)
	src := b.script("spam", a, pick(d, []string{"/home/" + a.name, "/", "/home/" + a.name + "/.config/htop"}))
	c.each, c.sender = 1, func(d dice) string { return pick(d, b.words.spamSenders) + "@" + a.domain }
	b.mail(d, c, alone(src), b.strangers)
}
