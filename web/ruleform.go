package web

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"osm"
	"osm/policy"
)

// ruleView is the form of a rule. It has a field for everything that a rule has: what a form does not show, saving it would drop.
type ruleView struct {
	Rule     policy.Rule // Shadow is as it stands in force
	Stands   bool        // in the page's file already: its name is no longer chosen, and it can be removed
	Chosen   []string
	Limits   string // one in a line
	Except   string
	Problems []string
}

func (s *Server) ruleView(rule policy.Rule) *ruleView {
	v := &ruleView{Rule: rule, Limits: limitsText(rule.Limits), Except: strings.Join(rule.Except, "\n")}
	own := s.o.RuleCalls.Own().Rules
	i := slices.IndexFunc(own, func(o OwnRule) bool { return o.Name == rule.Name && o.Page })
	v.Stands, v.Rule.Shadow = i >= 0, i < 0 || own[i].Shadow
	for _, c := range rule.Classes {
		v.Chosen = append(v.Chosen, c.String())
	}
	return v
}

// Classes, Actions, Counts and Keys are what can be chosen.
func (*ruleView) Classes() []osm.Class { return osm.Classes() }

// Actions begins with what a rule is for: holding mail.
func (*ruleView) Actions() []osm.Action {
	return []osm.Action{osm.Hold, osm.Reject, osm.Defer, osm.Discard, osm.Divert, osm.Accept}
}

// Counts are what a limit can be about.
func (*ruleView) Counts() []policy.Count { return policy.Counts() }

// Keys are what can be counted apart.
func (*ruleView) Keys() []osm.KeyKind { return osm.KeyKinds() }

// Rare tells that something is set which most rules do without: it must be seen.
func (v *ruleView) Rare() bool {
	return v.Limits != "" || v.Except != "" || v.Rule.Off || v.Rule.Text != ""
}

// rulePage is the form for a new rule, for one that the page has made, or for the one of a trial.
func (s *Server) rulePage(r *http.Request) (any, error) {
	q := r.URL.Query()
	rule := policy.Rule{Action: osm.Hold}
	if name := q.Get("name"); name != "" {
		own := s.o.RuleCalls.Own().Rules
		i := slices.IndexFunc(own, func(o OwnRule) bool { return o.Name == name && o.Page })
		if i < 0 {
			return nil, ErrNotFound
		}
		rule = own[i].Rule
	}
	if id := q.Get("trial"); id != "" {
		t, err := s.o.RuleCalls.Trial(id)
		if err != nil {
			return nil, err
		}
		if !t.OneRule() {
			return nil, ErrNotFound // a form is for one
		}
		rule = t.Change.Rules[0]
	}
	return s.ruleView(rule), nil
}

// ruleOf reads a rule from its form, and says what can't work.
func ruleOf(r *http.Request) (rule policy.Rule, problems []string) {
	bad := func(key, problem string) { problems = append(problems, key+": "+problem) }
	text := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(r.PostFormValue(name), "\r\n", "\n")) // browsers send CRLF (HTML, 4.10.21.4)
	}
	rule = policy.Rule{Name: text("name"), When: text("when"), Count: policy.Count(text("count")), Text: text("text"), Off: text("off") != ""}
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
	if rule.Limits, err = limitsOf(text("limits")); err != nil {
		bad("limits", err.Error())
	}
	for line := range strings.SplitSeq(text("except"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			rule.Except = append(rule.Except, line)
		}
	}
	if len(problems) == 0 {
		rule.Check(bad)
	}
	return rule, problems
}

// limitsText writes limits of their own as the form has them: one in a line, as "account:shop = 500".
func limitsText(limits map[string]int64) string {
	var lines []string
	for _, who := range slices.Sorted(maps.Keys(limits)) {
		lines = append(lines, fmt.Sprintf("%s = %d", who, limits[who]))
	}
	return strings.Join(lines, "\n")
}

// limitsOf reads what limitsText has written.
func limitsOf(text string) (map[string]int64, error) {
	var errs []error
	limits := map[string]int64{}
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		at := strings.LastIndexByte(line, '=') // there may be others in a script's path
		if at < 0 {
			errs = append(errs, fmt.Errorf("%q: want one in a line, as account:shop = 500", line))
			continue
		}
		who := strings.TrimSpace(line[:at])
		n, err := strconv.ParseInt(strings.TrimSpace(line[at+1:]), 10, 64)
		if _, twice := limits[who]; err != nil || twice {
			errs = append(errs, fmt.Errorf("%q: want a number, and everybody once", line))
		}
		limits[who] = n
	}
	if len(limits) == 0 {
		limits = nil
	}
	return limits, errors.Join(errs...)
}
