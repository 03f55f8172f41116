package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
)

// kind is one way to send spam.
type kind struct {
	name  string
	hard  bool
	extra bool // not among the kinds of the bar: nearly beyond telling, or rare; only when named
	plan  func(b *builder, d dice, c *attack)
}

// kinds are all campaigns there are, in the order of the reports.
var kinds = []kind{
	{name: "stolen-login", plan: stolenLogin},
	{name: "wide", plan: wide},
	{name: "slow-rotating", plan: slowRotating},
	{name: "botnet", plan: botnet},
	{name: "uploads-script", plan: uploadsScript},
	{name: "form-abuse", plan: formAbuse},
	{name: "fresh-account", plan: freshAccount},
	{name: "spoofed", plan: spoofed},
	{name: "localhost", plan: localhost},
	{name: "stolen-newsletter", plan: stolenNewsletter},
	{name: "next-door", hard: true, plan: nextDoor},
	{name: "address-book", hard: true, plan: addressBook},
	{name: "office-hours", hard: true, plan: officeHours},
	{name: "herd", hard: true, plan: herd},
	{name: "usual-folder", hard: true, plan: usualFolder},
	{name: "shop-takeover", hard: true, plan: shopTakeover},
	{name: "fifteen-bcc", hard: true, plan: fifteenBcc},
	{name: "webmail", hard: true, extra: true, plan: webmailTheft},
	{name: "reply-chain", hard: true, extra: true, plan: replyChain},
	{name: "dormant", hard: true, extra: true, plan: dormant},
	{name: "warm-up", hard: true, extra: true, plan: warmUp},
	{name: "home-script", hard: true, extra: true, plan: homeScript},
}

// Kinds names the campaign kinds of a plain or hard world; with extra, those beyond the bar too.
func Kinds(hard, extra bool) []string {
	var names []string
	for _, k := range kinds {
		if (hard || !k.hard) && (extra || !k.extra) {
			names = append(names, k.name)
		}
	}
	return names
}

// attack is a campaign in the making: what it sends and how receivers take it.
type attack struct {
	number  int32 // in World.Campaigns, plus 1
	volume  int   // recipients
	pace    float64
	mood    mood
	start   time.Duration
	each    int // recipients a message
	subject func(d dice) string
	sender  func(d dice) string
	stop    time.Duration
	open    func(at time.Duration) bool // nil: any time of day
	ramp    float64                     // pace grows by this factor a day; 0 is steady
	on, off time.Duration               // it comes in waves of that length with that pause between; 0 is steady
	sorted  bool                        // recipients of one message are of one domain: the list is in order
}

// campaigns draws the world's campaigns, each with its own dice.
func (b *builder) campaigns() {
	named := b.cfg.Kinds
	d := b.dice("campaigns")
	for _, k := range kinds {
		if named != nil && !slices.Contains(named, k.name) {
			continue
		}
		if named == nil && (k.extra || (k.hard && !b.cfg.Hard) || !d.chance(0.6)) {
			continue
		}
		b.world.Campaigns = append(b.world.Campaigns, Campaign{Kind: k.name, Hard: k.hard})
		own := b.dice("campaign " + k.name)
		c := b.attack(own)
		k.plan(b, own, c)
		b.world.Campaigns[c.number-1].Note = fmt.Sprintf("%d recipients, %d a message, %.0f/h, dead %.2f, spam %.2f",
			c.volume, c.each, c.pace, c.mood.dead, c.mood.spam)
	}
}

// attack draws what all kinds have in common.
func (b *builder) attack(d dice) *attack {
	r := b.ranges
	c := &attack{number: int32(len(b.world.Campaigns)), volume: max(20, int(d.log(r.volume)*b.cfg.Volume)),
		pace: d.log(r.pace), start: b.begun(d), each: 1, stop: b.span}
	c.mood = mood{dead: d.uniform(r.campaignDead), spam: d.uniform(r.campaignSpam), onset: d.log(span{3, 300})}
	if d.chance(0.3) {
		c.each = d.logInt(span{2, 30})
	}
	if d.chance(r.waves) {
		c.on, c.off = d.between(5*time.Minute, 2*time.Hour), d.between(20*time.Minute, 8*time.Hour)
	}
	c.sorted = d.chance(r.sorted)
	c.subject = b.lures(d)
	return c
}

// lures gives subjects: one for all, one of a few, one template with changing words, or a new one each time.
func (b *builder) lures(d dice) func(d dice) string {
	switch variety := d.IntN(4); variety {
	case 0, 1:
		few := make([]string, 1+variety*d.IntN(12))
		for i := range few {
			few[i] = b.words.lure(d)
		}
		return func(d dice) string { return pick(d, few) }
	case 2:
		template, topic := pick(d, b.words.spam), pick(d, b.words.topics)
		return func(d dice) string { return fmt.Sprintf(template, topic, strings.ToLower(code(d, 6))) }
	default:
		return b.words.lure
	}
}

