package policy

import (
	"maps"
	"strings"
	"testing"
	"time"

	"osm"
)

// saver keeps what Dirty hands out, as the store does.
type saver map[string][]byte

func (s saver) save(p *Policy) {
	p.Dirty(func(key string, blob []byte) {
		if delete(s, key); blob != nil {
			s[key] = append([]byte(nil), blob...)
		}
	})
}

func keeping(t *testing.T, s saver, rules ...Rule) *Policy {
	t.Helper()
	p, err := New(Options{Rules: rules, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	for key, blob := range maps.Clone(s) {
		if err := p.Restore(key, blob); err != nil {
			t.Fatalf("restore %s: %v", key, err)
		}
	}
	return p
}

func limitRule(count Count) Rule {
	return Rule{Name: "limit", Key: osm.KeyLogin, Count: count, Window: osm.Duration(time.Hour), Limit: 4, Action: osm.Hold}
}

func mailOf(n int, at time.Time) *osm.Message {
	return &osm.Message{ID: "1xVPZd-000001-2Y", Time: at.Add(time.Duration(n) * time.Minute), Class: osm.Login, Login: "bob@here.example",
		Recipients: []string{string(rune('a'+n)) + "@far.example"}}
}

// TestLimitsSurviveARestart: what was counted before counts on, and what has passed does not.
func TestLimitsSurviveARestart(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, count := range []Count{CountMessages, CountUnique} {
		kept := saver{}
		p := keeping(t, kept, limitRule(count))
		for n := range 4 {
			if v := decide(p, mailOf(n, at), osm.Verdict{}); v.Action != osm.Accept {
				t.Fatalf("%s: message %d: %+v", count, n, v)
			}
		}
		kept.save(p)
		p = keeping(t, kept, limitRule(count))
		if v := decide(p, mailOf(5, at), osm.Verdict{}); v.Action != osm.Hold {
			t.Errorf("%s: the fifth, after a restart: %+v", count, v)
		}
		kept.save(p)
		p = keeping(t, kept, limitRule(count))
		if v := decide(p, mailOf(6, at.Add(2*time.Hour)), osm.Verdict{}); count == CountMessages && v.Action != osm.Accept {
			t.Errorf("%s: after the window: %+v", count, v)
		}
		stats := p.RuleStats()
		if len(stats) != 1 || stats[0].Hits != 1 || !stats[0].Since.Equal(at) || !stats[0].Last.Equal(at.Add(5*time.Minute)) ||
			stats[0].Message == "" {
			t.Errorf("%s: hits %+v", count, stats)
		}
	}
}

// TestStateOfGoneRulesGoes, and that of changed ones where it means something else.
func TestStateOfGoneRulesGoes(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	kept := saver{}
	other := Rule{Name: "other", When: `helo == "x"`, Action: osm.Reject}
	p := keeping(t, kept, limitRule(CountMessages), other)
	decide(p, mailOf(0, at), osm.Verdict{})
	kept.save(p)
	if len(kept) != 3 {
		t.Fatalf("kept: %v", kept)
	}
	shadowed := limitRule(CountMessages)
	shadowed.Shadow, shadowed.Action, shadowed.Text = true, osm.Reject, "too much"
	if err := p.SetRules([]Rule{shadowed}); err != nil {
		t.Fatal(err)
	}
	kept.save(p)
	if len(kept) != 2 || p.RuleStats()[0].Since.IsZero() {
		t.Errorf("kept after one rule went and the other does something else: %v", kept)
	}
	longer := limitRule(CountMessages)
	longer.Window = osm.Duration(2 * time.Hour)
	p = keeping(t, kept, longer)
	kept.save(p)
	if len(kept) != 0 {
		t.Errorf("kept after a restart with another window: %v", kept)
	}
}

func TestDamagedRuleStateIsTold(t *testing.T) {
	p := keeping(t, saver{}, limitRule(CountUnique))
	decide(p, mailOf(0, time.Now()), osm.Verdict{})
	kept := saver{}
	kept.save(p)
	for key, blob := range kept {
		if err := p.Restore(key, blob[:len(blob)-1]); err == nil {
			t.Errorf("%s: a damaged piece is taken", key)
		}
		if _, name, _ := strings.Cut(key, "/"); name == "" {
			t.Errorf("a piece without a name: %q", key)
		}
	}
}

func TestRuleThatIsOffIsNotAsked(t *testing.T) {
	p, err := New(Options{Rules: []Rule{{Name: "all", Action: osm.Reject, Off: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if v := decide(p, mailOf(0, time.Now()), osm.Verdict{}); v.Action != osm.Accept {
		t.Errorf("%+v", v)
	}
	if s := p.RuleStats()[0]; s.Hits != 0 || !s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
}
