package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"osm"
	"osm/policy"
)

// ruleView is the form of a rule.
type ruleView struct {
	Rule     policy.Rule
	Classes  []osm.Class
	Chosen   []string
	Problems []string
}

// rulePage is the form for a new rule, or for one that the page has made.
func (s *Server) rulePage(r *http.Request) (any, error) {
	q := r.URL.Query()
	v := &ruleView{Classes: []osm.Class{osm.Login, osm.Local, osm.Localhost, osm.Relay, osm.Forward, osm.List, osm.System, osm.Inbound},
		Rule: policy.Rule{Action: osm.Hold}}
	if name := q.Get("name"); name != "" {
		i := slices.IndexFunc(s.o.RuleCalls.Own().Rules, func(o OwnRule) bool { return o.Name == name && o.Page })
		if i < 0 {
			return nil, ErrNotFound
		}
		v.Rule = s.o.RuleCalls.Own().Rules[i].Rule
	}
	if id := q.Get("trial"); id != "" {
		t, err := s.o.RuleCalls.Trial(id)
		if err != nil {
			return nil, err
		}
		if len(t.Change.Rules) > 0 {
			v.Rule = t.Change.Rules[0]
		}
	}
	for _, c := range v.Rule.Classes {
		v.Chosen = append(v.Chosen, c.String())
	}
	return v, nil
}

func (s *Server) trialPage(r *http.Request) (any, error) {
	t, err := s.o.RuleCalls.Trial(r.PathValue("id"))
	if err != nil {
		return nil, ErrNotFound
	}
	return &t, nil
}

// ruleOf reads a rule from its form, and says what can't work.
func ruleOf(r *http.Request) (rule policy.Rule, problems []string) {
	bad := func(key, problem string) { problems = append(problems, key+": "+problem) }
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	rule = policy.Rule{Name: text("name"), When: text("when"), Count: policy.Count(text("count")), Text: text("text")}
	var err error
	if rule.Action, err = osm.ParseAction(cmp.Or(text("action"), "hold")); err != nil {
		bad("action", err.Error())
	}
	if err := rule.Key.UnmarshalText([]byte(text("key"))); err != nil {
		bad("key", err.Error())
	}
	for _, name := range r.PostForm["classes"] {
		c, err := osm.ParseClass(name)
		if err != nil {
			bad("classes", err.Error())
		}
		rule.Classes = append(rule.Classes, c)
	}
	if n := text("limit"); n != "" {
		if rule.Limit, err = strconv.ParseInt(n, 10, 64); err != nil {
			bad("limit", fmt.Sprintf("%q is not a number", n))
		}
	}
	if n := text("window"); n != "" {
		if rule.Window, err = osm.ParseDuration(n); err != nil {
			bad("window", err.Error())
		}
	}
	if len(problems) == 0 {
		rule.Check(bad)
	}
	return rule, problems
}

// addRuleForms registers what the rules' forms do.
func (s *Server) addRuleForms() {
	s.handle(http.MethodPost, "/rules/try", TryRules, func(w http.ResponseWriter, r *http.Request) {
		s.ruleForm(w, r, func(c RuleChange) (string, *notice, error) {
			t, err := s.o.RuleCalls.Try(c, self(r.Context()))
			return "/rules/trials/" + t.ID, nil, err
		})
	})
	s.handle(http.MethodPost, "/rules/save", ChangeRules, func(w http.ResponseWriter, r *http.Request) {
		s.ruleForm(w, r, func(c RuleChange) (string, *notice, error) { return s.saveRules(r, c) })
	})
	s.handle(http.MethodPost, "/rules/trials/{id}/save", ChangeRules, func(w http.ResponseWriter, r *http.Request) {
		t, err := s.o.RuleCalls.Trial(r.PathValue("id"))
		if err != nil {
			s.failPage(w, r, http.StatusNotFound, "")
			return
		}
		t.Change.Live = r.PostFormValue("live") != ""
		to, n, err := s.saveRules(r, t.Change)
		if err != nil {
			_, text := s.problem(err)
			to, n = "/rules/trials/"+t.ID, &notice{Bad: true, Key: "said.failed", Pairs: []any{"why", text}}
		}
		s.pages.say(w, r, s.path(to), *n)
	})
	s.form("/rules/trials/{id}/cancel", TryRules, "/rules", func(r *http.Request) (notice, error) {
		_, err := s.o.RuleCalls.StopTrial(r.PathValue("id"))
		return notice{Key: "said.cancelled"}, err
	})
}

// ruleForm carries out what a rule's form asks for. What can't work is told beside the form, with what was typed.
func (s *Server) ruleForm(w http.ResponseWriter, r *http.Request, do func(RuleChange) (to string, n *notice, err error)) {
	if err := r.ParseForm(); err != nil {
		s.failPage(w, r, http.StatusBadRequest, err.Error())
		return
	}
	c := RuleChange{}
	var problems []string
	rule := policy.Rule{}
	if name := r.PostFormValue("remove"); name != "" {
		c.Remove = []string{name}
	} else {
		rule, problems = ruleOf(r)
		c.Rules = []policy.Rule{rule}
	}
	to, n := "", (*notice)(nil)
	if len(problems) == 0 {
		var err error
		if to, n, err = do(c); err != nil {
			_, text := s.problem(err)
			problems = []string{text}
		}
	}
	switch {
	case len(problems) > 0:
		v := &ruleView{Rule: rule, Problems: problems, Chosen: r.PostForm["classes"],
			Classes: []osm.Class{osm.Login, osm.Local, osm.Localhost, osm.Relay, osm.Forward, osm.List, osm.System, osm.Inbound}}
		s.draw(w, r, http.StatusUnprocessableEntity, &look{template: "rule", place: "rules"}, v)
	case n != nil:
		s.pages.say(w, r, s.path(to), *n)
	default:
		http.Redirect(w, r, s.path(to), http.StatusSeeOther)
	}
}

func (s *Server) saveRules(r *http.Request, c RuleChange) (string, *notice, error) {
	saved, err := s.o.RuleCalls.Save(c, self(r.Context()))
	if err != nil {
		return "", nil, err
	}
	n := &notice{Key: "said.ruleShadow"}
	switch {
	case !saved.Saved:
		n.Bad, n.Key, n.Lines = true, "said.notSaved", []string{saved.Problem}
	case len(c.Rules) == 0:
		n.Key = "said.ruleRemoved"
	case c.Live:
		n.Key = "said.ruleSaved"
	}
	if len(saved.Deeds) == 1 && saved.Saved {
		n.Deed = saved.Deeds[0].ID
	}
	return "/rules", n, nil
}
