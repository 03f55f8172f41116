package action

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"osm"
)

// Means is a way to stop a sender.
type Means string

const (
	ByList    Means = "list"    // a block-list entry: Exim refuses what the sender sends, and a login at MAIL; nothing else of it
	ByPanel   Means = "panel"   // the hosting panel's own command
	ByCommand Means = "command" // the administrator's command
)

// SuspendConfig is the table [action].
type SuspendConfig struct {
	Automatic []Means      `toml:"automatic" doc:"What follows by itself when a sender's mail is refused: list, panel, command. Empty: nothing."`
	PerHour   int          `toml:"per_hour" doc:"Most senders that are suspended by themselves in an hour; past it a person must."`
	For       osm.Duration `toml:"for" doc:"How long a suspension lasts that came by itself."`
	With      []Means      `toml:"with" doc:"What osm suspend does when it is not told: list, panel, command."`
	Panel     PanelWay     `toml:"panel" doc:"What the panel does with the mail of a suspended sender: suspend refuses it; hold keeps it in the queue, where the panel can (cPanel)."`
	Prefix    []string     `toml:"prefix" doc:"Program and arguments before those of a panel, such as [\"/usr/bin/sudo\", \"-n\"]: panels want root."`
	Command   []string     `toml:"command" doc:"Program and its arguments for command; {kind}, {value} and {account} stand for whom. No shell is involved."`
	Undo      []string     `toml:"undo" doc:"Program and its arguments that take it back."`
}

// DefaultSuspendConfig is what an empty file means: nothing happens by itself.
func DefaultSuspendConfig() SuspendConfig {
	return SuspendConfig{PerHour: 10, For: osm.Duration(24 * time.Hour), With: []Means{ByList}, Panel: PanelSuspends}
}

// Check reports every setting that can't work, by its key in the file.
func (c *SuspendConfig) Check(report func(key, problem string)) {
	for key, list := range map[string][]Means{"automatic": c.Automatic, "with": c.With} {
		for _, m := range list {
			if !slices.Contains([]Means{ByList, ByPanel, ByCommand}, m) {
				report(key, fmt.Sprintf("%q is not list, panel or command", m))
			}
			if m == ByCommand && (len(c.Command) == 0 || len(c.Undo) == 0) {
				report(key, "command needs command and undo: what can't be taken back is not done")
			}
		}
	}
	if c.PerHour < 1 {
		report("per_hour", "must be at least 1")
	}
	if c.For <= 0 {
		report("for", "must be more than 0s")
	}
	if c.Panel != PanelSuspends && c.Panel != PanelHolds {
		report("panel", "must be suspend or hold")
	}
	for key, argv := range map[string][]string{"prefix": c.Prefix, "command": c.Command, "undo": c.Undo} {
		if len(argv) > 0 && !filepath.IsAbs(argv[0]) {
			report(key, "the program must be an absolute path")
		}
	}
}

// Subject is who is suspended.
type Subject struct {
	Key     osm.Key `json:"key"`
	Account string  `json:"account"` // owner in the hosting panel, "" when unknown
}

// Plan is how a suspension is done and taken back by programs or files.
type Plan struct {
	Do   Step `json:"do"`
	Undo Step `json:"undo"`
}

// Plan makes the plan of a means other than ByList. panel is the panel's name, as panel.Kind says it. The error tells
// what is missing; whatever is in the subject, no plan has an argument that is not what it should be.
func (c *SuspendConfig) Plan(m Means, panel string, s Subject) (Plan, error) {
	switch m {
	case ByPanel:
		p, err := planPanel(panel, c.Panel, s)
		p.Do.prefix(c.Prefix)
		p.Undo.prefix(c.Prefix)
		return p, err
	case ByCommand:
		if strings.ContainsFunc(s.Key.Value+s.Account, func(r rune) bool { return r < ' ' || r == 0x7f }) ||
			strings.HasPrefix(s.Key.Value, "-") {
			return Plan{}, fmt.Errorf("suspend %q by command: this can't be an argument", s.Key)
		}
		if len(c.Command) == 0 || len(c.Undo) == 0 {
			return Plan{}, fmt.Errorf("suspend %s by command: action.command and action.undo are not set", s.Key)
		}
		fill := strings.NewReplacer("{kind}", s.Key.Kind.String(), "{value}", s.Key.Value, "{account}", s.Account)
		return Plan{Step{Argv: fillAll(c.Command, fill)}, Step{Argv: fillAll(c.Undo, fill)}}, nil
	}
	return Plan{}, fmt.Errorf("%q is no way to suspend: want list, panel or command", m)
}

func fillAll(argv []string, fill *strings.Replacer) []string {
	all := []string{argv[0]}
	for _, a := range argv[1:] {
		all = append(all, fill.Replace(a))
	}
	return all
}
