package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"osm"
)

// TestOwnListIsNoBoughtOne: a person's one mailing from her new phone, some of it to those she knows, goes out; the same to strangers
// alone does not, nor does what the receivers take without a word go on for ever.
func TestOwnListIsNoBoughtOne(t *testing.T) {
	for _, c := range []struct{ friends, dead, atLeast, below int }{ // every so many-th is a friend, or does not exist
		{4, 0, 400, 401}, {0, 8, 50, 400}, {0, 0, 300, 1000},
	} {
		w, dice := newTown(t), rand.New(rand.NewPCG(1, 2))
		got := 0
		for ; got < c.below; got++ {
			to := stranger(got)
			if c.friends > 0 && dice.IntN(c.friends) == 0 {
				to = fmt.Sprintf("friend%d@far.example", dice.IntN(10))
			}
			m := w.anna("We have moved", to)
			m.Client = w.thief("198.51.7.20", "", to).Client
			w.pass(20 * time.Second)
			if w.last = w.d.Find(m); w.last.Action != osm.Accept {
				break
			}
			w.d.Learn(m, true)
			answer := &osm.Delivery{Time: m.Time.Add(time.Second), Outcome: osm.Delivered, Recipient: to, Original: to, Remote: true}
			if c.dead > 0 && got%c.dead == 0 {
				answer.Outcome, answer.Refusal = osm.Failed, osm.NoSuchUser
			}
			w.d.Delivery(m, answer)
		}
		if got < c.atLeast || got >= c.below && c.friends == 0 {
			t.Errorf("with every %d-th known and every %d-th dead, %d go out: %+v", c.friends, c.dead, got, w.last)
		}
	}
}

// TestFollowList: a bought list is known as such after some dozens, one of the sender's own after a few, and the one becomes the other.
func TestFollowList(t *testing.T) {
	var l list
	for range 40 {
		l.follow([]float32{1, 0.3}, true)
	}
	if l.bought < listLimit || l.own > 0 {
		t.Errorf("80 strangers: %+v", l)
	}
	if l.follow([]float32{1, 0, 1, 0, 1, knownToAccount, 1, 0, 1, 0, 1, 0}, true); l.bought > 0.1 || l.own < listLimit/2 {
		t.Errorf("every second known: %+v", l)
	}
	for range 70 {
		l.follow([]float32{1}, true)
	}
	if l.bought < listLimit || l.own > 0 {
		t.Errorf("strangers alone after them: %+v", l)
	}
}

// TestBadAnswersAfterGoodOnes: a program's thousand good answers do not hide that its new list is a bad one, and a share that is not
// far from the usual one tells in the end; that of an old list never does.
func TestBadAnswersAfterGoodOnes(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  int // of a hundred
		want bool
		by   int // answers
	}{{"a bought list", 25, true, 150}, {"a poor one", 14, true, 3000}, {"an old one", 7, false, 5000}} {
		w := newTown(t)
		to := func(i int) *osm.Message { return w.form("New message from your website", stranger(i)) }
		s := w.d.named(osm.Key{Kind: osm.KeyScript, Value: "/home/site/kontakt"})
		for i := range 1000 + c.by {
			m := to(i)
			w.d.Find(m)
			w.d.Learn(m, true)
			answer := &osm.Delivery{Time: w.now.Add(time.Second), Recipient: m.Recipients[0], Original: m.Recipients[0], Remote: true}
			if i >= 1000 && i*37%100 < c.bad {
				answer.Outcome, answer.Refusal = osm.Failed, osm.NoSuchUser
			}
			w.d.Delivery(m, answer)
		}
		if got := telling(s.familiar.deadRun); (got > 0.25) != c.want {
			t.Errorf("%s: %.2f of the weight after %d answers", c.name, got, c.by)
		}
	}
}

// TestFormUnderAnotherName: a form that only ever wrote to its owner and then writes to strangers is abused, also when its mail
// comes under the unix user's address meanwhile; under a name that somebody has set it is the site's first newsletter.
func TestFormUnderAnotherName(t *testing.T) {
	for sender, want := range map[string]bool{"site@host.example": true, "news@site.example": false} {
		w := newTown(t)
		form := func(sender, to string) *osm.Message {
			m := w.form("New message from your website", to)
			m.Sender, m.Script.Path = sender, "/home/site/public_html"
			return m
		}
		for range 40 {
			w.pass(9 * time.Hour)
			w.accept(form("form@site.example", "anna@site.example"))
		}
		got := w.leak(120, func(i int) *osm.Message { return form(sender, stranger(i)) })
		if stopped := got < 20; stopped != want {
			t.Errorf("%d messages to strangers as %s went out: %+v", got, sender, w.last)
		}
	}
}

