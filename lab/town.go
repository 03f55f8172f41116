package lab

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"
)

// SpamMark is in the text of all spam: receivers tell it by that. See SinkOptions.
const SpamMark = "http://win.click.example/"

// Town is a small hosting server's world: who has an account on it, and what they send. It is drawn from a seed and is
// the same every time.
type Town struct {
	dice   *rand.Rand
	people []person
	list   []string // the newsletter's readers
	orders int
}

// person is somebody with a mailbox, a home, a mail program, and the people they write to.
type person struct {
	account Account
	home    netip.Addr
	helo    string
	friends []string
}

// Domains and unix users of the town. Each domain is the site of the user of the same name.
const (
	shopDomain, gardenDomain, clubDomain, floristDomain = "shop.test", "garden.test", "club.test", "florist.test"

	// StolenLogin is whose password will be stolen.
	StolenLogin = "dave@osm.test"
	// HackedFolder is where the hacked script lies.
	HackedFolder = "/home/club/public_html/wp-content/uploads/2026/11"
	newsLogin    = "news@" + gardenDomain
	// Florist writes to all of her customers for the first time.
	Florist = "heidi@" + floristDomain
)

// NewTown draws a town.
func NewTown(seed uint64) *Town {
	t := &Town{dice: rand.New(rand.NewPCG(seed, 0))}
	for i, name := range []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"} {
		domain := []string{Domain, Domain, gardenDomain, floristDomain}[i%4]
		if name == "dave" {
			domain = Domain
		}
		p := person{
			account: Account{name + "@" + domain, "secret-" + name},
			home:    netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + 7*i)}),
			helo:    []string{"[192.168.1.%d]", "laptop-%d", "phone-%d.local"}[i%3],
		}
		p.helo = fmt.Sprintf(p.helo, 10+i)
		for range 6 + t.dice.IntN(6) {
			p.friends = append(p.friends, t.stranger())
		}
		t.people = append(t.people, p)
	}
	for range 300 {
		t.list = append(t.list, t.stranger())
	}
	return t
}

// Options is the server that the town needs. The caller adds the sink and what else is wanted.
func (t *Town) Options() Options {
	o := Options{
		Domains: []string{shopDomain, gardenDomain, clubDomain, floristDomain},
		Users:   []string{"shop", "garden", "club", "florist", "office"},
		Owners: map[string]string{Domain: "office", shopDomain: "shop", gardenDomain: "garden", clubDomain: "club",
			floristDomain: "florist"},
		Accounts: []Account{{newsLogin, "secret-news"}, {"orders@" + shopDomain, "secret-orders"},
			{"office@" + floristDomain, "secret-office"}},
		Aliases: map[string]string{
			"root@" + Domain:       "alice@" + Domain,
			"postmaster@" + Domain: "alice@" + Domain,
			"info@" + clubDomain:   "club.chair@" + DomainG,
			"sales@" + shopDomain:  "shop.owner@" + DomainM,
			// An address that leads to itself goes on to its mailbox (specification 22.5).
			"orders@" + shopDomain: "orders@" + shopDomain,
			"*@" + shopDomain:      ":blackhole:", // where the bounces of the local program's spam go
			"*@" + clubDomain:      ":blackhole:", // where the bounces of the hacked script's mail go
		},
		QueueEvery: 5 * time.Second,
	}
	for _, p := range t.people {
		o.Accounts = append(o.Accounts, p.account)
	}
	return o
}

// Attack says when what is out of the ordinary begins, after the start; 0 is never.
type Attack struct {
	Mailing time.Duration // no attack, but looks like one: a person's first letter to all customers
	Login   time.Duration // a stolen login, from ever new addresses
	Script  time.Duration // a hacked script in an uploads folder
	Local   time.Duration // a program on the server that sends without a login
}

// habit is something that is done again and again, at random times.
type habit struct {
	every time.Duration // on average
	from  time.Duration // begins then
	write func() *Letter
	next  time.Duration
}

// never is longer than anybody watches.
const never = 10_000 * time.Hour

// Letters is everything that is sent, without end, with the time after the start: about eight ordinary letters a second
// and, from their time on, twenty of spam by the login, five by the script and
// ten by the program. It may be used once.
func (t *Town) Letters(a Attack) iter.Seq2[time.Duration, *Letter] {
	habits := []habit{
		{every: 400 * time.Millisecond, write: t.personal},
		{every: 700 * time.Millisecond, write: t.order},
		{every: 2500 * time.Millisecond, write: t.newsletter},
		{every: 3 * time.Second, write: t.contactForm},
		{every: 800 * time.Millisecond, write: t.incoming},
		{every: 2 * time.Second, write: t.forwarded},
		{every: 9 * time.Second, write: t.cron},
		{every: 7 * time.Second, write: t.monitor},
	}
	if a.Login > 0 {
		habits = append(habits, habit{every: 50 * time.Millisecond, from: a.Login, write: t.stolenLogin})
	}
	if a.Script > 0 {
		habits = append(habits, habit{every: 200 * time.Millisecond, from: a.Script, write: t.hackedScript})
	}
	if a.Local > 0 {
		habits = append(habits, habit{every: 100 * time.Millisecond, from: a.Local, write: t.planted})
	}
	return func(yield func(time.Duration, *Letter) bool) {
		for i := range habits {
			habits[i].next = habits[i].from + t.pause(habits[i].every)
		}
		if a.Mailing > 0 {
			habits = append(habits, habit{every: never, write: t.mailing, next: a.Mailing})
		}
		for {
			next := &habits[0]
			for i := range habits {
				if habits[i].next < next.next {
					next = &habits[i]
				}
			}
			if !yield(next.next, next.write()) {
				return
			}
			next.next += t.pause(next.every)
		}
	}
}

// pause is the time to the next of many independent events.
func (t *Town) pause(mean time.Duration) time.Duration {
	return time.Duration(t.dice.ExpFloat64() * float64(mean))
}
