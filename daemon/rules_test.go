package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/policy"
	"osm/web"
)

func (s *session) names() string {
	var all []string
	for _, r := range s.ownRules().Rules {
		name := r.Name
		if r.Shadow {
			name += "(shadow)"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// TestRulesAreSavedAndTakenBack: a rule of the page is in force at once, first in shadow, and every change can be undone.
func TestRulesAreSavedAndTakenBack(t *testing.T) {
	s := ruleSession(t, map[string]string{"osm.toml": "[[rule]]\nname = \"file\"\nwhen = \"size > 9\"\naction = \"hold\"\n"})
	now := time.Now()
	change := web.RuleChange{Rules: []policy.Rule{limitOf("mine", 5)}, Reason: "too many"}
	saved, err := s.saveRules(change, "anna", now)
	if err != nil || !saved.Saved || len(saved.Deeds) != 1 || s.names() != "file mine(shadow)" {
		t.Fatalf("%+v, %v; in force: %s", saved, err, s.names())
	}
	change.Live = true
	live, err := s.saveRules(change, "anna", now)
	if err != nil || s.names() != "file mine" {
		t.Fatalf("%+v, %v; in force: %s", live, err, s.names())
	}
	gone, err := s.saveRules(web.RuleChange{Remove: []string{"mine"}}, "anna", now)
	if err != nil || s.names() != "file" {
		t.Fatalf("%+v, %v; in force: %s", gone, err, s.names())
	}
	if d := s.audit()[0]; d.What != web.RemoveRule || d.Rule != "mine" || d.By != "anna" || d.RuleBefore == nil || d.RuleBefore.Limit != 5 {
		t.Errorf("the audit trail: %+v", d)
	}
	if _, err := s.undo(saved.Deeds[0].ID, "root", now); err == nil {
		t.Error("a change is undone although the rule has changed since")
	}
	for _, step := range []struct{ id, want string }{{gone.Deeds[0].ID, "file mine"}, {live.Deeds[0].ID, "file mine(shadow)"}, {saved.Deeds[0].ID, "file"}} {
		if _, err := s.undo(step.id, "root", now); err != nil || s.names() != step.want {
			t.Fatalf("undo %s: %v; in force: %s, want %s", step.id, err, s.names(), step.want)
		}
	}
	if _, err := s.undo(saved.Deeds[0].ID, "root", now); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("undone twice: %v", err)
	}
}

// TestRulesOfOthersAreShown: a rule of another file, or a file that can't be written, is answered with what a person must write.
func TestRulesOfOthersAreShown(t *testing.T) {
	s := ruleSession(t, map[string]string{"rules.d/10-mine.toml": "\n[[rule]]\nname = \"file\"\nwhen = \"size > 9\"\naction = \"hold\"\n"})
	rules := s.ownRules()
	if len(rules.Rules) != 1 || !strings.HasSuffix(rules.Rules[0].Where, "10-mine.toml:2") || rules.Rules[0].Page || rules.Problem != "" {
		t.Errorf("%+v", rules)
	}
	saved, err := s.saveRules(web.RuleChange{Rules: []policy.Rule{{Name: "file", When: "size > 10", Action: osm.Defer}}, Live: true}, "anna", time.Now())
	if err != nil || saved.Saved || !strings.Contains(saved.Problem, "10-mine.toml:2") || !strings.Contains(saved.TOML, "size > 10") {
		t.Errorf("%+v, %v", saved, err)
	}
	folder := filepath.Dir(s.options.Rules.Name())
	if err := os.Rename(folder, folder+".gone"); err != nil {
		t.Fatal(err)
	}
	saved, err = s.saveRules(web.RuleChange{Rules: []policy.Rule{{Name: "new", When: "size > 10", Action: osm.Defer}}}, "anna", time.Now())
	if err != nil || saved.Saved || !strings.Contains(saved.Problem, "osm reload") || !strings.Contains(saved.TOML, `name = 'new'`) ||
		!strings.Contains(saved.TOML, "shadow = true") {
		t.Errorf("%+v, %v", saved, err)
	}
	if len(s.audit()) != 0 {
		t.Errorf("what was not done is in the audit trail: %+v", s.audit())
	}
}

// TestRulesCountOnAfterAReload: hits and limits stay when the page changes another rule.
func TestRulesCountOnAfterAReload(t *testing.T) {
	s := ruleSession(t, map[string]string{"rules.d/50-web.toml": "[[rule]]\nname = \"hit\"\nwhen = \"size > 9\"\naction = \"hold\"\n"})
	at := time.Now().UTC()
	s.feed(t, at.Format("2006-01-02 15:04:05 ")+messageID(at, 1)+" <= bob@here.example H=(x) [192.0.2.1] P=esmtpsa A=plain:bob@here.example S=500 for x@far.example\n")
	before := s.ownRules().Rules[0].Stats
	if before.Hits != 1 || before.Message != messageID(at, 1) {
		t.Fatalf("%+v", before)
	}
	if _, err := s.saveRules(web.RuleChange{Rules: []policy.Rule{limitOf("more", 5)}}, "anna", at); err != nil {
		t.Fatal(err)
	}
	if after := s.ownRules().Rules; len(after) != 2 || !reflect.DeepEqual(after[0].Stats, before) || !after[0].Page {
		t.Errorf("%+v", after)
	}
}
