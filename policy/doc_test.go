package policy_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"osm/config"
	"osm/policy"
)

// page is the documentation of rules.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../doc/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPageHasEveryFactAndKey compares the tables of doc/rules.md with the code, row by row.
func TestPageHasEveryFactAndKey(t *testing.T) {
	facts := "| fact | type | meaning |\n|---|---|---|\n"
	for _, f := range policy.FactDocs() {
		facts += fmt.Sprintf("| `%s` | %s | %s |\n", f.Name, f.Type, f.Doc)
	}
	keys := "| key | meaning |\n|---|---|\n"
	for f := range reflect.TypeFor[policy.Rule]().Fields() {
		keys += fmt.Sprintf("| `%s` | %s |\n", f.Tag.Get("toml"), f.Tag.Get("doc"))
	}
	text := page(t)
	for _, want := range []string{facts, keys} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("doc/rules.md does not have this table:\n%s", want)
		}
	}
}

// TestPageExamplesAreRules reads what the page shows, all of it in one file.
func TestPageExamplesAreRules(t *testing.T) {
	var all strings.Builder
	for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		all.WriteString(block[1] + "\n")
	}
	loaded, err := config.Parse(config.Source{Name: "doc/rules.md", Text: []byte(all.String())})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Rules) < 8 {
		t.Errorf("only %d examples were found", len(loaded.Rules))
	}
}
