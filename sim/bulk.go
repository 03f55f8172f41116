package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"osm"
)

// Wanted mail to many: newsletters, invoices, mailing lists.

// newsletter goes out regularly to a list that changes slowly.
type newsletter struct {
	src     *source
	from    *client
	sender  string
	readers []string
	dead    float64 // share of addresses that were dead from the start
	pace    float64 // messages an hour
	batch   int     // recipients a message
	subject string
	grow    float64
	verp    bool // every message has a sender of its own, so that bounces tell the reader
	named   bool // the subject begins with the reader's name
}

func (b *builder) addNewsletter(a *account, d dice) {
	b.weekly(d, b.newsletter(a, d, d.chance(0.6)))
}

// addMailing is a newsletter that is sent by login.
func (b *builder) addMailing(a *account, d dice) { b.weekly(d, b.newsletter(a, d, false)) }

func (b *builder) weekly(d dice, n *newsletter) {
	first := time.Duration(d.IntN(7))*24*time.Hour + clock(d, hourCounts, -2)
	issue := 1 + d.IntN(300)
	every := pick(d, b.ranges.newsEvery)
	for at := first; at < b.span; at += every + d.between(-2*time.Hour, 2*time.Hour) {
		b.issue(n, d, at, b.words.fill(d, n.subject, issue))
		n.renew(b, d)
		issue++
	}
}

func (b *builder) newsletter(a *account, d dice, script bool) *newsletter {
	r := b.ranges
	n := &newsletter{sender: pick(d, []string{"newsletter@", "news@", "info@", "bounce@"}) + a.domain, dead: d.log(r.dead),
		verp: d.chance(r.verp), named: d.chance(r.named), pace: d.log(r.newsPace), batch: 1,
		subject: pick(d, b.words.news), grow: d.log(r.readersGrow)}
	if script {
		n.src = b.script("newsletter", a, a.root+pick(d, b.words.goodFolders))
		a.scripts = append(a.scripts, n.src)
	} else {
		n.src = b.login("newsletter", a, n.sender)
		n.from = b.desktop(d, a.office, a.ip, 0).connect(d)
		if d.chance(0.4) {
			n.batch = d.logInt(span{10, 100})
		}
		a.mailing = n
	}
	size := d.log(r.readers) * math.Sqrt(b.cfg.Volume)
	for range int(size) {
		if d.chance(0.05) {
			n.readers = append(n.readers, pick(d, a.known))
			continue
		}
		n.readers = append(n.readers, b.words.stranger(d, b.others, 0.6))
	}
	return n
}

// issue mails every reader, or a part of them, once. After it most dead addresses are taken off, as bounce handling
// does.
func (b *builder) issue(n *newsletter, d dice, at time.Duration, subject string) {
	m := &mood{dead: n.dead, spam: 0.001}
	readers := n.readers
	if part := d.uniform(b.ranges.segments); part < 1 {
		d.Shuffle(len(readers), func(i, j int) { readers[i], readers[j] = readers[j], readers[i] })
		readers = slices.Clone(readers[:int(part*float64(len(readers)))])
	}
	for i := 0; i < len(readers); i += n.batch {
		to := readers[i:min(i+n.batch, len(readers))]
		sender, title := n.sender, subject
		if n.verp && n.batch == 1 {
			sender = "bounce+" + strings.ReplaceAll(to[0], "@", "=") + n.sender[strings.IndexByte(n.sender, '@'):]
		}
		if n.named && n.batch == 1 {
			title = to[0][:strings.IndexAny(to[0], ".0123456789@")] + ", " + subject
		}
		b.send(send{at: at, src: n.src, from: n.from, sender: sender, subject: title, to: to, mood: m,
			size: int32(d.lognormal(30000, 0.1))})
		at += time.Duration(float64(len(to)) * float64(time.Hour) / n.pace * (0.7 + 0.6*d.Float64()))
	}
}

