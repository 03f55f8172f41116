package daemon

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"osm/config"
	"osm/policy"
	"osm/web"
)

// rulesChanged is a change of the rules, worked out.
type rulesChanged struct {
	change  web.RuleChange
	loaded  *config.Loaded // the configuration as it will be
	own     []policy.Rule  // that the page keeps, with the change
	before  []policy.Rule  // and without it
	foreign []string       // names of rules in other files that the change is about
}

// errNoRuleFile says that there is no configuration that the page could add to.
var errNoRuleFile = errors.New("osm was started without configuration files: there is none for rules of the page")

// changeRules works a change out and tells everything that is wrong with it.
func (s *session) changeRules(change web.RuleChange) (*rulesChanged, error) {
	if s.options.Rules == nil {
		return nil, errNoRuleFile
	}
	if len(change.Rules)+len(change.Remove) == 0 {
		return nil, errors.New("the change has no rule: name one to add, to change or to remove")
	}
	before, err := s.options.Rules.Rules()
	if err != nil {
		return nil, err
	}
	if err := checkRules(change.Rules); err != nil {
		return nil, err
	}
	now, err := s.options.Rules.With(before)
	if err != nil {
		return nil, err
	}
	c := &rulesChanged{change: change, before: before, own: slices.Clone(before)}
	names := map[string]bool{}
	for _, r := range change.Rules {
		if names[r.Name] {
			return nil, fmt.Errorf("two rules of the change are called %q", r.Name)
		}
		names[r.Name] = true
		r.Shadow = !change.Live
		at, file := place(before, r.Name), place(now.Rules, r.Name)
		switch {
		case at >= 0:
			c.own[at] = r
		case file >= 0:
			c.foreign = append(c.foreign, r.Name)
		default:
			c.own = append(c.own, r)
		}
	}
	for _, name := range change.Remove {
		at := place(c.own, name)
		switch {
		case at >= 0:
			c.own = slices.Delete(c.own, at, at+1)
		case place(now.Rules, name) >= 0:
			c.foreign = append(c.foreign, name)
		default:
			return nil, fmt.Errorf("there is no rule called %q", name)
		}
	}
	c.loaded, err = s.options.Rules.With(c.own)
	return c, err
}

// place is where a rule stands among others, -1 when it does not.
func place(rules []policy.Rule, name string) int {
	return slices.IndexFunc(rules, func(r policy.Rule) bool { return r.Name == name })
}

// live are all rules with the change, whose rules act: that is what a trial is about.
func (c *rulesChanged) live() []policy.Rule {
	after := slices.Clone(c.loaded.Rules)
	for _, r := range c.change.Rules {
		r.Shadow, r.Off = false, false
		if at := place(after, r.Name); at >= 0 {
			after[at] = r
		}
	}
	return slices.DeleteFunc(after, func(r policy.Rule) bool { return slices.Contains(c.change.Remove, r.Name) })
}

