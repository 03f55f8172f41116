// Package policy decides: the administrator's lists and rules and what the detection found become one verdict. It keeps
// the counters of the rules. It leaves the weighing of evidence to detect, and carrying a verdict out to whoever asked
// (Exim, the gateway) and to action.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/vm"

	"osm"
	"osm/window"
)

// Options are what a Policy needs. Only Rules may be empty.
type Options struct {
	Rules []Rule
	Plan  func(account string) string // the hosting plan of an account; nil where there are none
	Keep  bool                        // note what changes, for Dirty: whoever sets it must call that
}

// Policy holds lists, rules and the rules' counters. The lists may be changed from any goroutine; everything else
// belongs to the engine's.
type Policy struct {
	Lists      Lists
	rules      []*rule
	plan       func(account string) string
	facts      Facts
	conditions bool // some rule asks for the facts
	vm         vm.VM
	run        Stats
	keep       bool
	gone       []string // keys of kept state that belongs to no rule any more
}

// Stats are counts since the start.
type Stats struct {
	Errors    uint64 // conditions that failed at run time: they did not match
	LastError string
}

// New makes the rules ready. They have been checked: a rule that does not compile is an error here.
func New(o Options) (*Policy, error) {
	p := &Policy{plan: o.Plan, keep: o.Keep}
	if err := p.SetRules(o.Rules); err != nil {
		return nil, err
	}
	return p, nil
}

// SetRules replaces the rules. A rule that counts the same as before keeps its counters, and one that is about the same
// its hits. On an error nothing changes.
func (p *Policy) SetRules(rules []Rule) error {
	ready := make([]*rule, 0, len(rules))
	for _, r := range rules {
		c, problems := compile(r)
		if len(problems) > 0 {
			return fmt.Errorf("rule %q: %s: %s", r.Name, problems[0].key, problems[0].text)
		}
		if c.counters != nil {
			c.counters.changes.keep = p.keep
		}
		for _, old := range p.rules {
			c.takeOver(old)
		}
		ready = append(ready, c)
	}
	p.leave(ready)
	p.rules = ready
	p.conditions = slices.ContainsFunc(ready, func(r *rule) bool { return r.when != nil && !r.Off })
	return nil
}

// Decide makes one verdict of the lists, the rules and what the detection found, in this order of precedence: an allowing
// list entry, a blocking one, an accepting rule, the most severe of the other rules and the detection. A rule in shadow
// decides only where nothing else does. v is what the detection found, and becomes the verdict.
func (p *Policy) Decide(m *osm.Message, v *osm.Verdict) {
	if e, ok := p.Lists.Match(m, m.Time); ok {
		*v = listed(m, e)
		return
	}
	if len(p.rules) > 0 {
		p.askAll(m, v)
	}
	if v.Action != osm.Accept && v.ID == "" {
		v.ID = ID(m, v.Rule)
	}
}

// askAll puts what the rules decide in the place of what was found, as Decide has it.
func (p *Policy) askAll(m *osm.Message, best *osm.Verdict) {
	if p.conditions {
		p.facts.set(m, best.Score)
	}
	var shadow osm.Verdict
	for _, r := range p.rules {
		if r.Off {
			continue
		}
		v, decided := p.ask(r, m)
		r.hits.note(m, decided)
		switch {
		case !decided:
			continue
		case v.Shadow:
			if v.Action.Severity() >= shadow.Action.Severity() {
				shadow = v
			}
			continue
		case v.Action == osm.Accept:
			*best = v
			return
		case v.Action.Severity() > best.Action.Severity():
			*best = v
		}
	}
	if best.Action == osm.Accept && shadow.Rule != "" {
		*best = shadow
	}
}

// Peek is what can be said before a message is complete, without counting anything: what the lists say.
func (p *Policy) Peek(m *osm.Message) osm.Verdict {
	if e, ok := p.Lists.Match(m, m.Time); ok {
		return listed(m, e)
	}
	return osm.Verdict{}
}

func listed(m *osm.Message, e Entry) osm.Verdict {
	v := osm.Verdict{Action: osm.Accept, Rule: "allow-list", Key: e.Key}
	if !e.Allow {
		v = osm.Verdict{Action: osm.Reject, Rule: osm.RuleBlockList, Key: e.Key, ID: ID(m, osm.RuleBlockList)}
	}
	v.Reason, v.Detail = "listed", e.Key.String()
	if e.Reason != "" {
		v.Detail += ": " + e.Reason
	}
	return v
}

// byCondition is the reason of a verdict whose detail is a rule's condition, which is nobody's business but the site's.
const byCondition = "condition"

