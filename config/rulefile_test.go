package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/policy"
)

func hostileRules() []policy.Rule {
	return []policy.Rule{
		{Name: "quotes \" ' \\ and\nlines\x1b\u202e", When: `subject contains "a'\"b" && "x" in recipients`, Action: osm.Hold, Shadow: true,
			Classes: []osm.Class{osm.Login, osm.Local}, Text: "]]\n[control]\nsocket = \"/x\""},
		{Name: "limit", Key: osm.KeyLogin, Count: policy.CountUnique, Window: osm.Duration(90 * time.Minute), Limit: 7, Action: osm.Defer,
			Limits: map[string]int64{"login:a\"b": 3, "plan:gold": 0}, Except: []string{"account:'x'"}, Off: true},
		{Name: "accept", When: `helo == "x"`},
	}
}

// TestRulesComeBack: whatever a rule says, it is read from the file as it was.
func TestRulesComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "osm.toml")
	f := NewRuleFile(path)
	if err := os.MkdirAll(filepath.Dir(f.Name()), 0o755); err != nil {
		t.Fatal(err)
	}
	if rules, err := f.Rules(); err != nil || len(rules) != 0 {
		t.Fatalf("without a file: %v, %v", rules, err)
	}
	want := hostileRules()
	if err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	got, err := f.Rules()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("written as\n%s\nread as %+v", RulesText(want), got)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.Name()), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRulesStandAmongOthers: the order of the files is that of their names, and mistakes of any of them keep the change out.
func TestRulesStandAmongOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "osm.toml")
	f := NewRuleFile(path)
	if err := os.MkdirAll(filepath.Join(dir, "rules.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	rule := func(name string) string {
		return "[[rule]]\nname = \"" + name + "\"\nwhen = 'size > 5'\naction = \"hold\"\n"
	}
	for name, text := range map[string]string{"osm.toml": rule("first"), "rules.d/10-a.toml": rule("second"), "rules.d/90-z.toml": rule("last")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mine := []policy.Rule{{Name: "mine", When: `size > 7`, Action: osm.Hold}}
	for range 2 { // without the file, and with it
		loaded, err := f.With(mine)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range loaded.Rules {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != "first second mine last" {
			t.Errorf("in the order %s", got)
		}
		if err := f.Write(mine); err != nil {
			t.Fatal(err)
		}
	}
	mistakes, ok := errors.AsType[Mistakes](func() error { _, err := f.With([]policy.Rule{{Name: "bad", When: "sise > 7"}}); return err }())
	if !ok || len(mistakes) != 1 || mistakes[0].File != f.Name() || !strings.Contains(mistakes[0].Problem, "did you mean size") {
		t.Errorf("mistakes %v", mistakes)
	}
}

func TestRuleFileThatCantBeWritten(t *testing.T) {
	f := NewRuleFile(filepath.Join(t.TempDir(), "no", "osm.toml"))
	if err := f.Write(nil); err == nil || !strings.Contains(err.Error(), f.Name()) {
		t.Errorf("error %v", err)
	}
}

// TestForeignFilesMayOnlyHaveRules: what the unprivileged daemon may write must not tell root's osm where its sockets are.
func TestForeignFilesMayOnlyHaveRules(t *testing.T) {
	rules := Source{Name: "a.toml", Rules: true, Text: RulesText(hostileRules())}
	if _, err := Parse(rules); err != nil {
		t.Error(err)
	}
	_, err := Parse(Source{Name: "b.toml", Rules: true, Text: []byte("[control]\nsocket = \"/tmp/x\"\n")})
	if err == nil || !strings.Contains(err.Error(), "b.toml: control: only [[rule]]") {
		t.Errorf("error %v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("who is not root can't give a file away")
	}
	name := filepath.Join(t.TempDir(), "x.toml")
	if err := errors.Join(os.WriteFile(name, nil, 0o644), os.Chown(name, 12345, 0)); err != nil {
		t.Fatal(err)
	}
	if !foreign(name) {
		t.Error("another user's file is believed")
	}
}
