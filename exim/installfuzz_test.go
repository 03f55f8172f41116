package exim

import (
	"strings"
	"testing"
)

// FuzzBlocks: whatever a file holds that has no lines like osm's own, its change can be taken back byte for byte.
func FuzzBlocks(f *testing.F) {
	for _, text := range []string{"", "a", "begin acl\n", "# osm\n", "acl_smtp_data = x\nbegin routers\n", "@REWRITE@\n\n@X@", "begin routers"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, before string) {
		if strings.Contains(before, "# osm ") {
			return
		}
		for name, after := range map[string]string{"append": appendBlock(before, "x = y\n"), "mark": atMark(before, "@REWRITE@", "*@*\n"),
			"section": intoSection(intoSection(before, "routers", "r:\n"), "retry", "*\n")} {
			if strip(after) != before {
				t.Errorf("%s: %q became %q, and then %q", name, before, after, strip(after))
			}
		}
	})
}
