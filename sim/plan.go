package sim

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"osm"
)

// send is one planned submission.
type send struct {
	at       time.Duration // since the world's start
	src      *source
	from     *client // nil for a local submission
	sender   string
	subject  string
	to       []string
	size     int32
	mood     *mood
	campaign int32 // number plus 1, 0 when it is none's
}

// source is a sender: a login, a script, a stranger's server.
type source struct {
	number  int
	kind    string
	class   osm.Class
	account string
	login   string
	user    string // unix user of a local submission
	script  string // working directory of a local submission
}

// account is one customer of the server.
type account struct {
	name    string // unix user
	domain  string
	root    string // document root
	since   time.Duration
	office  provider
	ip      netip.Addr
	people  []*person
	known   []string // outside addresses that somebody of the account deals with
	scripts []*source
	mailing *newsletter // a newsletter sent by login
	shop    *shop
	taken   bool // by a campaign or an odd habit: others keep away
}

// builder makes the plan of a world.
type builder struct {
	cfg      Config
	words    *words
	ranges   *ranges
	net      internet
	world    *World
	accounts []*account
	others   []string // domains elsewhere
	history  []history
	span     time.Duration // of the world
	learn    time.Duration
	people   []*person
}

// New draws a world.
func New(cfg Config) *World {
	seed := mix(cfg.Seed*2 + uint64(cfg.Family)) // the families share no draw
	d := newDice(seed, "world")
	b := &builder{words: &vocabulary[cfg.Family], ranges: &families[cfg.Family]}
	if cfg.Accounts == 0 {
		cfg.Accounts = d.logInt(b.ranges.accounts)
	}
	if cfg.Days == 0 {
		cfg.Days = d.int(b.ranges.days)
	}
	if cfg.Learn == 0 {
		cfg.Learn = 14
	}
	if cfg.Volume == 0 {
		cfg.Volume = 1
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d.IntN(28))
	}
	answers, err := readAnswers(answerText, cfg.Family)
	if err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	b.cfg, b.world = cfg, &World{answers: answers, Config: cfg, seed: seed,
		hosted: map[string]bool{serverName: true}, forwards: map[string]string{}}
	b.world.mailer = b.source("bounce", "Exim", source{class: osm.Bounce, user: "Debian-exim"})
	b.span, b.learn = time.Duration(cfg.Days)*24*time.Hour, time.Duration(cfg.Learn)*24*time.Hour
	b.net = newInternet(d, cfg.Family)
	b.history = readHistories(cfg.Enron, cfg.Family)
	b.others = make([]string, 400+d.IntN(800))
	for i := range b.others {
		b.others[i] = b.words.domain(d)
	}
	b.populate()
	if cfg.Hard {
		b.oddities()
	}
	if !cfg.None {
		b.campaigns()
	}
	b.finish()
	return b.world
}

// finish puts everything in order of time.
func (b *builder) finish() {
	w := b.world
	w.sends = slices.DeleteFunc(w.sends, func(s send) bool { return s.at < 0 || s.at >= b.span || len(s.to) == 0 })
	slices.SortStableFunc(w.sends, func(x, y send) int { return cmp.Compare(x.at, y.at) })
	slices.SortStableFunc(w.failures, func(x, y attempt) int { return cmp.Compare(x.at, y.at) })
	for i := range w.sends {
		s := &w.sends[i]
		if s.campaign == 0 {
			continue
		}
		c, at := &w.Campaigns[s.campaign-1], w.Config.Start.Add(s.at)
		if c.Messages == 0 {
			c.Start = at
		}
		c.Messages, c.Recipients, c.End = c.Messages+1, c.Recipients+len(s.to), at
	}
}

// dice are the ones of a name.
func (b *builder) dice(name string) dice { return newDice(b.world.seed, name) }

// source registers a sender.
func (b *builder) source(kind, name string, s source) *source {
	s.kind, s.number = kind, len(b.world.Senders)
	b.world.Senders = append(b.world.Senders, Sender{Name: name, Kind: kind})
	return &s
}

// login is a source that authenticates.
func (b *builder) login(kind string, a *account, login string) *source {
	return b.source(kind, login, source{class: osm.Login, account: a.name, login: login})
}

// script is a source that calls sendmail from a folder.
func (b *builder) script(kind string, a *account, folder string) *source {
	s := b.source(kind, folder, source{class: osm.Local, account: a.name, user: a.name, script: folder})
	return s
}

// send plans one message.
func (b *builder) send(s send) {
	if s.size == 0 {
		s.size = int32(900 + mix(uint64(s.at))%9000)
	}
	if s.mood == nil {
		s.mood = &ordinary
	}
	b.world.sends = append(b.world.sends, s)
}

// begun is a moment after the learning period, early enough that most of what begins then is seen.
func (b *builder) begun(d dice) time.Duration {
	return d.between(b.learn, b.learn+(b.span-b.learn)*3/4)
}

// populate makes the accounts and their ordinary senders.
func (b *builder) populate() {
	d := b.dice("accounts")
	for i := range b.cfg.Accounts {
		domain := b.words.domain(d)
		user := strings.NewReplacer("-", "", ".", "").Replace(domain)
		user = fmt.Sprintf("%s%d", user[:min(6, len(user))], i)
		home := pick(d, b.net.home)
		a := &account{name: user, domain: fmt.Sprintf("%d%s", i, domain), office: home, ip: home.addr(d)}
		a.root = b.ranges.root(user, a.domain)
		for range 10 + d.IntN(60) {
			a.known = append(a.known, b.words.stranger(d, b.others, 0.35))
		}
		b.world.hosted[a.domain] = true
		b.accounts = append(b.accounts, a)
	}
	for i, a := range b.accounts {
		// The first accounts have one habit each, so that every world has every kind of ordinary sender.
		b.furnish(a, b.dice("account "+a.name), i)
	}
	b.background(b.dice("background"))
	b.away()
}

// furnish gives an account its senders.
func (b *builder) furnish(a *account, d dice, i int) {
	r := b.ranges
	for range 1 + min(40, int(d.lognormal(r.mailboxes, 0.9))) {
		a.people = append(a.people, b.person(a, d))
	}
	b.people = append(b.people, a.people...)
	for n, kind := range []struct {
		share float64
		make  func(*account, dice)
	}{{r.shops, b.addShop}, {r.newsletters, b.addNewsletter}, {r.invoices, b.addInvoices}, {r.forwarders, b.addForwarders},
		{r.lists, b.addList}, {r.monitors, b.addMonitor}, {r.signups, b.addSignup}, {r.forms, b.addForm}, {r.crons, b.addCron},
		{r.apps, b.addApp}} {
		if i == n || d.chance(kind.share) {
			kind.make(a, d)
		}
	}
}
