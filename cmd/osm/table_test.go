package main

import (
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"osm"
)

func TestTable(t *testing.T) {
	table := newTable("!name", ">count", "text")
	table.add("alice", "12", "short")
	table.add("日本", "1,234", "evil\x1b[31m\n"+strings.Repeat("x", 60))
	var wide, narrow strings.Builder
	if err := table.write(&wide, 0); err != nil {
		t.Fatal(err)
	}
	want := "name   count  text\nalice     12  short\n日本   1,234  evil\\x1b[31m\\n" + strings.Repeat("x", 60) + "\n"
	if wide.String() != want {
		t.Errorf("got\n%s\nwant\n%s", wide.String(), want)
	}
	if err := table.write(&narrow, 40); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(narrow.String()) {
		if w := lipgloss.Width(strings.TrimSuffix(line, "\n")); w > 40 {
			t.Errorf("%d cells wide: %s", w, line)
		}
	}
	if !strings.Contains(narrow.String(), "…") || !strings.Contains(narrow.String(), "1,234") {
		t.Errorf("cut wrongly:\n%s", narrow.String())
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 2048: "2.0 KB", 5 << 20: "5.0 MB", 1 << 62: "4.0 EB"} {
		if got := osm.ShortSize(n); got != want {
			t.Errorf("osm.ShortSize(%d) = %s, want %s", n, got, want)
		}
	}
}
