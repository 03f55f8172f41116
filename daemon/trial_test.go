package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/policy"
	"osm/sim"
	"osm/store"
	"osm/web"
)

// ruleSession is a session with configuration files, by their names beside osm.toml.
func ruleSession(t testing.TB, files map[string]string) *session {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "rules.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	files["osm.toml"] += ""
	for name, text := range files {
		writeFile(t, dir, name, text)
	}
	path := filepath.Join(dir, "osm.toml")
	loaded, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := idleSession(t, func(c *config.Config) { c.Rules = loaded.Rules })
	s.zone = time.UTC
	s.parser = exim.NewParser(time.UTC)
	s.options.Rules = config.NewRuleFile(path)
	s.options.Load = func() (*config.Loaded, error) { return config.Load(path) }
	return s
}

// feed takes a log through the engine and saves what came of it.
func (s *session) feed(t testing.TB, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		s.parser.Parse(strings.TrimSuffix(line, "\n"), &s.entry)
		s.engine.Process(&s.entry)
		if s.store.Pending() > store.BatchSize {
			s.save(t)
		}
	}
	s.save(t)
}

func (s *session) save(t testing.TB) {
	t.Helper()
	s.engine.Refused()
	if err := s.flush(t.Context(), once); err != nil {
		t.Fatal(err)
	}
}

