package detect

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"osm"
)

// town is a detector with a clock, and ways to send.
type town struct {
	*testing.T
	d    *Detector
	now  time.Time
	sent int
	last Assessment
}

// newTown makes a server that has been watched for three weeks: anna writes to her ten friends on workdays, from her
// office; the shop and the contact form of her site send from their folders, each to its own.
func newTown(t *testing.T) *town {
	w := &town{T: t, d: New(DefaultConfig()), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	for day := range 21 {
		w.now = time.Date(2026, 3, 2+day, 9, 0, 0, 0, time.UTC)
		for i := range 6 {
			w.pass(20 * time.Minute)
			w.accept(w.anna(fmt.Sprintf("Re: topic %d of day %d", i, day), fmt.Sprintf("friend%d@far.example", (day+i)%10)))
			for n := range 3 {
				w.accept(w.shop(fmt.Sprintf("Your order %d", w.sent), fmt.Sprintf("buyer%d-%d-%d@mail.example", day, i, n)))
			}
			w.accept(w.form("New message from your website", "anna@site.example"))
		}
	}
	w.now = time.Date(2026, 3, 23, 8, 0, 0, 0, time.UTC)
	return w
}

func (w *town) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *town) message(m osm.Message) *osm.Message {
	w.sent++
	m.ID, m.Time, m.Account, m.HasSubject, m.Size = fmt.Sprintf("1w%04d-000000-00", w.sent), w.now, "site", true, 3000
	return &m
}

func (w *town) anna(subject string, to ...string) *osm.Message {
	return w.message(osm.Message{Class: osm.Login, Login: "anna@site.example", Sender: "anna@site.example", Subject: subject,
		Client: netip.MustParseAddr("198.51.100.7"), Helo: "ANNAS-PC", Recipients: to})
}

// thief is somebody with anna's password.
func (w *town) thief(client, subject string, to ...string) *osm.Message {
	m := w.anna(subject, to...)
	m.Client, m.Helo = netip.MustParseAddr(client), "User"
	return m
}

func (w *town) shop(subject, to string) *osm.Message {
	return w.message(osm.Message{Class: osm.Local, User: "site", Sender: "shop@site.example", Subject: subject, Recipients: []string{to},
		Script: osm.Script{Path: "/home/site/shop", Sure: osm.Exact}})
}

func (w *town) form(subject, to string) *osm.Message {
	return w.message(osm.Message{Class: osm.Local, User: "site", Sender: "site@host.example", Subject: subject, Recipients: []string{to},
		Script: osm.Script{Path: "/home/site/kontakt", Sure: osm.Exact}})
}

// try sends a message and tells whether it was accepted; accepted mail is delivered.
func (w *town) try(m *osm.Message) bool {
	w.last = w.d.Find(m)
	ok := w.last.Action == osm.Accept
	w.d.Learn(m, ok)
	if ok {
		for _, r := range m.Recipients {
			w.d.Delivery(m, &osm.Delivery{Time: m.Time.Add(time.Second), Outcome: osm.Delivered, Recipient: r, Original: r, Remote: true})
		}
	}
	return ok
}

func (w *town) accept(m *osm.Message) {
	w.Helper()
	if !w.try(m) {
		w.Fatalf("%v %q to %v is stopped: %+v", m.Class, m.Subject, m.Recipients, w.last)
	}
}

// leak sends up to n messages made by next and tells how many are accepted before the first that is not.
func (w *town) leak(n int, next func(i int) *osm.Message) int {
	for i := range n {
		w.pass(20 * time.Second)
		if !w.try(next(i)) {
			return i
		}
	}
	return n
}

func stranger(i int) string { return fmt.Sprintf("victim%d@elsewhere%d.example", i*7919, i%40) }

