package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/sim"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// ask gives a judge one message of a login and returns whether it goes through.
func accepted(j sim.Decide, at time.Time, login string, to ...string) bool {
	m := &osm.Message{Time: at, Class: osm.Login, Login: login, Recipients: to}
	return j(&sim.Event{Kind: sim.Arrival, Time: at, Message: m, Recipients: len(to)}) == osm.Accept
}

// through sends n messages to different people, evenly from a time on, and counts how many go through.
func through(j sim.Decide, from time.Time, every time.Duration, n int, login string) (passed int) {
	for i := range n {
		if accepted(j, from.Add(time.Duration(i)*every), login, fmt.Sprintf("%d@%s.example", i, login)) {
			passed++
		}
	}
	return passed
}

func TestFixedLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		judge sim.Decide
		every time.Duration
		n     int
		want  int
	}{
		{"CSF stops the 101st of an hour", csf(), time.Second, 150, 100},
		{"CSF lets 50 an hour go on for ever", csf(), 72 * time.Second, 500, 500},
		{"cPanel stops at the 501st recipient", cpanel(), time.Second, 700, 500},
		{"HestiaCP lets 190 an hour go on", hestia(), time.Hour / 190, 400, 400},
		{"cPGuard stops the 31st of a minute", cpguard(), time.Second, 60, 30},
		{"cPGuard stops the 301st of an hour", cpguard(), 10 * time.Second, 360, 300},
	} {
		if got := through(c.judge, noon, c.every, c.n, "bob"); got != c.want {
			t.Errorf("%s: %d of %d went through, want %d", c.name, got, c.n, c.want)
		}
	}
	// Exim's smoothed rate reaches the limit a little after the 200th message of a burst, and strict keeps it closed.
	if got := through(hestia(), noon, time.Second, 1000, "bob"); got < 190 || got > 230 {
		t.Errorf("HestiaCP: %d of a burst of 1000 went through", got)
	}
}

func TestLimitsEnd(t *testing.T) {
	c, p := csf(), cpanel()
	through(c, noon, time.Second, 150, "bob")
	through(p, noon, time.Second, 700, "bob")
	if accepted(c, noon.Add(59*time.Minute), "bob", "a@b.example") || !accepted(c, noon.Add(time.Hour), "bob", "a@b.example") {
		t.Error("CSF's block does not end with the hour")
	}
	if accepted(p, noon.Add(23*time.Hour), "bob", "a@b.example") || !accepted(p, noon.Add(25*time.Hour), "bob", "a@b.example") {
		t.Error("cPanel's hold does not last a day")
	}
	if !accepted(c, noon.Add(10*time.Minute), "alice", "a@b.example") {
		t.Error("one sender's limit stops another")
	}
	inbound := &osm.Message{Class: osm.Inbound}
	for range 1000 {
		if c(&sim.Event{Kind: sim.Arrival, Time: noon, Message: inbound}) != osm.Accept {
			t.Fatal("mail from outside is limited")
		}
	}
}

func TestBootstrap(t *testing.T) {
	same := bootstrap([]counted{{100, 5}, {200, 10}, {50, 2}, {50, 3}})
	if math.Abs(same.mean-5) > 1e-9 || same.lo > same.mean || same.hi < same.mean || same.hi-same.lo > 2 {
		t.Errorf("worlds alike give %v", same)
	}
	apart := bootstrap([]counted{{100, 0}, {100, 50}, {100, 0}, {100, 50}})
	if math.Abs(apart.mean-25) > 1e-9 || apart.lo > 5 || apart.hi < 45 {
		t.Errorf("worlds that differ give %v", apart)
	}
}

// TestScore: a judge that knows the truth is perfect, one that accepts everything leaks everything, one that stops
// everything loses everything, and what is counted adds up.
func TestScore(t *testing.T) {
	cfg := sim.Config{Seed: 3, Hard: true, Accounts: 20, Days: 21, Volume: 0.2, Kinds: []string{"stolen-login", "herd", "localhost"}}
	w := sim.New(cfg)
	learned := w.Config.Start.AddDate(0, 0, w.Config.Learn)
	truth := func(ev *sim.Event) osm.Action {
		if ev.Kind == sim.Arrival && ev.Label.Campaign != "" {
			return osm.Reject
		}
		return osm.Accept
	}
	always := func(a osm.Action) sim.Decide { return func(*sim.Event) osm.Action { return a } }
	perfect, blind := judgeWorld(w, learned, truth, false), judgeWorld(w, learned, always(osm.Accept), false)
	shut := judgeWorld(w, learned, always(osm.Hold), false)
	if perfect.spam.wrong != 0 || perfect.ham.wrong != 0 || perfect.spam.all == 0 || perfect.ham.all == 0 {
		t.Errorf("the truth itself: %+v of spam, %+v of wanted mail", perfect.spam, perfect.ham)
	}
	if blind.spam.wrong != blind.spam.all || blind.ham.wrong != 0 {
		t.Errorf("accepting everything: %+v of spam, %+v of wanted mail", blind.spam, blind.ham)
	}
	if shut.spam.wrong != 0 || shut.ham.wrong != shut.ham.all || shut.learning.wrong != shut.learning.all || shut.learning.all == 0 {
		t.Errorf("stopping everything: %+v of spam, %+v of wanted mail, %+v while learning", shut.spam, shut.ham, shut.learning)
	}
	if perfect.ham.all != blind.ham.all || perfect.spam.all != blind.spam.all {
		t.Errorf("two judges of one world saw %d and %d wanted recipients", perfect.ham.all, blind.ham.all)
	}
	planned := 0
	for i, c := range w.Campaigns {
		planned += c.Recipients
		if got := blind.campaigns[i]; got.recipients != c.Recipients || got.through != c.Recipients || got.stopped {
			t.Errorf("%s of %d recipients scored %+v", c.Kind, c.Recipients, got)
		}
		if got := perfect.campaigns[i]; got.through != 0 || !got.stopped || got.after != 0 {
			t.Errorf("%s stopped at once scored %+v", c.Kind, got)
		}
	}
	if planned != blind.spam.all {
		t.Errorf("%d recipients of spam planned, %d scored", planned, blind.spam.all)
	}
}

// TestTables: the report names every kind that took place.
func TestTables(t *testing.T) {
	o, err := parse([]string{"-worlds", "2", "-accounts", "20", "-days", "21", "-volume", "0.2", "-kinds", "stolen-login,herd", "-j", "2"})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"osm"}
	for _, l := range limits {
		names = append(names, l.name)
	}
	scores, err := run(o, o.base, names)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printJudges(&out, names, scores)
	printCampaigns(&out, scores["CSF 100/h"])
	printSenders(&out, scores["osm"])
	printWorst(&out, scores["CSF 100/h"], 3)
	for _, want := range []string{"osm", "cPanel 500", "stolen-login", "herd", "newsletter", "forwarded-spam", "Worst campaigns"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for _, args := range [][]string{{"-kinds", "nonsense"}, {"-style", "nonsense"}, {"-levels", "easy"}, {"-families", "mine"},
		{"-worlds", "0"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