// ask applies one rule: decided is false when it is not about the message, or within its limit.
func (p *Policy) ask(r *rule, m *osm.Message) (v osm.Verdict, decided bool) {
	if !p.about(r, m) {
		return v, false
	}
	v = osm.Verdict{Action: r.Action, Rule: r.Name, Reason: byCondition, Detail: r.When, Shadow: r.Shadow,
		Key: osm.Key{Kind: r.Key, Value: Value(m, r.Key)}}
	if r.Text != "" {
		v.Reason, v.Detail = "rule", r.Text
	}
	if r.counters == nil {
		return v, true
	}
	if v.Key.Value == "" {
		return v, false
	}
	limit := p.limit(r, m)
	sum := r.sum(m, keyHash(v.Key), limit)
	if limit == 0 || sum <= limit {
		return v, false
	}
	v.Reason = "limit"
	v.Findings = []osm.Finding{{Fact: "limit", Value: fmt.Sprintf("%d %s", sum, r.Count),
		Normal: fmt.Sprintf("at most %d in %s", limit, r.Window), Weight: 1}}
	if r.Text == "" {
		v.Detail = fmt.Sprintf("%d %s in %s, the limit is %d", sum, strings.ReplaceAll(string(r.Count), "-", " "), r.Window, limit)
	}
	return v, true
}

// about tells whether a rule is about a message: its class, its exceptions, its condition.
func (p *Policy) about(r *rule, m *osm.Message) bool {
	if !r.classes[m.Class] {
		return false
	}
	for _, s := range r.except {
		if s.matches(m, p.plan) {
			return false
		}
	}
	if r.when == nil {
		return true
	}
	if r.early.each {
		return p.aboutRecipients(r, m)
	}
	return p.holds(r, m)
}

// aboutRecipients asks a rule about each recipient. One that matches is enough, but for accepting: a recipient whose mail
// is always let through must not take others with it.
func (p *Policy) aboutRecipients(r *rule, m *osm.Message) bool {
	matched := 0
	for _, recipient := range m.Recipients {
		p.facts.Recipient = strings.ToLower(recipient)
		if p.holds(r, m) {
			matched++
		}
	}
	return matched > 0 && (r.Action != osm.Accept || matched == len(m.Recipients))
}

// holds tells whether a rule's condition is true of the facts.
func (p *Policy) holds(r *rule, m *osm.Message) bool {
	p.vm.MemoryBudget = memoryBudget
	yes, err := p.vm.Run(r.when, &p.facts)
	if err != nil {
		p.run.Errors++
		p.run.LastError = fmt.Sprintf("rule %q on message %s: %v", r.Name, m.ID, err)
		return false
	}
	matched, _ := yes.(bool)
	return matched
}

// limit is the one that holds for a message: the closest of the rule's limits of their own, or its general one. 0 is none.
func (p *Policy) limit(r *rule, m *osm.Message) int64 {
	for _, own := range r.limits {
		if own.matches(m, p.plan) {
			return own.limit
		}
	}
	return r.Limit
}

// sum counts a message and tells how much the window has with it.
func (r *rule) sum(m *osm.Message, key uint64, limit int64) int64 {
	switch r.Count {
	case CountUnique:
		return r.counters.unique(key, m.Time, m.Recipients, limit)
	case CountRecipients:
		return r.counters.add(key, m.Time, int64(max(len(m.Recipients), 1)))
	case CountBytes:
		return r.counters.add(key, m.Time, m.Size)
	case CountFailures:
		return r.counters.add(key, m.Time, 0)
	default:
		return r.counters.add(key, m.Time, 1)
	}
}

// Delivery counts what limits on failures count: it is called for every attempt of a message that was let through.
func (p *Policy) Delivery(m *osm.Message, d *osm.Delivery) {
	if d.Outcome != osm.Failed {
		return
	}
	for _, r := range p.rules {
		if r.counters != nil && !r.Off && r.Count == CountFailures && r.classes[m.Class] {
			if value := Value(m, r.Key); value != "" {
				r.counters.add(keyHash(osm.Key{Kind: r.Key, Value: value}), d.Time, 1)
			}
		}
	}
}

// Stats tells what went wrong with conditions since the start.
func (p *Policy) Stats() Stats { return p.run }

func keyHash(k osm.Key) uint64 { return window.Hash(uint64(k.Kind), k.Value) }

// ID names a verdict in a way that people can read out and that is the same in every replay: eight letters and digits
// made of the message's id, its time and the rule.
func ID(m *osm.Message, rule string) string {
	h := window.Pair(window.Hash(uint64(m.Time.UnixNano()), m.ID), window.Hash(1, rule))
	return "V" + osm.ShortID(h)
}