func TestStolenLogin(t *testing.T) {
	w := newTown(t)
	if got := w.leak(50, func(i int) *osm.Message { return w.thief("203.0.113.9", "Cheap pills", stranger(i)) }); got > 5 {
		t.Errorf("%d messages to strangers from elsewhere went out", got)
	}
	if w.last.Rule != "stolen-login" || w.last.Key.String() != "login:anna@site.example" || w.last.Detail == "" ||
		len(w.last.Findings) < 3 {
		t.Errorf("the verdict does not explain itself: %+v", w.last)
	}
	for range 30 {
		w.pass(time.Minute)
		if w.try(w.thief("203.0.113.9", "Cheap pills", stranger(w.sent))) {
			t.Fatal("a stopped thief is let through")
		}
	}
	// Her own mail goes on meanwhile.
	for i := range 10 {
		w.pass(10 * time.Minute)
		w.accept(w.anna(fmt.Sprintf("lunch %d", i), fmt.Sprintf("friend%d@far.example", i)))
	}
}

func TestOneMessageToManyStrangersFromElsewhere(t *testing.T) {
	w := newTown(t)
	to := make([]string, 60)
	for i := range to {
		to[i] = stranger(i)
	}
	if w.try(w.thief("203.0.113.9", "Cheap pills", to...)) {
		t.Error("sixty strangers at once are let through")
	}
}

func TestBotnet(t *testing.T) {
	w := newTown(t)
	got := w.leak(50, func(i int) *osm.Message {
		m := w.thief(fmt.Sprintf("203.0.%d.9", i), fmt.Sprintf("offer %d", i), stranger(i))
		m.Helo = fmt.Sprintf("bot%d.local", i)
		return m
	})
	if got > 4 {
		t.Errorf("%d messages from as many networks went out", got)
	}
}

func TestTravellerMayWriteToFriends(t *testing.T) {
	w := newTown(t)
	for i := range 30 {
		w.pass(40 * time.Minute)
		m := w.anna(fmt.Sprintf("from the hotel %d", i), fmt.Sprintf("friend%d@far.example", i%10))
		m.Client = netip.MustParseAddr("203.0.113.9")
		if i%10 == 3 {
			m.Recipients = []string{stranger(i)} // the hotel next week
		}
		w.accept(m)
	}
}

func TestMailMergeFromTheUsualDevice(t *testing.T) {
	w := newTown(t)
	if got := w.leak(150, func(i int) *osm.Message { return w.anna("Our new address", stranger(i)) }); got < 150 {
		t.Errorf("a mail merge is stopped after %d of 150: %+v", got, w.last)
	}
}

func TestNextDoor(t *testing.T) {
	w := newTown(t)
	got := w.leak(400, func(i int) *osm.Message {
		m := w.anna("Cheap pills", stranger(i))
		m.Client = netip.MustParseAddr("198.51.100.99")
		return m
	})
	if got > 40 {
		t.Errorf("%d messages from the address next door went out", got)
	}
}

func TestContactFormToStrangers(t *testing.T) {
	w := newTown(t)
	if got := w.leak(100, func(i int) *osm.Message { return w.form("New message from your website", stranger(i)) }); got > 15 {
		t.Errorf("an abused form sent %d messages", got)
	}
	if w.last.Rule != "hacked-script" {
		t.Errorf("rule %q", w.last.Rule)
	}
	w.accept(w.form("New message from your website", "anna@site.example")) // it still does its work
}

func TestShopOnASalesDay(t *testing.T) {
	w := newTown(t)
	if got := w.leak(400, func(i int) *osm.Message {
		return w.shop(fmt.Sprintf("Your order %d", w.sent), fmt.Sprintf("sale%d@mail.example", i))
	}); got < 400 {
		t.Errorf("a sales day is stopped after %d orders: %+v", got, w.last)
	}
}

