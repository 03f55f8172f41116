package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"osm/policy"
)

// ruleFile is the file, beside those that people write, in which the rules stand that were made in the page.
const ruleFile = "rules.d/50-web.toml"

// RuleFile is that file of one configuration. Everything else is read only.
type RuleFile struct {
	path string // of the configuration; "" is DefaultPath
}

// NewRuleFile is the one beside a configuration file, "" for DefaultPath.
func NewRuleFile(path string) *RuleFile { return &RuleFile{path: path} }

// Name is its path.
func (f *RuleFile) Name() string {
	path := f.path
	if path == "" {
		path = DefaultPath
	}
	return filepath.Join(filepath.Dir(path), ruleFile)
}

// Rules are those that stand in it, none where there is no such file.
func (f *RuleFile) Rules() ([]policy.Rule, error) {
	text, err := os.ReadFile(f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the rules of the page: %w", err)
	}
	loaded, err := Parse(Source{Name: f.Name(), Text: text})
	if err != nil {
		return nil, err
	}
	return loaded.Rules, nil
}

// With is the whole configuration as it would be with these rules in the file. What is wrong comes back as Mistakes.
func (f *RuleFile) With(rules []policy.Rule) (*Loaded, error) {
	sources, err := read(f.path)
	if err != nil {
		return nil, err
	}
	name := f.Name()
	own := Source{Name: name, Text: RulesText(rules)}
	at, there := slices.BinarySearchFunc(sources, name, func(s Source, name string) int {
		if filepath.Dir(s.Name) != filepath.Dir(name) {
			return -1 // the configuration itself comes first
		}
		return strings.Compare(s.Name, name)
	})
	if there {
		sources[at] = own
	} else {
		sources = slices.Insert(sources, at, own)
	}
	return Parse(sources...)
}

// Write puts these rules into the file in one step: who reads it sees the old or the new ones. An error says what to do.
func (f *RuleFile) Write(rules []policy.Rule) error {
	name := f.Name()
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".50-web-*")
	if err != nil {
		return fmt.Errorf("write the rules of the page to %s: %w", f.Name(), cause(err))
	}
	_, err = temporary.Write(RulesText(rules))
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the rules of the page to %s: %w", f.Name(), err), os.Remove(temporary.Name()))
	}
	return nil
}

const rulesHead = "# Rules made in osm's page, which writes this file anew whenever one of them changes. Your own belong into another file.\n"

// RulesText writes rules as a configuration file has them. What is at its default is left out, but for what is done.
func RulesText(rules []policy.Rule) []byte {
	b := bytes.NewBufferString(rulesHead)
	for i := range rules {
		b.WriteString("\n[[rule]]\n")
		for _, field := range settings(reflect.ValueOf(&rules[i]).Elem()) {
			if !field.value.IsZero() || field.name == "action" {
				fmt.Fprintf(b, "%s = %s\n", field.name, spelt(field.value.Interface()))
			}
		}
	}
	return b.Bytes()
}

// spelt is a value of a rule in TOML's spelling.
func spelt(value any) string {
	if limits, ok := value.(map[string]int64); ok {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(limits)) {
			all = append(all, fmt.Sprintf("%s = %d", spelt(name), limits[name]))
		}
		return "{ " + strings.Join(all, ", ") + " }"
	}
	text, err := toml.Marshal(map[string]any{"x": value})
	if err != nil {
		panic(err) // a rule has only texts, numbers and lists of them
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), "x = "))
}

// RulePlace is where a rule of a loaded configuration stands, as file:line.
func (l *Loaded) RulePlace(i int) string {
	p := nearest(l.found, element("rule", i))
	return fmt.Sprintf("%s:%d", p.file, p.line)
}