// trial tries a change to its end.
func (s *session) trial(t *testing.T, change web.RuleChange) web.Trial {
	t.Helper()
	begun, err := s.tryRules(change, "root", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	one := <-s.trials.start
	s.trials.ended(one, s.try(one), time.Now())
	ended, err := s.trials.find(begun.ID)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func limitOf(name string, limit int64) policy.Rule {
	return policy.Rule{Name: name, Key: osm.KeyLogin, Count: policy.CountRecipients, Window: osm.Duration(time.Hour), Limit: limit, Action: osm.Hold}
}

// TestTrialIsAReplay: a rule that is tried on the stored history stops what a replay of the logs would have stopped, message
// by message, with the lists empty and every message in the log.
func TestTrialIsAReplay(t *testing.T) {
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -4)
	world := sim.New(sim.Config{Seed: 7, Accounts: 20, Days: 4, Learn: 2, Start: start, LongIDs: true})
	var log strings.Builder
	if err := world.WriteLog(&log, nil); err != nil {
		t.Fatal(err)
	}
	old := limitOf("old", 60)
	s := ruleSession(t, map[string]string{"osm.toml": string(config.RulesText([]policy.Rule{old}))})
	s.feed(t, log.String())
	tight := limitOf("tight", 5)
	tight.Action = osm.Reject
	wide := limitOf("old", 100)
	got := s.trial(t, web.RuleChange{Rules: []policy.Rule{tight, wide}, Live: true})

	with := s.cfg
	with.Rules = []policy.Rule{wide, tight}
	var newly, noLonger, others, messages int64
	err := Replay(t.Context(), s.cfg, ReplayOptions{Paths: []string{writeFile(t, t.TempDir(), "mainlog", log.String())}, Panel: s.panel, Zone: time.UTC,
		Message: func(*osm.Message) { messages++ }, Compare: &with, Difference: func(before, after *osm.Message) {
			switch was, is := before.Verdict.Stops(), after.Verdict.Stops(); {
			case is && !was:
				newly++
			case was && !is:
				noLonger++
			default:
				others++
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if got.State != web.TrialDone || got.Percent != 100 || got.Messages != messages || got.Newly.Messages != newly || got.NoLonger.Messages != noLonger ||
		got.Others != others {
		t.Errorf("trial: %s %s, %d messages, %d newly, %d no longer, %d otherwise; replay: %d, %d, %d, %d", got.State, got.Problem, got.Messages,
			got.Newly.Messages, got.NoLonger.Messages, got.Others, messages, newly, noLonger, others)
	}
	if newly == 0 || others == 0 {
		t.Errorf("%d newly and %d otherwise stopped: the test shows nothing", newly, others)
	}
	sum := web.TrialCount{}
	for _, one := range got.Newly.Senders {
		sum.Messages += one.Messages
		sum.Delivered += one.Delivered
		if one.Key.Value == "" || one.Rule != "tight" || len(one.Samples) == 0 || one.Delivered+one.Refused+one.Unknown != one.Messages {
			t.Errorf("sender %+v", one)
		}
	}
	n := got.Newly
	if n.More == 0 && sum.Messages != n.Messages || n.Delivered+n.Refused+n.Unknown != n.Messages || n.Delivered == 0 || n.Familiar == 0 || got.Bounded {
		t.Errorf("newly %+v", n.TrialCount)
	}
	t.Logf("%d messages, newly %+v", messages, n.TrialCount)
}

// TestTrialKnowsWhatWasRefused: a rule that refused mail when Exim asked is tried without it: the log never told of that mail.
func TestTrialKnowsWhatWasRefused(t *testing.T) {
	s := ruleSession(t, map[string]string{"rules.d/50-web.toml": "[[rule]]\nname = \"mine\"\nwhen = 'helo == \"bad.example\"'\naction = \"reject\"\n"})
	now := time.Now().Truncate(time.Second)
	var asked []string
	for n := range 4 {
		at := now.Add(time.Duration(n-10) * time.Minute)
		id := messageID(at, n)
		r := &policy.Request{State: policy.Data, Message: osm.Message{ID: id, Login: "bob@here.example", Sender: "bob@here.example", Helo: "bad.example",
			Recipients: []string{"a@far.example"}}}
		if v := s.engine.Ask(r, at); v.Action != osm.Reject {
			t.Fatalf("%+v", v)
		}
		asked = append(asked, id)
		other := messageID(at, 100+n)
		stamp := at.UTC().Format("2006-01-02 15:04:05")
		s.feed(t, fmt.Sprintf("%s %s <= eve@here.example H=(good.example) [192.0.2.1] P=esmtpsa A=plain:eve@here.example S=500 for x@far.example\n"+
			"%s %s => x@far.example R=dnslookup T=remote_smtp H=mx [198.51.100.1] C=\"250 OK\"\n", stamp, other, stamp, other))
	}
	got := s.trial(t, web.RuleChange{Remove: []string{"mine"}})
	if got.State != web.TrialDone || got.Messages != 8 || got.Newly.Messages != 0 || got.NoLonger.Messages != 4 || got.NoLonger.Unknown != 4 {
		t.Fatalf("%+v", got)
	}
	if who := got.NoLonger.Senders; len(who) != 1 || who[0].Key != (osm.Key{Kind: osm.KeyLogin, Value: "bob@here.example"}) ||
		who[0].Rule != "mine" || who[0].Samples[0].ID != asked[0] {
		t.Errorf("%+v", who)
	}
}

// TestTrialHasTheListsOfThen: who was blocked later was not blocked yet, and who has been allowed since is of no interest.
func TestTrialHasTheListsOfThen(t *testing.T) {
	s := ruleSession(t, map[string]string{})
	now := time.Now()
	log := &strings.Builder{}
	for n := range 10 {
		at := now.Add(time.Duration(n-10) * time.Minute).UTC()
		for i, login := range []string{"blocked", "allowed", "other"} {
			fmt.Fprintf(log, "%s %s <= %s@here.example H=(x) [192.0.2.1] P=esmtpsa A=plain:%s@here.example S=500 for x@far.example\n",
				at.Format("2006-01-02 15:04:05"), messageID(at, 10*n+i), login, login)
		}
	}
	s.feed(t, log.String())
	for login, what := range map[string]policy.What{"blocked": policy.Block, "allowed": policy.Allow} {
		if _, err := s.order(web.Order{What: what, Key: osm.Key{Kind: osm.KeyLogin, Value: login + "@here.example"}}, "root", now); err != nil {
			t.Fatal(err)
		}
	}
	got := s.trial(t, web.RuleChange{Rules: []policy.Rule{{Name: "all", When: "size > 0", Action: osm.Hold}}})
	if got.Newly.Messages != 20 || len(got.Newly.Senders) != 2 {
		t.Errorf("%+v", got.Newly)
	}
}

func TestOneTrialAtATime(t *testing.T) {
	s := ruleSession(t, map[string]string{})
	s.feed(t, "2026-11-23 10:00:00 nonsense\n")
	ctx, cancel := context.WithCancel(t.Context())
	change := web.RuleChange{Rules: []policy.Rule{limitOf("x", 5)}}
	first, err := s.tryRules(change, "root", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.tryRules(change, "root", time.Now()); err == nil || !strings.Contains(err.Error(), first.ID) {
		t.Errorf("a second one at the same time: %v", err)
	}
	if _, err := s.trials.stop(first.ID); err != nil {
		t.Error(err)
	}
	stopped := make(chan struct{})
	go func() {
		s.keepTrying(ctx)
		close(stopped)
	}()
	for got := first; got.State == web.TrialRuns; {
		if got, err = s.trials.find(first.ID); err != nil || got.State != web.TrialRuns && got.State != web.TrialCancelled {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	cancel()
	<-stopped
	if _, err := s.trials.find("T0"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("an unknown trial: %v", err)
	}
	for _, bad := range []web.RuleChange{{}, {Rules: []policy.Rule{{Name: "x", When: "sise > 3"}}}, {Remove: []string{"nobody"}},
		{Rules: []policy.Rule{limitOf("x", 5), limitOf("x", 6)}}} {
		if _, err := s.tryRules(bad, "root", time.Now()); err == nil {
			t.Errorf("%+v is tried", bad)
		}
	}
}