// TestOneDeadAddress: a shop that tells its owner of every order at an address that does not exist has one dead address, not a list of them.
func TestOneDeadAddress(t *testing.T) {
	for _, c := range []struct {
		to   func(i int) string
		want bool
	}{{func(int) string { return "owner@gone.example" }, false}, {stranger, true}} {
		w := newTown(t)
		for i := range 100 {
			for n, to := range []string{fmt.Sprintf("customer%d@mail.example", i), c.to(i)} {
				w.pass(10 * time.Minute)
				m := w.shop("Your order", to)
				w.d.Find(m)
				w.d.Learn(m, true)
				answer := &osm.Delivery{Time: w.now.Add(time.Second), Recipient: to, Original: to, Remote: true}
				if n == 1 {
					answer.Outcome, answer.Refusal = osm.Failed, osm.NoSuchUser
				}
				w.d.Delivery(m, answer)
			}
		}
		s := w.d.named(osm.Key{Kind: osm.KeyScript, Value: "/home/site/shop"})
		if got := telling(s.familiar.deadRun) > 0; got != c.want {
			t.Errorf("bounces of %s and so on: a run of %.1f after %.0f of %.0f", c.to(0), s.familiar.deadRun, s.familiar.unknown, s.familiar.answers)
		}
	}
}

// TestHardlyUsedMailbox: where somebody usually is, one message of long ago tells little, and that he writes many from elsewhere today tells
// no more.
func TestHardlyUsedMailbox(t *testing.T) {
	weight := func(past int) float32 {
		w := newTown(t)
		bert := func(client, to string) *osm.Message {
			m := w.thief(client, "We have moved", to)
			m.Login, m.Sender = "bert@site.example", "bert@site.example"
			return m
		}
		for range past {
			w.pass(time.Hour)
			m := bert("198.51.100.8", "friend1@far.example")
			m.Subject = "lunch"
			w.accept(m)
		}
		for range 9 {
			w.pass(24 * time.Hour)
			w.accept(w.anna("Re: lunch", "friend1@far.example"))
		}
		w.leak(5, func(i int) *osm.Message { return bert("203.0.113.9", stranger(i)) })
		w.d.Find(bert("203.0.113.9", stranger(5)))
		return w.d.look.weights[newNetwork]
	}
	if once, often := weight(1), weight(20); once == 0 || once >= often {
		t.Errorf("a new network weighs %.2f after one message and %.2f after twenty", once, often)
	}
}

// TestGoodAnswersBeforeTheStop: what the receivers took before a sender was stopped does not let him go on a day later.
func TestGoodAnswersBeforeTheStop(t *testing.T) {
	w := newTown(t)
	before, after := 0, 0
	for i := range 6000 {
		m := w.anna("We have moved", stranger(i))
		m.Client = w.thief("198.51.7.20", "", m.Recipients[0]).Client
		w.pass(45 * time.Second)
		if w.last = w.d.Find(m); w.last.Action != osm.Accept {
			if after == 0 {
				before, after = i, 1
				w.pass(24 * time.Hour)
			}
			continue
		}
		if after > 0 {
			after++
		}
		w.d.Learn(m, true)
		w.d.Delivery(m, &osm.Delivery{Time: m.Time.Add(time.Second), Outcome: osm.Delivered, Recipient: m.Recipients[0], Original: m.Recipients[0], Remote: true})
	}
	if before < 100 || after-1 > 40 {
		t.Errorf("%d went out before the stop and %d after it", before, after-1)
	}
}

// TestFormInVisitorsNames: a form that tells its owner in each visitor's name does not own the mail service that many of them use: it
// is stopped when it writes to strangers in the names of others there.
func TestFormInVisitorsNames(t *testing.T) {
	w := newTown(t)
	as := func(account, from, to string) *osm.Message {
		m := w.form("New message from your website", to)
		m.Account, m.User, m.Sender, m.Script.Path = account, account, from, "/home/"+account+"/public_html"
		return m
	}
	visitor := func(i int) string {
		return fmt.Sprintf("visitor%d@%s", i, []string{"post.example", fmt.Sprintf("home%d.example", i)}[i%2])
	}
	for i := range 60 {
		w.pass(9 * time.Hour)
		for n, account := range []string{"one", "two"} {
			w.accept(as(account, visitor(2000*n+i), account+"@"+account+".example"))
		}
	}
	through := 0
	for i := range 200 {
		w.pass(10 * time.Second)
		if w.try(as("one", visitor(5000+2*i), stranger(i))) { // all of them at the mail service
			through++
		}
	}
	if through > 15 {
		t.Errorf("%d messages of 200 to strangers in the names of people at a mail service went out: %+v", through, w.last)
	}
}