func TestScriptInUploads(t *testing.T) {
	w := newTown(t)
	got := w.leak(100, func(i int) *osm.Message {
		m := w.shop(fmt.Sprintf("Hot offer %d", i), stranger(i))
		m.Script.Path, m.Sender = "/home/site/wp-content/uploads/2026", fmt.Sprintf("user%d@other%d.example", i, i)
		return m
	})
	if got > 6 {
		t.Errorf("a script in an uploads folder sent %d messages", got)
	}
}

func TestMovedSite(t *testing.T) {
	w := newTown(t)
	got := w.leak(60, func(i int) *osm.Message {
		m := w.shop(fmt.Sprintf("Your order %d", w.sent), fmt.Sprintf("moved%d@mail.example", i))
		m.Script.Path = "/home/site/new"
		w.pass(20 * time.Minute)
		return m
	})
	if got < 60 {
		t.Errorf("a moved site is stopped after %d orders: %+v", got, w.last)
	}
}

func TestForwardsBouncesAndInboundAreNobodys(t *testing.T) {
	w := newTown(t)
	for _, class := range []osm.Class{osm.Inbound, osm.Forward, osm.Bounce, osm.NoClass} {
		for i := range 300 {
			m := w.message(osm.Message{Class: class, Sender: stranger(i), Client: netip.MustParseAddr("203.0.113.1"),
				Recipients: []string{"anna@site.example"}})
			if class == osm.Bounce {
				m.Sender = ""
			}
			w.accept(m)
		}
	}
}

func TestAnswerToAStrangerWhoWroteFirst(t *testing.T) {
	w := newTown(t)
	for i := range 40 {
		w.accept(w.message(osm.Message{Class: osm.Inbound, Sender: stranger(i), Client: netip.MustParseAddr("203.0.113.1"),
			Recipients: []string{"anna@site.example"}}))
	}
	m := w.thief("203.0.113.9", "Re: your question", stranger(3))
	l := &w.d.look
	w.d.Find(m)
	if l.fresh != 0 {
		t.Error("who wrote first counts as a stranger")
	}
}

func TestRefusalsAddUp(t *testing.T) {
	w := newTown(t)
	accepted := 0
	for i := range 200 {
		w.pass(30 * time.Second)
		m := w.anna("Our new address", stranger(i))
		if w.d.Find(m).Action != osm.Accept {
			break
		}
		accepted++
		w.d.Learn(m, true)
		dl := osm.Delivery{Time: m.Time, Outcome: osm.Delivered, Recipient: stranger(i), Remote: true}
		if i%3 == 0 {
			dl.Outcome, dl.Refusal = osm.Failed, osm.NoSuchUser
		}
		w.d.Delivery(m, &dl)
	}
	if accepted > 60 {
		t.Errorf("a list with a third of dead addresses is mailed to %d", accepted)
	}
}

func TestRecipientsUnknownAtArrival(t *testing.T) {
	w := newTown(t)
	got := 0
	for i := range 100 {
		w.pass(20 * time.Second)
		m := w.thief("203.0.113.9", "Cheap pills")
		if w.d.Find(m).Action != osm.Accept {
			break
		}
		got++
		w.d.Learn(m, true)
		w.d.Delivery(m, &osm.Delivery{Time: m.Time, Outcome: osm.Delivered, Recipient: stranger(i), Remote: true})
	}
	if got > 8 {
		t.Errorf("%d messages went out whose recipients are only known from their deliveries", got)
	}
}

