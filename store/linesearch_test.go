package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLinesWith looks for a text among the lines of some hours, over midnight.
func TestLinesWith(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	start := noon.Truncate(24 * time.Hour).Add(-6 * time.Hour)
	for n := range 12 * 60 {
		m := example(n, start.Add(time.Duration(n)*time.Minute))
		for k := range 20 { // so that there are several blocks
			s.Line(m.Time, fmt.Sprintf("%s other line %d %s", m.ID, k, strings.Repeat("x", 100)))
		}
		s.Line(m.Time, fmt.Sprintf("%s <= %s id=m%d@here.example", m.ID, m.Sender, n))
		s.Arrival(m)
	}
	flush(t, s, noon)
	for name, c := range map[string]struct {
		text         string
		since, until time.Duration
		want         int
	}{
		"there":             {"id=m360@here.example", 0, 12 * time.Hour, 1},
		"the day before":    {"id=m10@here.example", 0, time.Hour, 1},
		"of another time":   {"id=m10@here.example", 8 * time.Hour, 12 * time.Hour, 0},
		"of no time":        {"id=m10@here.example", -48 * time.Hour, -24 * time.Hour, 0},
		"nowhere":           {"id=other@here.example", 0, 12 * time.Hour, 0},
		"nothing":           {"", 0, 12 * time.Hour, 0},
		"more than is told": {"@here.example", 0, 12 * time.Hour, foundLines},
	} {
		lines, err := s.LinesWith(t.Context(), c.text, start.Add(c.since), start.Add(c.until))
		if err != nil || len(lines) != c.want {
			t.Errorf("%s: %d lines, %v", name, len(lines), err)
		}
		if slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(line, c.text) || strings.Contains(line, "\n") }) {
			t.Errorf("%s: %q", name, lines)
		}
	}
}
