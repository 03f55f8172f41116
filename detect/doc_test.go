package detect

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The table of weights in the documentation is that of the program.
func TestDocumentedWeights(t *testing.T) {
	doc, err := os.ReadFile("../doc/detection.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for g := range groups {
		for _, w := range weights {
			if w.group == g {
				fmt.Fprintf(&want, "| `%s` | %s | %g | %s | %s |\n", w.name, groupNames[g], w.most, w.what, w.why)
			}
		}
	}
	if !strings.Contains(string(doc), want.String()) {
		t.Errorf("doc/detection.md has another table of weights; it should be:\n%s", want.String())
	}
	for g, name := range groupNames {
		if row := fmt.Sprintf("| %s | %g |", name, groupLimits[g]); !strings.Contains(string(doc), row) {
			t.Errorf("doc/detection.md lacks %q", row)
		}
	}
}
