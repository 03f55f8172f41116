package web

import (
	"net/http"

	"osm/policy"
)

func (s *Server) trialPage(r *http.Request) (any, error) {
	t, err := s.o.RuleCalls.Trial(r.PathValue("id"))
	if err != nil {
		return nil, ErrNotFound
	}
	return &t, nil
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
		c.Rules, c.Live = []policy.Rule{rule}, r.PostFormValue("live") != ""
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
		v := s.ruleView(rule)
		v.Problems, v.Chosen, v.Limits, v.Except = problems, r.PostForm["classes"], r.PostFormValue("limits"), r.PostFormValue("except")
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
