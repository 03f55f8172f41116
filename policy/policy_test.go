package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"osm"
)

func decider(t *testing.T, rules ...Rule) *Policy {
	t.Helper()
	p, err := New(Options{Rules: rules, Plan: func(account string) string { return map[string]string{"big": "gold"}[account] }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func login(who string, at time.Time, recipients ...string) *osm.Message {
	return &osm.Message{ID: "1xVPOh-0003K5-0B", Time: at, Class: osm.Login, Login: who, Account: who, Sender: who + "@x.example",
		Recipients: recipients, Size: 1000}
}

func decide(p *Policy, m *osm.Message, found osm.Verdict) osm.Verdict {
	p.Decide(m, &found)
	return found
}

func TestLimits(t *testing.T) {
	hour := osm.Duration(time.Hour)
	for name, c := range map[string]struct {
		rule    Rule
		account string
		want    int // messages of two recipients each, one a minute, before the first that is stopped; -1: none of 100
	}{
		"messages":          {Rule{Limit: 10}, "small", 10},
		"recipients":        {Rule{Count: CountRecipients, Limit: 10}, "small", 5},
		"unique recipients": {Rule{Count: CountUnique, Limit: 10}, "small", 9}, // one of the two is always the same
		"bytes":             {Rule{Count: CountBytes, Limit: 10_000}, "small", 10},
		"not reached":       {Rule{Limit: 60}, "small", -1}, // 60 an hour
		"own limit":         {Rule{Limit: 10, Limits: map[string]int64{"account:small": 20}}, "small", 20},
		"limit of the plan": {Rule{Limit: 10, Limits: map[string]int64{"plan:gold": 30}}, "big", 30},
		"closest limit":     {Rule{Limit: 10, Limits: map[string]int64{"plan:gold": 30, "login:big": 40}}, "big", 40},
		"no limit for one":  {Rule{Limit: 10, Limits: map[string]int64{"account:small": 0}}, "small", -1},
		"excepted":          {Rule{Limit: 10, Except: []string{"account:small"}}, "small", -1},
		"another class":     {Rule{Limit: 10, Classes: []osm.Class{osm.Local}}, "small", -1},
		"condition holds":   {Rule{Limit: 10, When: `recipient_count == 2 and sender_domain == "x.example"`}, "small", 10},
		"condition fails":   {Rule{Limit: 10, When: `size > 1000`}, "small", -1},
		"only own limits":   {Rule{Limits: map[string]int64{"account:other": 5}}, "small", -1},
	} {
		t.Run(name, func(t *testing.T) {
			c.rule.Name, c.rule.Key, c.rule.Window, c.rule.Action = "r", osm.KeyLogin, hour, osm.Hold
			p := decider(t, c.rule)
			got := -1
			for i := range 100 {
				m := login(c.account, monday.Add(time.Duration(i)*time.Minute), "same@far.example", fmt.Sprintf("r%d@far.example", i))
				if v := decide(p, m, osm.Verdict{}); v.Stops() {
					if got = i; v.Action != osm.Hold || v.Rule != "r" || v.ID == "" || !strings.Contains(v.Detail, "the limit is") {
						t.Errorf("verdict %+v", v)
					}
					break
				}
			}
			if got != c.want {
				t.Errorf("stopped after %d messages, want %d", got, c.want)
			}
		})
	}
}

func TestLimitForgets(t *testing.T) {
	p := decider(t, Rule{Name: "r", Key: osm.KeyLogin, Window: osm.Duration(time.Hour), Limit: 5, Action: osm.Reject})
	for i := range 5 {
		if v := decide(p, login("a", monday.Add(time.Duration(i)*time.Second), "x@y"), osm.Verdict{}); v.Stops() {
			t.Fatalf("message %d is stopped", i)
		}
	}
	if v := decide(p, login("a", monday.Add(time.Minute), "x@y"), osm.Verdict{}); !v.Stops() {
		t.Error("the sixth goes through")
	}
	if v := decide(p, login("b", monday.Add(time.Minute), "x@y"), osm.Verdict{}); v.Stops() {
		t.Error("another login is stopped")
	}
	if v := decide(p, login("a", monday.Add(2*time.Hour), "x@y"), osm.Verdict{}); v.Stops() {
		t.Error("still stopped when the window has passed")
	}
}

func TestFailuresAreCounted(t *testing.T) {
	p := decider(t, Rule{Name: "r", Key: osm.KeyLogin, Count: CountFailures, Window: osm.Duration(time.Hour), Limit: 2, Action: osm.Defer})
	m := login("a", monday, "x@y")
	for range 3 {
		if v := decide(p, m, osm.Verdict{}); v.Stops() {
			t.Fatal("stopped without more failures than the limit")
		}
		p.Delivery(m, &osm.Delivery{Time: monday, Outcome: osm.Failed})
		p.Delivery(m, &osm.Delivery{Time: monday, Outcome: osm.Deferred})
	}
	if v := decide(p, m, osm.Verdict{}); v.Action != osm.Defer {
		t.Errorf("after three failures: %+v", v)
	}
}

func TestPrecedence(t *testing.T) {
	hold := Rule{Name: "hold", When: `subject contains "lottery"`, Action: osm.Hold}
	reject := Rule{Name: "reject", When: `subject contains "lottery"`, Action: osm.Reject}
	trial := Rule{Name: "trial", When: `true`, Action: osm.Discard, Shadow: true}
	vip := Rule{Name: "vip", When: `login == "alice"`, Action: osm.Accept}
	found := osm.Verdict{Action: osm.Hold, Rule: "stolen-login"}
	for name, c := range map[string]struct {
		rules []Rule
		found osm.Verdict
		want  string
	}{
		"nothing":                   {nil, osm.Verdict{}, " accept"},
		"detection alone":           {nil, found, "stolen-login hold"},
		"most severe":               {[]Rule{hold, reject}, osm.Verdict{}, "reject reject"},
		"rule over detection":       {[]Rule{reject}, found, "reject reject"},
		"first of equals":           {[]Rule{hold}, found, "stolen-login hold"},
		"accepting ends it":         {[]Rule{vip, reject}, found, "vip accept"},
		"trial only when alone":     {[]Rule{trial}, osm.Verdict{}, "trial discard shadow"},
		"trial never over the rest": {[]Rule{trial, hold}, osm.Verdict{}, "hold hold"},
	} {
		t.Run(name, func(t *testing.T) {
			m := login("alice", monday, "x@y")
			m.Subject = "you won the lottery"
			v := decide(decider(t, c.rules...), m, c.found)
			got := v.Rule + " " + v.Action.String()
			if v.Shadow {
				got += " shadow"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if v.Stops() && v.ID == "" {
				t.Error("a stop without an id")
			}
		})
	}
}

// TestConditionIsNotTold: who is stopped by a rule without a text learns that he is, and not how to get around it.
func TestConditionIsNotTold(t *testing.T) {
	m := login("alice", monday, "x@y")
	m.Subject = "you won the lottery"
	const when = `subject contains "lottery"`
	for action, words := range map[osm.Action]string{osm.Hold: "not accepted now by policy, try again later", osm.Defer: "not accepted now by policy, try again later", osm.Reject: "refused by policy"} {
		v := decide(decider(t, Rule{Name: "quiet", When: when, Action: action}), m, osm.Verdict{})
		if v.Detail != when || Text(v) != words+" ("+v.ID+")" {
			t.Errorf("%s: told %q, known as %q", action, Text(v), v.Detail)
		}
		v = decide(decider(t, Rule{Name: "outspoken", When: when, Action: action, Text: "no lotteries"}), m, osm.Verdict{})
		if Text(v) != "no lotteries ("+v.ID+")" {
			t.Errorf("%s: told %q", action, Text(v))
		}
	}
	m.Recipients = []string{"x@y", "z@y"}
	limit := Rule{Name: "many", When: when, Key: osm.KeyLogin, Count: CountRecipients, Window: osm.Duration(time.Hour), Limit: 1, Action: osm.Reject}
	if v := decide(decider(t, limit), m, osm.Verdict{}); Text(v) != "2 recipients in 1h, the limit is 1 ("+v.ID+")" {
		t.Errorf("told %q", Text(v))
	}
}

func TestRuleMistakes(t *testing.T) {
	good := Rule{Name: "r", Key: osm.KeyLogin, Window: osm.Duration(time.Hour), Limit: 5, Action: osm.Hold}
	for name, c := range map[string]struct {
		change func(*Rule)
		want   string // key: part of the problem; "" for none
	}{
		"good":            {func(r *Rule) {}, ""},
		"no name":         {func(r *Rule) { r.Name = "" }, "name: must be given"},
		"misspelt fact":   {func(r *Rule) { r.When = "sise > 5" }, "when: line 1 column 1: there is no fact called sise: did you mean size?"},
		"second line":     {func(r *Rule) { r.When = "size > 5 and\n  sbject == ''" }, "when: line 2 column 3"},
		"syntax":          {func(r *Rule) { r.When = "size >" }, "when: line 1"},
		"not a condition": {func(r *Rule) { r.When = "size" }, "when: "},
		"wrong type":      {func(r *Rule) { r.When = "size == 'x'" }, "when: line 1"},
		"short window":    {func(r *Rule) { r.Window = osm.Duration(time.Second) }, "window: must be between 1m and 30d"},
		"long window":     {func(r *Rule) { r.Window = osm.Duration(31 * 24 * time.Hour) }, "window: must be between"},
		"no key":          {func(r *Rule) { r.Key = osm.NoKey }, "key: must say"},
		"count":           {func(r *Rule) { r.Count = "melons" }, "count: "},
		"window alone":    {func(r *Rule) { r.Limit = 0 }, "limit: must be given"},
		"exception":       {func(r *Rule) { r.Except = []string{"alice"} }, "except: "},
		"limits":          {func(r *Rule) { r.Limits = map[string]int64{"melon:x": 1} }, "limits: "},
		"negative":        {func(r *Rule) { r.Limits = map[string]int64{"account:x": -1} }, "limits: account:x = -1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			c.change(&r)
			var got []string
			r.Check(func(key, problem string) { got = append(got, key+": "+problem) })
			all := strings.Join(got, "\n")
			if c.want == "" && all != "" || !strings.Contains(all, c.want) {
				t.Errorf("got %q, want %q", all, c.want)
			}
		})
	}
}

func TestRuleThatMatchesEverythingWarns(t *testing.T) {
	for when, want := range map[string]bool{"": true, "true": true, "size > 5": false} {
		warned := false
		r := Rule{Name: "r", When: when, Action: osm.Reject}
		r.Warn(func(string, string) { warned = true })
		if warned != want {
			t.Errorf("when = %q: warned %v, want %v", when, warned, want)
		}
	}
}

func TestCountersAreBounded(t *testing.T) {
	for _, count := range []Count{CountMessages, CountUnique} {
		c := newCounters(count, time.Hour)
		for i := range uint64(3 * maxKeys) {
			c.cell(i)
		}
		if n := len(c.current) + len(c.previous); n > 2*maxKeys {
			t.Errorf("%s: %d keys are remembered", count, n)
		}
	}
	c := newCounters(CountUnique, time.Hour)
	for i := range 1000 {
		c.unique(1, monday, []string{fmt.Sprint(i)}, 50)
	}
	if n := len(c.cell(1).seen); n > 51 {
		t.Errorf("%d recipients are remembered for a limit of 50", n)
	}
}
