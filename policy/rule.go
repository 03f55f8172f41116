package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"osm"
)

// Count is what a rule's limit counts.
type Count string

const (
	CountMessages   Count = "messages"
	CountRecipients Count = "recipients"
	CountUnique     Count = "unique-recipients"
	CountFailures   Count = "failures"
	CountBytes      Count = "bytes"
)

var counts = []Count{CountMessages, CountRecipients, CountUnique, CountFailures, CountBytes}

// Counts lists all of them.
func Counts() []Count { return slices.Clone(counts) }

// Rule is one [[rule]] of the configuration: a plain limit, or a condition that decides at once.
type Rule struct {
	Name    string           `toml:"name" json:"name" doc:"Name of the rule, as verdicts and reports show it."`
	When    string           `toml:"when" json:"when,omitzero" doc:"Condition over the facts of a message (see osm config explain rule.when); empty means every message."`
	Classes []osm.Class      `toml:"classes" json:"classes,omitzero" doc:"Classes of mail it is about; login, script, localhost and relay when empty."`
	Key     osm.KeyKind      `toml:"key" json:"key,omitzero" doc:"What is counted apart: account, login, script, sender, sender-domain, client, network, country, subject, host ..."`
	Count   Count            `toml:"count" json:"count,omitzero" doc:"What is counted: messages, recipients, unique-recipients, failures or bytes."`
	Window  osm.Duration     `toml:"window" json:"window,omitzero" doc:"Time over which is counted, 1m to 30d; it slides."`
	Limit   int64            `toml:"limit" json:"limit,omitzero" doc:"How much is let through in the window; without a limit the rule acts on every message it is about."`
	Limits  map[string]int64 `toml:"limits" json:"limits,omitzero" doc:"Limits of their own: account:NAME, plan:NAME, domain:NAME, login:NAME, script:PATH, sender:ADDRESS, client:IP or network:CIDR, each with its number; 0 means none."`
	Except  []string         `toml:"except" json:"except,omitzero" doc:"Whom it is not about, in the same form."`
	Action  osm.Action       `toml:"action" json:"action" doc:"What is done: accept (and no later rule is asked), defer, hold, reject, discard or divert."`
	Text    string           `toml:"text" json:"text,omitzero" doc:"What the sender is told. Empty: how much is too much where there is a limit, but never a condition; and always the verdict's id."`
	Shadow  bool             `toml:"shadow" json:"shadow" doc:"Only report what would have been done."`
	Off     bool             `toml:"off" json:"off,omitzero" doc:"Keep the rule, but do not ask it."`
}

var outgoing = []osm.Class{osm.Login, osm.Local, osm.Localhost, osm.Relay}

const (
	shortestWindow = time.Minute
	longestWindow  = 30 * 24 * time.Hour
)

// rule is a Rule made ready.
type rule struct {
	Rule
	when     *vm.Program // nil: every message
	classes  [256]bool
	except   []selector
	limits   []ownLimit
	counters *counters // nil without a limit
	early    early
	hits     hits
	hitsKey  string // names of its kept state
	countKey string
}

type ownLimit struct {
	selector
	limit int64
}

// Check reports every mistake of one rule, by key and in words. Warnings are reported as well: see Warn.
func (r *Rule) Check(report func(key, problem string)) {
	_, problems := compile(*r)
	for _, p := range problems {
		report(p.key, p.text)
	}
}

// Warn tells what is allowed but hardly meant.
func (r *Rule) Warn(report func(key, problem string)) {
	everything := !r.Off && (r.When == "" || r.When == "true")
	if everything && r.Limit == 0 && len(r.Limits) == 0 && r.Action != osm.Accept && !r.Shadow {
		report("when", "matches every message: all mail of these classes would get "+r.Action.String())
	}
	if everything && r.Limit == 0 && len(r.Limits) == 0 && r.Action == osm.Accept {
		report("when", "matches every message: no later rule and no detection would be asked")
	}
}

type problem struct{ key, text string }

func compile(r Rule) (*rule, []problem) {
	var problems []problem
	bad := func(key, format string, args ...any) {
		problems = append(problems, problem{key, fmt.Sprintf(format, args...)})
	}
	c := &rule{Rule: r}
	if r.Name == "" {
		bad("name", "must be given: verdicts and reports name the rule by it")
	}
	if r.When != "" {
		var err error
		if c.when, err = compileCondition(r.When); err != nil {
			bad("when", "%v", err)
		}
	}
	if len(r.Classes) == 0 {
		c.Classes = outgoing
	}
	for _, class := range c.Classes {
		c.classes[class] = true
	}
	for _, text := range r.Except {
		s, err := parseSelector(text)
		if err != nil {
			bad("except", "%v", err)
		}
		c.except = append(c.except, s)
	}
	for text, n := range r.Limits {
		s, err := parseSelector(text)
		if err != nil {
			bad("limits", "%v", err)
		}
		if n < 0 {
			bad("limits", "%s = %d: must not be negative", text, n)
		}
		c.limits = append(c.limits, ownLimit{s, n})
	}
	slices.SortFunc(c.limits, func(a, b ownLimit) int { return narrow(a.kind) - narrow(b.kind) })
	if c.counted() {
		checkCounted(c, bad)
	} else if r.Window != 0 || r.Count != "" {
		bad("limit", "must be given where a window or a count is")
	}
	if len(problems) > 0 {
		return nil, problems
	}
	c.name()
	c.early = earlyOf(c)
	if c.counted() {
		c.counters = newCounters(c.Count, time.Duration(c.Window))
	}
	return c, nil
}

func (c *rule) counted() bool { return c.Limit != 0 || len(c.Limits) > 0 }

func checkCounted(c *rule, bad func(key, format string, args ...any)) {
	if c.Limit < 0 {
		bad("limit", "must not be negative")
	}
	if c.Key == osm.NoKey {
		bad("key", "must say what is counted apart, such as login")
	}
	if c.Count == "" {
		c.Count = CountMessages
	}
	if !slices.Contains(counts, c.Count) {
		bad("count", "%q: must be one of %v", c.Count, counts)
	}
	if w := time.Duration(c.Window); w < shortestWindow || w > longestWindow {
		bad("window", "must be between 1m and 30d")
	}
}

// narrow orders limits of their own: who is named more closely comes first.
func narrow(kind string) int {
	return slices.Index([]string{"login", "script", "sender", "client", "network", "domain", "account", "plan"}, kind)
}

// memoryBudget bounds what one condition may allocate; a condition that needs more fails and does not match.
const memoryBudget = 100_000

func compileCondition(text string) (*vm.Program, error) {
	program, err := expr.Compile(text, expr.Env(&Facts{}), expr.AsBool(), expr.MaxNodes(2000))
	var at *file.Error
	if !errors.As(err, &at) {
		return program, err
	}
	message := fmt.Sprintf("line %d column %d: %s", at.Line, at.Column+1, at.Message)
	if name, ok := strings.CutPrefix(at.Message, "unknown name "); ok {
		var names []string
		for _, f := range FactDocs() {
			names = append(names, f.Name)
		}
		message = fmt.Sprintf("line %d column %d: there is no fact called %s", at.Line, at.Column+1, name)
		if near := osm.Nearest(name, names); near != "" {
			message += ": did you mean " + near + "?"
		}
	}
	return nil, errors.New(message + strings.TrimRight(at.Snippet, "\n"))
}
