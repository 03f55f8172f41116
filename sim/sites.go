package sim

import (
	"fmt"
	"time"
)

// What web sites and machines send: orders, confirmations, form mail, cron output, alerts.

// Shoppers and other consumers are awake later than offices.
var shoppingHours = []float64{8, 4, 2, 1, 1, 2, 5, 10, 18, 26, 32, 34, 36, 34, 33, 34, 36, 40, 46, 54, 60, 56, 38, 20}

// shop sends order mail as a script of its site or as a login.
type shop struct {
	src    *source
	from   *client
	sender string
	orders float64 // a day
	peak   float64 // recipients on its best day
}

func (b *builder) addShop(a *account, d dice) {
	s := &shop{sender: "orders@" + a.domain, orders: d.log(b.ranges.orders)}
	if d.chance(0.7) {
		s.src = b.script("shop", a, a.root+pick(d, b.words.goodFolders))
		if d.chance(0.4) {
			s.sender = a.name + "@" + serverName
		}
	} else {
		s.src = b.login("shop", a, s.sender)
		s.from = webmail().where
		if d.chance(0.5) {
			p := pick(d, b.net.hosters)
			s.from = p.at(d, p.addr(d), a.domain)
		}
	}
	a.shop = s
	a.scripts = append(a.scripts, s.src)
	sales := map[int]float64{}
	for range d.IntN(4) {
		day, factor := d.IntN(b.cfg.Days), d.uniform(b.ranges.salesFactor)
		sales[day], sales[day+1] = factor, factor/2
	}
	number, owner := 1000+d.IntN(90000), pick(d, a.people).address
	confirm, shipped, tells := pick(d, b.words.orders), pick(d, b.words.shipped), d.chance(0.7)
	for day := range b.cfg.Days {
		mean := s.orders * max(1, sales[day]) * d.lognormal(0.95, 0.25)
		s.peak = max(s.peak, mean)
		for range d.poisson(mean) {
			number++
			at := time.Duration(day)*24*time.Hour + clock(d, shoppingHours, 0)
			buyer := b.words.stranger(d, b.others, 0.75)
			b.order(d, s, at, fmt.Sprintf(confirm, number), buyer)
			if tells {
				b.order(d, s, at+time.Second, fmt.Sprintf(confirm, number), owner)
			}
			if d.chance(0.7) {
				b.order(d, s, at+d.between(12*time.Hour, 70*time.Hour), fmt.Sprintf(shipped, number), buyer)
			}
		}
	}
}

func (b *builder) order(d dice, s *shop, at time.Duration, subject, to string) {
	b.send(send{at: at, src: s.src, from: s.from, sender: s.sender, subject: subject, to: []string{to}, mood: &typed,
		size: int32(d.lognormal(14000, 0.4))})
}

// addSignup is a site that confirms registrations and resets passwords.
func (b *builder) addSignup(a *account, d dice) {
	src := b.script("signup", a, a.root+pick(d, b.words.goodFolders))
	a.scripts = append(a.scripts, src)
	b.confirm(a, d, src, 0, d.log(span{3, 80}))
}

func (b *builder) confirm(a *account, d dice, src *source, from time.Duration, daily float64) {
	subjects := []string{pick(d, b.words.signups), pick(d, b.words.signups)}
	sender := pick(d, []string{"noreply@" + a.domain, a.name + "@" + serverName, "info@" + a.domain})
	for day := int(from / (24 * time.Hour)); day < b.cfg.Days; day++ {
		for range d.poisson(daily * d.lognormal(0.9, 0.4)) {
			at := time.Duration(day)*24*time.Hour + clock(d, shoppingHours, 0)
			if at < from {
				continue
			}
			b.send(send{at: at, src: src, sender: sender, subject: pick(d, subjects), mood: &typed,
				to: []string{b.words.stranger(d, b.others, 0.75)}})
		}
	}
}