// renew adds the week's new readers and takes off most of the addresses that failed.
func (n *newsletter) renew(b *builder, d dice) {
	kept := make([]string, 0, len(n.readers)+20)
	for _, r := range n.readers {
		if !dead(r, n.dead) || d.chance(0.3) {
			kept = append(kept, r)
		}
	}
	for range d.poisson(n.grow * float64(len(kept))) {
		kept = append(kept, b.words.stranger(d, b.others, 0.6))
	}
	n.readers = kept
}

// biller is who sends an account's invoices: the site, somebody's own mailbox, or one for the purpose that is used for
// reminders and questions the whole month.
func (b *builder) biller(a *account, d dice) (src *source, from *client, sender string) {
	if d.chance(0.35) {
		return b.script("invoices", a, pick(d, []string{a.root + "/billing", "/home/" + a.name + "/erp", a.root + "/admin"})),
			nil, "billing@" + a.domain
	}
	if d.chance(0.6) {
		p := pick(d, a.people)
		return b.aside(p.src, "invoices"), p.devices[0].connect(d), p.address
	}
	sender = "billing@" + a.domain
	src, from = b.login("invoices", a, sender), b.desktop(d, a.office, a.ip, 0).connect(d)
	for at := d.wait(30 * time.Hour); at < b.span; at += d.wait(30 * time.Hour) {
		b.send(send{at: at, src: src, from: from, sender: sender, subject: b.words.subject(d), to: []string{b.contact(d, a)}})
	}
	return src, from, sender
}

// addInvoices bills the same customers every month, or every week.
func (b *builder) addInvoices(a *account, d dice) {
	src, from, sender := b.biller(a, d)
	customers := make([]string, d.logInt(b.ranges.customers))
	for i := range customers {
		if customers[i] = b.words.stranger(d, b.others, 0.3); d.chance(0.3) {
			customers[i] = pick(d, a.known)
		}
	}
	weekly, number, subject := d.chance(0.4), d.IntN(100000), pick(d, b.words.invoices)
	for day := range b.cfg.Days {
		date := b.cfg.Start.AddDate(0, 0, day)
		if (weekly && date.Weekday() != time.Friday) || (!weekly && date.AddDate(0, 0, 1).Day() != 1) {
			continue
		}
		at := time.Duration(day)*24*time.Hour + d.between(8*time.Hour, 16*time.Hour)
		for _, c := range customers {
			if weekly && d.chance(0.6) {
				continue
			}
			number++
			b.send(send{at: at, src: src, from: from, sender: sender, subject: fmt.Sprintf(subject, number), to: []string{c},
				size: int32(d.lognormal(60000, 0.3))})
			at += d.between(time.Second, 12*time.Second)
		}
		for range len(customers) / 30 {
			customers = append(customers, b.words.stranger(d, b.others, 0.3))
		}
	}
}

// addList is a discussion list: what one member writes goes to all, in messages of many recipients.
func (b *builder) addList(a *account, d dice) {
	name := pick(d, b.words.topics)
	members := make([]string, d.logInt(span{20, 400}))
	for i := range members {
		members[i] = b.words.stranger(d, b.others, 0.6)
	}
	src := b.source("list", name+"@"+a.domain, source{class: osm.List, account: a.name, user: "list"})
	if d.chance(0.5) {
		src.user = ""
	}
	from := webmail().where
	if src.user != "" {
		from = nil
		src.script = "/var/lib/mailman"
	}
	daily := d.log(span{0.3, 10})
	for day := range b.cfg.Days {
		for range d.poisson(daily) {
			at := time.Duration(day)*24*time.Hour + clock(d, shoppingHours, 0)
			subject := fmt.Sprintf("[%s] %s", name, b.words.subject(d))
			b.inbound(d, at-5*time.Second, pick(d, members), name+"@"+a.domain, subject)
			for i := 0; i < len(members); i += 100 {
				b.send(send{at: at + time.Duration(i)*10*time.Millisecond, src: src, from: from, subject: subject,
					sender: name + "-bounces@" + a.domain, to: members[i:min(i+100, len(members))], mood: &mood{dead: 0.004}})
			}
		}
	}
}
