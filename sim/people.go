package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// person writes mail by hand. The model's figures are those of the real histories (21,635 messages of 152 senders):
// hours and weekdays by count, 69 % of messages to one recipient, half of the subjects new, and a preference for those
// written to often. The histories hold colleagues only, so the share of new recipients has a range instead of one
// value.
type person struct {
	src     *source
	account *account
	address string
	devices []*device // the first is the usual one
	rate    float64   // messages a working day
	shift   float64   // hours later than others
	newRate float64
	likes   []string // contacts, the most written-to first
	groups  [][]string
	taken   bool
}

// Messages sent by hour of the day and by weekday from Monday, counted in the histories.
var (
	hourCounts = []float64{263, 193, 163, 114, 64, 79, 208, 631, 976, 1165, 1144, 1033, 1253, 1653,
		1846, 2010, 1825, 1490, 1340, 1052, 942, 1021, 730, 440}
	weekdayCounts = []float64{4296, 4532, 4375, 4079, 3695, 302, 356}
	// Recipients a message: counts for 1 to 13.
	recipientCounts = []float64{14985, 2962, 1435, 873, 711, 180, 176, 61, 45, 29, 47, 33, 57}
)

// weighted draws an index by weight.
func weighted(d dice, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	at := d.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// clock draws a time of day from hourly weights, moved by some hours.
func clock(d dice, weights []float64, shift float64) time.Duration {
	at := time.Duration((float64(weighted(d, weights)) + d.Float64() + shift) * float64(time.Hour))
	return (at + 24*time.Hour) % (24 * time.Hour)
}

func (b *builder) weekday(day int) int {
	return (int(b.cfg.Start.AddDate(0, 0, day).Weekday()) + 6) % 7
}

// person makes a mailbox and its whole history.
func (b *builder) person(a *account, d dice) *person {
	name := fmt.Sprintf("%s@%s", b.words.person(d), a.domain)
	for slices.ContainsFunc(a.people, func(p *person) bool { return p.address == name }) {
		name = fmt.Sprintf("%s%d", code(d, 2), d.IntN(100)) + name
		name = strings.ToLower(name)
	}
	p := &person{src: b.login("person", a, name), account: a, address: name,
		rate:  d.lognormal(b.ranges.personRate, b.ranges.personTail),
		shift: d.NormFloat64() - 1, newRate: d.log(b.ranges.newRate)}
	p.devices = []*device{b.desktop(d, a.office, a.ip, []float64{0, 0.02, 0.15}[d.IntN(3)])}
	if d.chance(0.6) {
		p.devices = append(p.devices, b.phone(d))
	}
	if d.chance(0.4) {
		home := pick(d, b.net.home)
		p.devices = append(p.devices, b.desktop(d, home, home.addr(d), 0.2))
	}
	if d.chance(0.2) {
		p.devices = append(p.devices, webmail())
		if d.chance(0.5) {
			p.devices[0] = webmail()
		}
	}
	for range 5 + d.IntN(30) {
		p.likes = append(p.likes, b.contact(d, a))
	}
	for range d.IntN(4) {
		p.groups = append(p.groups, p.some(d, 3+d.IntN(12)))
	}
	if len(b.history) > 0 && d.chance(0.5) {
		b.relive(p, d, b.history[d.IntN(len(b.history))])
	} else {
		b.live(p, d)
	}
	return p
}

// contact is somebody to write to: a colleague, a partner of the account, anybody.
func (b *builder) contact(d dice, a *account) string {
	switch {
	case len(a.people) > 0 && d.chance(0.3):
		return pick(d, a.people).address
	case d.chance(0.4):
		return pick(d, a.known)
	default:
		return b.words.stranger(d, b.others, 0.35)
	}
}

// some picks distinct contacts.
func (p *person) some(d dice, n int) []string {
	var all []string
	for range n {
		if c := p.likes[d.skewed(len(p.likes))]; !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// live plans a modelled person's mail.
func (b *builder) live(p *person, d dice) {
	for day := range b.cfg.Days {
		mean := p.rate * weekdayCounts[b.weekday(day)] / weekdayCounts[0] * d.lognormal(0.8, 0.6)
		together, begin := d.chance(b.ranges.sessions), clock(d, hourCounts, p.shift)
		for range d.poisson(mean) {
			if together {
				begin += d.wait(8 * time.Minute)
			} else {
				begin = clock(d, hourCounts, p.shift)
			}
			b.write(p, d, time.Duration(day)*oneDay+begin, b.words.subject(d), 1+weighted(d, recipientCounts))
		}
	}
}

// write plans one message of a person, and the message it may answer.
func (b *builder) write(p *person, d dice, at time.Duration, subject string, recipients int) {
	var to []string
	if recipients > 2 && len(p.groups) > 0 && d.chance(0.5) {
		to = append(to, pick(d, p.groups)...)
	} else {
		for range recipients {
			c := ""
			if d.chance(p.newRate) {
				c = b.acquaint(p, d, at, subject)
			} else {
				c = p.likes[d.skewed(len(p.likes))]
			}
			if !slices.Contains(to, c) {
				to = append(to, c)
			}
		}
	}
	b.send(send{at: at, src: p.src, from: p.device(d, at).connect(d), sender: p.address, subject: subject, to: to,
		size: int32(d.lognormal(4000, 1.6))})
}

// acquaint makes a new contact; many of them wrote first.
func (b *builder) acquaint(p *person, d dice, at time.Duration, subject string) string {
	c := b.contact(d, p.account)
	p.likes = append(p.likes, c)
	if d.chance(b.ranges.inboundFirst) {
		b.inbound(d, at-d.between(5*time.Minute, 30*time.Hour), c, p.address, strings.TrimPrefix(subject, "Re: "))
	}
	return c
}

// device is the one in hand at that time of day.
func (p *person) device(d dice, at time.Duration) *device {
	hour := at % (24 * time.Hour) / time.Hour
	if len(p.devices) == 1 || (hour >= 8 && hour < 18 && d.chance(0.9)) {
		return p.devices[0]
	}
	return pick(d, p.devices)
}