// addForm is a contact form: to the owner, sometimes in the visitor's name, sometimes with a copy to him.
func (b *builder) addForm(a *account, d dice) {
	src := b.script("form", a, a.root+pick(d, b.words.goodFolders))
	a.scripts = append(a.scripts, src)
	owner, subject := pick(d, a.people).address, pick(d, b.words.forms)
	if d.chance(0.3) {
		owner = b.words.stranger(d, b.others, 0.8)
	}
	foreign, copies, daily := d.chance(0.4), d.chance(0.25), d.log(span{0.1, 6})
	for day := range b.cfg.Days {
		for range d.poisson(daily) {
			at := time.Duration(day)*24*time.Hour + clock(d, shoppingHours, 0)
			visitor := b.words.stranger(d, b.others, 0.7)
			sender := a.name + "@" + serverName
			if foreign {
				sender = visitor
			}
			b.send(send{at: at, src: src, sender: sender, subject: b.words.fill(d, subject, 0), to: []string{owner}})
			if copies {
				b.send(send{at: at + time.Second, src: src, sender: a.name + "@" + serverName, to: []string{visitor},
					subject: b.words.fill(d, subject, 0), mood: &typed})
			}
		}
	}
}

// addCron mails the output of jobs to the owner, every day at the same times.
func (b *builder) addCron(a *account, d dice) {
	src := b.script("cron", a, "/home/"+a.name)
	owner := pick(d, a.people).address
	every := pick(d, []time.Duration{time.Hour, 24 * time.Hour, 15 * time.Minute, 24 * time.Hour})
	if d.chance(0.3) {
		owner = b.words.stranger(d, b.others, 0.9)
	}
	for at := d.between(0, every); at < b.span; at += every {
		if every < time.Hour && d.chance(0.8) {
			continue
		}
		b.send(send{at: at, src: src, sender: a.name + "@" + serverName, to: []string{owner},
			subject: fmt.Sprintf("Cron <%s@%s> php %s/cron.php", a.name, serverName, a.root)})
	}
}

// addMonitor watches hosts and tells a few people, now and then in a storm.
func (b *builder) addMonitor(a *account, d dice) {
	folders := []string{"/var/lib/nagios", "/usr/lib/zabbix/alertscripts", "/home/" + a.name + "/watch", "/"}
	src := b.script("monitor", a, pick(d, folders))
	var to []string
	for range 1 + d.IntN(5) {
		to = append(to, b.contact(d, a))
	}
	pattern := pick(d, b.words.alerts)
	tell := func(at time.Duration) {
		subject := fmt.Sprintf(pattern, "host"+fmt.Sprint(d.IntN(40)))
		for _, t := range to {
			b.send(send{at: at, src: src, sender: "monitor@" + a.domain, subject: subject, to: []string{t}})
		}
	}
	for at := d.wait(10 * time.Hour); at < b.span; at += d.wait(10 * time.Hour) {
		tell(at)
	}
	for range 1 + d.IntN(4) {
		at, left := d.between(0, b.span), d.logInt(b.ranges.alertStorm)/len(to)
		for pace := d.log(span{float64(2 * time.Second), float64(40 * time.Second)}); left > 0; left-- {
			at += d.wait(time.Duration(pace))
			tell(at)
		}
	}
}

// addApp is an application on the server that mails over SMTP to this machine without a login, as many may: tickets,
// reports and reminders to customers and colleagues.
func (b *builder) addApp(a *account, d dice) {
	local := *webmail().where
	local.helo = pick(d, []string{"localhost", "localhost.localdomain", serverName, "app", "[127.0.0.1]"})
	src := b.anonymous("app", "127.0.0.1 "+a.domain)
	sender, daily, reuse, served := "tickets@"+a.domain, d.log(span{3, 150}), d.uniform(span{0.3, 0.9}), []string{}
	for day := range b.cfg.Days {
		for range d.poisson(daily * weekdayCounts[b.weekday(day)] / weekdayCounts[0]) {
			at := time.Duration(day)*24*time.Hour + clock(d, hourCounts, -2)
			to := b.contact(d, a)
			if len(served) > 0 && d.chance(reuse) {
				to = pick(d, served)
			}
			served = append(served, to)
			b.send(send{at: at, src: src, from: &local, sender: sender, to: []string{to},
				subject: fmt.Sprintf("[#%d] %s", 1000+d.IntN(9000), b.words.subject(d))})
		}
	}
}