// target is an address of a bought list.
func (b *builder) target(d dice) string { return b.words.stranger(d, b.others, 0.6) }

// mail plans the whole campaign: src and client say who sends message i of it.
func (b *builder) mail(d dice, c *attack, src func(i int) (*source, *client), to func(d dice, sent int) string) {
	at, sent := c.start, 0
	if d.chance(b.ranges.probes) { // does it work? to a mailbox of the spammer's own
		s, from := src(0)
		b.send(send{at: at - d.between(5*time.Minute, 3*time.Hour), src: s, from: from, sender: c.sender(d), subject: "test",
			to: []string{b.target(d)}, campaign: c.number, mood: &ordinary})
	}
	for i := 0; sent < c.volume && at < c.stop; i++ {
		if c.open == nil || c.open(at) {
			n := min(c.volume-sent, max(1, int(float64(c.each)*(0.7+0.6*d.Float64()))))
			s, from := src(i)
			rcpt := make([]string, 0, n)
			for range n {
				rcpt = append(rcpt, to(d, sent))
				sent++
			}
			if c.sorted {
				rcpt = sameDomain(rcpt)
			}
			b.send(send{at: at, src: s, from: from, sender: c.sender(d), subject: c.subject(d), to: rcpt, mood: &c.mood,
				campaign: c.number, size: int32(d.lognormal(3000, 0.8))})
			pace := c.pace
			if c.ramp > 0 {
				pace *= 1 + c.ramp*float64(at-c.start)/float64(24*time.Hour)
			}
			at += d.wait(time.Duration(float64(n) * float64(time.Hour) / pace))
			if c.on > 0 && (at-c.start)%(c.on+c.off) > c.on {
				at += c.on + c.off - (at-c.start)%(c.on+c.off)
			}
		} else {
			at += d.between(10*time.Minute, 40*time.Minute)
		}
	}
}

// sameDomain moves all addresses to the first one's domain.
func sameDomain(addresses []string) []string {
	domain := addresses[0][strings.LastIndexByte(addresses[0], '@'):]
	for i, a := range addresses {
		addresses[i] = a[:strings.LastIndexByte(a, '@')] + domain
	}
	return addresses
}

// strangers is a list of people nobody here has ever written to.
func (b *builder) strangers(d dice, _ int) string { return b.target(d) }

// victim picks a person with a login whom nothing else happens to. Somebody who writes at all, mostly: those who don't
// are rarely phished.
func (b *builder) victim(d dice) *person {
	var p *person
	for range 200 {
		p = pick(d, b.people)
		if !p.taken && (p.rate > 0.5 || d.chance(0.2)) {
			break
		}
	}
	p.taken = true
	return p
}

// site picks an account nothing else happens to.
func (b *builder) site(d dice, fits func(*account) bool) *account {
	for _, i := range d.Perm(len(b.accounts)) {
		if a := b.accounts[i]; !a.taken && fits(a) {
			a.taken = true
			return a
		}
	}
	return pick(d, b.accounts)
}

func anySite(*account) bool { return true }

// break-in: often somebody guesses first.
func (b *builder) guessed(d dice, c *attack, login string, from *client) {
	if d.chance(0.4) {
		b.guess(c.start-d.between(time.Minute, 6*time.Hour), login, from, d, 1+d.IntN(40))
	}
}

// theft makes a campaign a stolen login's: with its address as sender, or names of the spammer's choice.
func (b *builder) theft(d dice, c *attack, p *person, from []*client) {
	c.sender = func(dice) string { return p.address }
	if d.chance(0.25) {
		c.sender = func(d dice) string { return pick(d, b.words.spamSenders) + "@" + p.account.domain }
	}
	b.guessed(d, c, p.src.login, from[0])
	b.victimOf(p.src, c)
}

// victimOf notes whose sender a campaign uses.
func (b *builder) victimOf(s *source, c *attack) {
	camp := &b.world.Campaigns[c.number-1]
	camp.Senders = append(camp.Senders, s.number)
}

// fresh is an account that was opened shortly before the campaign.
func (b *builder) fresh(d dice, before time.Duration) *account {
	domain := b.words.domain(d)
	a := &account{name: strings.ToLower(code(d, 6)), domain: "new-" + domain, office: pick(d, b.net.foreign),
		since: before, taken: true}
	a.root = b.ranges.root(a.name, a.domain)
	a.ip = a.office.addr(d)
	b.world.hosted[a.domain] = true
	return a
}

// open during office hours on working days only.
func (b *builder) office(at time.Duration) bool {
	hour := at % (24 * time.Hour) / time.Hour
	return hour >= 8 && hour < 18 && b.weekday(int(at/(24*time.Hour))) < 5
}

// anonymous is a source without a login from this machine.
func (b *builder) anonymous(kind, name string) *source {
	return b.source(kind, name, source{class: osm.Localhost})
}
