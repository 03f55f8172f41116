package check_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"osm/config"
)

// TestPageExamplesWork reads every example of doc/checks.md as a configuration of its own, and looks for every table in it.
func TestPageExamplesWork(t *testing.T) {
	text, err := os.ReadFile("../doc/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for i, e := range examples {
		if _, err := config.Parse(config.Source{Name: fmt.Sprintf("example %d", i+1), Text: []byte(e[1])}); err != nil {
			t.Errorf("%v\n%s", err, e[1])
		}
	}
	if len(examples) < 8 {
		t.Errorf("only %d examples were found", len(examples))
	}
	for _, s := range config.Settings() {
		if key, ok := strings.CutPrefix(s.Key, "check."); ok && s.Header != "" && !strings.Contains(key, ".") && key != "arf" &&
			!strings.Contains(string(text), s.Key) {
			t.Errorf("the page does not have [%s]", s.Key)
		}
	}
}
