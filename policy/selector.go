package policy

import (
	"fmt"
	"slices"
	"strings"

	"osm"
)

// selectorNames are the kinds of key that an exception or a limit of its own may name: those of a message, and its plan.
var selectorNames = []string{"account", "plan", "domain", "login", "script", "sender", "client", "network"}

// selector names whose messages an exception or an override is about: "account:bigshop", "plan:gold", "domain:x.example".
type selector struct{ kind, value string }

func parseSelector(s string) (selector, error) {
	kind, value, ok := strings.Cut(s, ":")
	if !ok || value == "" || !slices.Contains(selectorNames, kind) {
		return selector{}, fmt.Errorf("%q: want KIND:VALUE where KIND is one of %s", s, strings.Join(selectorNames, ", "))
	}
	if kind != "script" && kind != "account" && kind != "plan" {
		value = strings.ToLower(value)
	}
	return selector{kind, value}, nil
}

// matches tells whether a message is one of those; plan tells the plan of an account and may be nil.
func (s selector) matches(m *osm.Message, plan func(account string) string) bool {
	switch s.kind {
	case "plan":
		return plan != nil && m.Account != "" && plan(m.Account) == s.value
	case "domain":
		return Value(m, osm.KeySenderDomain) == s.value
	case "network":
		p, err := parseNetwork(s.value)
		return err == nil && m.Client.IsValid() && p.Contains(m.Client.Unmap())
	default:
		kind, err := osm.ParseKeyKind(s.kind)
		return err == nil && Value(m, kind) == s.value
	}
}
