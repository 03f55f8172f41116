package sim

import (
	"fmt"
	"strings"
	"time"
)

// The plain campaigns of the table in DESIGN.md.

// from sends everything from one source by clients in turn.
func from(src *source, clients []*client) func(int) (*source, *client) {
	return func(i int) (*source, *client) { return src, clients[i%len(clients)] }
}

// alone is a local source.
func alone(src *source) func(int) (*source, *client) {
	return func(int) (*source, *client) { return src, nil }
}

func stolenLogin(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 20}), 0.6)
	c.pace = max(c.pace, 60)
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), b.strangers)
}

func wide(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 5}), 0.7)
	c.each = d.logInt(b.ranges.wide)
	c.volume = c.each * (3 + d.IntN(18))
	c.pace = d.log(span{500, 20000})
	b.theft(d, c, p, bots)
	b.mail(d, c, from(p.src, bots), b.strangers)
}

func slowRotating(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, d.logInt(span{20, 300}), 0.2)
	c.pace, c.each = d.log(span{4, 40}), 1
	c.volume = int(c.pace * d.log(span{36, 168}))
	c.start = min(c.start, b.span-5*24*time.Hour)
	turn := 1 + d.IntN(20)
	b.theft(d, c, p, bots)
	b.mail(d, c, func(i int) (*source, *client) { return p.src, bots[i/turn%len(bots)] }, b.strangers)
}

func botnet(b *builder, d dice, c *attack) {
	p, bots := b.victim(d), b.bots(d, max(30, d.logInt(span{60, b.ranges.ips.hi})), 0.05)
	c.pace = max(c.pace, 100)
	b.theft(d, c, p, bots)
	b.mail(d, c, func(int) (*source, *client) { return p.src, pick(d, bots) }, b.strangers)
}

func uploadsScript(b *builder, d dice, c *attack) {
	a := b.site(d, anySite)
	src := b.script("spam", a, a.root+pick(d, b.words.badFolders))
	c.pace, c.each = max(c.pace, 100), 1
	c.sender = func(d dice) string {
		return fmt.Sprintf("%s%d@%s", pick(d, b.words.spamSenders), d.IntN(50), a.domain)
	}
	if d.chance(0.5) {
		c.subject = b.words.lure
	}
	b.mail(d, c, alone(src), b.strangers)
}

func formAbuse(b *builder, d dice, c *attack) {
	a := b.site(d, func(a *account) bool { return len(a.scripts) > 0 })
	src := b.scriptOf(d, a)
	c.each, c.pace = 1, min(c.pace, 3000)
	c.sender = func(dice) string { return a.name + "@" + serverName }
	if d.chance(0.4) {
		c.sender = b.target // forms that send in the visitor's name
	}
	if subject := pick(d, b.words.forms); d.chance(0.5) {
		c.subject = func(d dice) string { return b.words.fill(d, subject, 0) }
	}
	b.victimOf(src, c)
	b.mail(d, c, alone(src), b.strangers)
}

// scriptOf is one of an account's sending scripts, or a form of its own when it has none.
func (b *builder) scriptOf(d dice, a *account) *source {
	if len(a.scripts) == 0 {
		b.addForm(a, d)
	}
	return pick(d, a.scripts)
}

func freshAccount(b *builder, d dice, c *attack) {
	a := b.fresh(d, c.start-d.between(time.Hour, 72*time.Hour))
	c.sender = func(d dice) string { return pick(d, b.words.spamSenders) + "@" + a.domain }
	if d.chance(0.4) {
		b.mail(d, c, alone(b.script("spam", a, a.root)), b.strangers)
		return
	}
	login := "info@" + a.domain
	src, own := b.login("spam", a, login), b.bots(d, d.logInt(span{1, 4}), 0.8)
	c.sender = func(dice) string { return login }
	for range d.IntN(6) { // tries whether it works, to itself elsewhere
		b.send(send{at: d.between(a.since, c.start), src: src, from: own[0], sender: login, subject: "test",
			to: []string{b.target(d)}, campaign: c.number})
	}
	b.mail(d, c, from(src, own), b.strangers)
}

func spoofed(b *builder, d dice, c *attack) {
	brands := make([]string, 1+d.IntN(60))
	for i := range brands {
		brands[i] = pick(d, b.others)
	}
	c.each = min(c.each, 5)
	forge := func(d dice) string { return pick(d, b.words.spamSenders) + "@" + pick(d, brands) }
	if d.chance(0.4) {
		a := b.site(d, anySite)
		c.sender = forge
		b.mail(d, c, alone(b.script("spam", a, a.root+"/"+strings.ToLower(code(d, 5)))), b.strangers)
		return
	}
	p, bots := b.victim(d), b.bots(d, d.logInt(span{1, 50}), 0.5)
	b.theft(d, c, p, bots)
	c.sender = forge
	b.mail(d, c, from(p.src, bots), b.strangers)
}

func localhost(b *builder, d dice, c *attack) {
	helo := pick(d, []string{"localhost", "[127.0.0.1]", strings.ToLower(code(d, 8)), serverName})
	own := *webmail().where
	own.helo = helo
	a := pick(d, b.accounts)
	c.pace = max(c.pace, 100)
	c.sender = func(d dice) string { return pick(d, b.words.spamSenders) + "@" + a.domain }
	if d.chance(0.5) {
		c.sender = b.target
	}
	b.mail(d, c, from(b.anonymous("spam", "127.0.0.1 "+helo), []*client{&own}), b.strangers)
}

func stolenNewsletter(b *builder, d dice, c *attack) {
	a := b.site(d, func(a *account) bool { return a.mailing != nil })
	if a.mailing == nil {
		b.addMailing(a, d)
	}
	n, bots := a.mailing, b.bots(d, d.logInt(span{1, 5}), 0.8)
	c.volume = max(c.volume, int(500*b.cfg.Volume))
	c.pace, c.each = n.pace*d.log(span{0.5, 4}), n.batch
	c.sender = func(dice) string { return n.sender }
	b.guessed(d, c, n.src.login, bots[0])
	b.victimOf(n.src, c)
	b.mail(d, c, from(n.src, bots), b.strangers)
}