// saveRules puts a change into force. Where the file can't be written the answer says what a person must put where.
func (s *session) saveRules(change web.RuleChange, by string, now time.Time) (web.RulesSaved, error) {
	c, err := s.changeRules(change)
	if err != nil {
		return web.RulesSaved{}, err
	}
	file := s.options.Rules.Name()
	saved := web.RulesSaved{Deeds: []policy.Deed{}, File: file, TOML: string(config.RulesText(c.own))}
	if len(c.foreign) > 0 {
		where := ""
		if at := place(c.loaded.Rules, c.foreign[0]); at >= 0 {
			where = " at " + c.loaded.RulePlace(at)
		}
		saved.TOML = string(config.RulesText(change.Rules))
		saved.Problem = fmt.Sprintf("%q stands in a file of yours%s, which the page does not write: change it there, then run osm reload", c.foreign[0], where)
		return saved, nil
	}
	if err := s.options.Rules.Write(c.own); err != nil {
		saved.Problem = fmt.Sprintf("%v. Put this text into %s as root and run osm reload, or let the user osm write in that folder", err, file)
		return saved, nil
	}
	if err := s.reloadOr(c.before); err != nil {
		return saved, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range c.deeds() {
		d.By, d.Reason, d.Time = by, change.Reason, now
		saved.Deeds = append(saved.Deeds, s.ledger.Note(d))
	}
	saved.Saved = true
	return saved, nil
}

// reloadOr puts the file into force, or back to what it was.
func (s *session) reloadOr(before []policy.Rule) error {
	if _, err := s.reload(); err != nil {
		return errors.Join(err, s.options.Rules.Write(before))
	}
	return nil
}

// deeds are what a change has done, for the audit trail.
func (c *rulesChanged) deeds() (all []policy.Deed) {
	find := func(rules []policy.Rule, name string) *policy.Rule {
		if at := place(rules, name); at >= 0 {
			return &rules[at]
		}
		return nil
	}
	for _, r := range c.change.Rules {
		all = append(all, policy.Deed{What: web.SaveRule, Rule: r.Name, RuleBefore: find(c.before, r.Name), RuleAfter: find(c.own, r.Name)})
	}
	for _, name := range c.change.Remove {
		all = append(all, policy.Deed{What: web.RemoveRule, Rule: name, RuleBefore: find(c.before, name)})
	}
	return all
}

// undoRule takes a change of a rule back, unless it has been changed since.
func (s *session) undoRule(d policy.Deed, by string, now time.Time) (policy.Deed, error) {
	if s.options.Rules == nil {
		return policy.Deed{}, errNoRuleFile
	}
	if d.Undone != "" {
		return policy.Deed{}, fmt.Errorf("%s has been undone already by %s", d.ID, d.Undone)
	}
	before, err := s.options.Rules.Rules()
	if err != nil {
		return policy.Deed{}, err
	}
	rules, at := slices.Clone(before), place(before, d.Rule)
	if (at >= 0) != (d.RuleAfter != nil) || at >= 0 && !sameRule(&rules[at], d.RuleAfter) {
		return policy.Deed{}, fmt.Errorf("%s can't be undone: the rule %q has been changed since", d.ID, d.Rule)
	}
	switch {
	case at >= 0 && d.RuleBefore != nil:
		rules[at] = *d.RuleBefore
	case at >= 0:
		rules = slices.Delete(rules, at, at+1)
	default:
		rules = append(rules, *d.RuleBefore)
	}
	if _, err := s.options.Rules.With(rules); err != nil {
		return policy.Deed{}, err
	}
	if err := s.options.Rules.Write(rules); err != nil {
		return policy.Deed{}, err
	}
	if err := s.reloadOr(before); err != nil {
		return policy.Deed{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Note(policy.Deed{What: policy.Undo, Rule: d.Rule, By: by, Time: now, Undoes: d.ID, RuleBefore: d.RuleAfter,
		RuleAfter: d.RuleBefore}), nil
}

// sameRule compares what two rules say.
func sameRule(a, b *policy.Rule) bool {
	return reflect.DeepEqual(config.RulesText([]policy.Rule{*a}), config.RulesText([]policy.Rule{*b}))
}

// ownRules lists the administrator's rules in force.
func (s *session) ownRules() web.OwnRules {
	s.mu.Lock()
	rules, stats := slices.Clone(s.cfg.Rules), s.engine.Policy.RuleStats()
	s.mu.Unlock()
	all := web.OwnRules{Rules: []web.OwnRule{}, Trials: s.trials.list()}
	loaded, own, err := s.ruleFiles()
	if err != nil {
		all.Problem = "the files have mistakes, and the rules in force are older than they: " + err.Error()
	}
	for i, r := range rules {
		one := web.OwnRule{Rule: r, Stats: stats[i], Page: place(own, r.Name) >= 0}
		if loaded != nil {
			if at := place(loaded.Rules, r.Name); at >= 0 {
				one.Where = loaded.RulePlace(at)
			}
		}
		all.Rules = append(all.Rules, one)
	}
	return all
}

// ruleFiles reads the files as they are now; nil where there are none.
func (s *session) ruleFiles() (loaded *config.Loaded, own []policy.Rule, err error) {
	if s.options.Rules == nil {
		return nil, nil, nil
	}
	if own, err = s.options.Rules.Rules(); err != nil {
		return nil, nil, err
	}
	loaded, err = s.options.Rules.With(own)
	return loaded, own, err
}

// ruleCalls is what pages and API can ask and order about rules.
func (s *session) ruleCalls() web.RuleCalls {
	return web.RuleCalls{Own: s.ownRules, Trial: s.trials.find, StopTrial: s.trials.stop,
		Try:  func(c web.RuleChange, by string) (web.Trial, error) { return s.tryRules(c, by, time.Now()) },
		Save: func(c web.RuleChange, by string) (web.RulesSaved, error) { return s.saveRules(c, by, time.Now()) }}
}
