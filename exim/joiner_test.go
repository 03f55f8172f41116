package exim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// join gives lines to a Joiner and returns what it hands out, with what is left at the end behind a "rest".
func join(lines ...string) (out []string) {
	var j Joiner
	for _, line := range lines {
		if whole, ok := j.Join(line); ok {
			out = append(out, whole)
		}
	}
	if rest := j.Rest(); rest != nil {
		out = append(append(out, "rest"), rest...)
	}
	return out
}

func TestJoiner(t *testing.T) {
	at := "Nov 23 08:38:12 mx exim"
	for _, c := range []struct {
		name     string
		in, want []string
	}{
		{"whole lines pass", []string{"2026-11-23 08:00:00 x: [1/2] y", at + "[7]: x", "", "short", at + "[7]: [1234] x"},
			[]string{"2026-11-23 08:00:00 x: [1/2] y", at + "[7]: x", "", "short", at + "[7]: [1234] x"}},
		{"a line in three pieces, another process between",
			[]string{at + "[7]: [1/3] one ", at + "[8]: x", "Nov 23 08:38:13 mx exim[7]: [2/3] two ", at + "[7]: [3/3] three"},
			[]string{at + "[8]: x", at + "[7]: one two three"}},
		{"two processes at once", []string{at + "[7]: [1/2] a", at + "[8]: [1/2] c", at + "[8]: [2/2] d", at + "[7]: [2/2] b"},
			[]string{at + "[8]: cd", at + "[7]: ab"}},
		{"a line and headers", []string{at + `[7]: [1/4] rejected `, at + `[7]: [2\4] after DATA`, at + `[7]: [3\4] F From: x`, at + `[7]: [4/4] I Id: y`},
			[]string{at + "[7]: rejected after DATA", at + `[7]: [3\4] F From: x`, at + `[7]: [4/4] I Id: y`}},
		{"one piece that ends its line", []string{at + `[7]: [1\2] rejected`, at + `[7]: [2/2] F From: x`},
			[]string{at + `[7]: [1\2] rejected`, at + `[7]: [2/2] F From: x`}},
		{"the end is missing", []string{at + "[7]: [1/3] one ", at + "[7]: [2/3] two ", at + "[7]: [1/2] three "},
			[]string{at + "[7]: one two ", "rest", at + "[7]: three "}},
		{"one between is missing", []string{at + "[7]: [1/3] one ", at + "[7]: [3/3] three "},
			[]string{at + "[7]: [3/3] three ", "rest", at + "[7]: one "}},
		{"the beginning is missing", []string{at + "[7]: [2/3] two "}, []string{at + "[7]: [2/3] two "}},
		{"no pieces at all", []string{at + "[7]: [0/3] x", at + "[7]: [4/3] x", at + "[7]: [1/3]x", at + "[7]: [1/] x", at + "[7]: [/] x", at + "[7]: [1/99999999999] x"},
			[]string{at + "[7]: [0/3] x", at + "[7]: [4/3] x", at + "[7]: [1/3]x", at + "[7]: [1/] x", at + "[7]: [/] x", at + "[7]: [1/99999999999] x"}},
	} {
		if got := join(c.in...); !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// TestJoinerIsBounded: processes that never finish their line do not add up.
func TestJoinerIsBounded(t *testing.T) {
	var lines []string
	for i := range 10 * maxHeld {
		lines = append(lines, fmt.Sprintf("Nov 23 08:38:12 mx exim[%d]: [1/2] x", i))
	}
	out := join(lines...)
	if len(out) != len(lines)+1 || slices.Index(out, "rest") != len(lines)-maxHeld {
		t.Errorf("%d lines out, rest at %d", len(out), slices.Index(out, "rest"))
	}
	huge := strings.Repeat("x", maxLine/2)
	if out := join("Nov 23 08:38:12 mx exim[7]: [1/9] "+huge, "Nov 23 08:38:12 mx exim[7]: [2/9] "+huge); len(out) != 1 {
		t.Errorf("a line without end is held")
	}
}
