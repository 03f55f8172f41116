package web

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"osm"
	"osm/policy"
)

// everyRule has a value in each of its fields, which the form must give back.
var everyRule = policy.Rule{Name: "everything", When: "size > 10 &&\n class == \"login\"", Classes: []osm.Class{osm.Login, osm.Bounce}, Key: osm.KeyHelo,
	Count: policy.CountUnique, Window: 5400e9, Limit: 20, Limits: map[string]int64{"account:shop": 500, "script:/home/a=b/x.php": 0},
	Except: []string{"plan:gold", "network:192.0.2.0/24"}, Action: osm.Divert, Text: `too "much" <b>`, Shadow: true, Off: true}

// TestRuleFormKeepsAll sends a rule's form as a browser does that nobody has touched: nothing of the rule gets lost.
func TestRuleFormKeepsAll(t *testing.T) {
	for i, v := 0, reflect.ValueOf(everyRule); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Fatalf("the rule of this test has no %s", v.Type().Field(i).Name)
		}
	}
	for _, rule := range []policy.Rule{everyRule, {Name: "plain", Action: osm.Accept, When: "size > 1"}} {
		var saved []RuleChange
		p := newPlace(t, func(o *Options) {
			o.RuleCalls.Own = func() OwnRules { return OwnRules{Rules: []OwnRule{{Rule: rule, Page: true}}} }
			o.RuleCalls.Save = func(c RuleChange, _ string) (RulesSaved, error) {
				saved = append(saved, c)
				return RulesSaved{Saved: true}, nil
			}
		})
		c := p.signedIn("admin")
		_, page := p.do(c, http.MethodGet, "/rules/new?name="+rule.Name, "")
		form := filledIn(t, page)
		for _, live := range []string{"", "1"} {
			form.Set("live", live)
			if answer, text := p.do(c, http.MethodPost, "/rules/save", form.Encode()); answer.StatusCode != http.StatusSeeOther {
				t.Fatalf("%s: %s", answer.Status, text)
			}
			got := saved[len(saved)-1]
			if got.Live != (live != "") || len(got.Rules) != 1 {
				t.Fatalf("live %q: saved %+v", live, got)
			}
			got.Rules[0].Shadow = rule.Shadow // Live says that
			if !reflect.DeepEqual(got.Rules[0], rule) {
				t.Errorf("the form made\n%+v of\n%+v", got.Rules[0], rule)
			}
		}
		if offered := strings.Contains(page, `name="live" value="1"`); offered == rule.Shadow {
			t.Errorf("%s: that it may act at once is offered: %t", rule.Name, offered)
		}
	}
}

// TestRuleFormProblems: what can't work is told with the form as it was filled in, also where the text makes no rule.
func TestRuleFormProblems(t *testing.T) {
	p := newPlace(t, nil)
	c := p.signedIn("admin")
	form := url.Values{"name": {"x"}, "action": {"hold"}, "key": {"login"}, "limit": {"5"}, "window": {"1h"}, "limits": {"account:shop\r\nlogin:a = many"},
		"except": {"king:arthur"}}
	answer, text := p.do(c, http.MethodPost, "/rules/save", form.Encode())
	text = strings.ReplaceAll(text, "\r", "")
	for _, want := range []string{`limits: &#34;account:shop&#34;: want one in a line`, "want a number, and everybody once", "account:shop\nlogin:a = many", "king:arthur"} {
		if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text, want) {
			t.Errorf("%s: there is no %s in %s", answer.Status, want, text)
		}
	}
}

// filledIn is what a browser sends of the page's form for a rule when nothing is changed (HTML, 4.10.22.4).
func filledIn(t *testing.T, page string) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	sent, ours := url.Values{}, false
	attr := func(n *html.Node, name string) (string, bool) {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val, true
			}
		}
		return "", false
	}
	for n := range root.Descendants() {
		name, _ := attr(n, "name")
		kind, _ := attr(n, "type")
		value, _ := attr(n, "value")
		_, checked := attr(n, "checked")
		_, selected := attr(n, "selected")
		switch {
		case n.Data == "form":
			action, _ := attr(n, "action")
			ours = action == "/rules/try"
		case !ours || n.Type != html.ElementNode:
		case n.Data == "input" && (kind != "checkbox" || checked):
			sent.Add(name, value)
		case n.Data == "textarea" && n.FirstChild != nil:
			sent.Add(name, strings.ReplaceAll(n.FirstChild.Data, "\n", "\r\n"))
		case n.Data == "option" && selected:
			list, _ := attr(n.Parent, "name")
			sent.Add(list, value)
		}
	}
	return sent
}