func TestHerd(t *testing.T) {
	w := newTown(t)
	logins := make([]string, 30)
	mail := func(i int, thief bool, to string) *osm.Message {
		m := w.anna("", to)
		m.Login, m.Account, m.Helo = logins[i], fmt.Sprintf("a%d", i), fmt.Sprintf("PC-%s", logins[i])
		m.Sender, m.Client = m.Login, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		m.Subject = fmt.Sprintf("Re: %d", w.sent)
		if thief {
			m.Subject = fmt.Sprintf("Urgent parcel customs notice %d", w.sent)
			m.Client, m.Helo = netip.AddrFrom4([4]byte{203, byte(i), 113, 5}), fmt.Sprintf("X%d", i)
		}
		return m
	}
	for i := range logins {
		logins[i] = fmt.Sprintf("p%d@d%d.example", i, i)
	}
	for range 12 {
		w.pass(24 * time.Hour)
		for i := range logins {
			for n := range 3 {
				w.pass(time.Minute)
				w.accept(mail(i, false, fmt.Sprintf("friend%d-%d@far.example", i, n)))
			}
		}
	}
	got := 0
	for round := range 5 {
		for i := range logins {
			w.pass(time.Minute)
			if w.try(mail(i, true, stranger(round*100+i))) {
				got++
			}
		}
	}
	if got > 12 {
		t.Errorf("of 150 messages of one template from 30 logins %d went out", got)
	}
	if w.last.Rule != "herd" {
		t.Errorf("rule %q, want herd: %+v", w.last.Rule, w.last.Findings)
	}
}

func TestReleasedSenderMayGoOn(t *testing.T) {
	w := newTown(t)
	next := func(i int) *osm.Message { return w.thief("203.0.113.9", "My new project", stranger(w.sent)) }
	w.leak(50, next)
	key := osm.Key{Kind: osm.KeyLogin, Value: "anna@site.example"}
	if b, ok := w.d.Explain(key, w.now); !ok || !b.Stopped || len(b.Evidence) == 0 || len(b.Habits) == 0 {
		t.Fatalf("a stopped sender is explained as %+v", b)
	}
	if !w.d.Release(key, w.now) {
		t.Fatal("the sender is not known")
	}
	if b, _ := w.d.Explain(key, w.now); b.Stopped || b.Score > 1 {
		t.Errorf("after the release: %+v", b)
	}
	if got := w.leak(50, next); got < 50 {
		t.Errorf("stopped again after %d messages: %+v", got, w.last)
	}
	if w.d.Release(osm.Key{Kind: osm.KeyLogin, Value: "nobody"}, w.now) {
		t.Error("an unknown sender is released")
	}
}

func TestScoreDecays(t *testing.T) {
	w := newTown(t)
	w.leak(50, func(i int) *osm.Message { return w.thief("203.0.113.9", "Cheap pills", stranger(i)) })
	key := osm.Key{Kind: osm.KeyLogin, Value: "anna@site.example"}
	before, _ := w.d.Explain(key, w.now)
	after, _ := w.d.Explain(key, w.now.AddDate(0, 0, 10))
	if !before.Stopped || after.Stopped || after.Score > before.Score/2 {
		t.Errorf("the score is %g, and %g after ten days", before.Score, after.Score)
	}
}

func TestConfig(t *testing.T) {
	bad := DefaultConfig()
	bad.Suspect, bad.Stop, bad.HalfLife, bad.Senders, bad.Known = 0, -1, 0, 1, 1
	bad.Weights = map[string]float64{"nonsense": 1, "rate": -1}
	seen := map[string]bool{}
	bad.Check(func(key, _ string) { seen[key] = true })
	for _, key := range []string{"suspect", "stop", "half_life", "senders", "known", "weights.nonsense", "weights.rate"} {
		if !seen[key] {
			t.Errorf("%s: no problem reported", key)
		}
	}
	good := DefaultConfig()
	good.Check(func(key, problem string) { t.Errorf("default %s %s", key, problem) })
}

func TestWeightOfNothingSwitchesAFactOff(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Weights = map[string]float64{}
	for _, w := range weights {
		cfg.Weights[w.name] = 0
	}
	w := newTown(t)
	w.d.most = New(cfg).most
	if got := w.leak(80, func(i int) *osm.Message { return w.thief("203.0.113.9", "Cheap pills", stranger(i)) }); got < 80 {
		t.Errorf("with all weights 0 the thief is stopped after %d: %+v", got, w.last)
	}
}
