package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one figure.
type row struct {
	what     string
	measured string
	than     string // what the ratio is to, with its own figure
	ratio    string
	bar      string // what the design asks
}

type table []row

func (t *table) add(r row) { *t = append(*t, r) }

func (t table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\tcompared with\tratio\tbar")
	for _, r := range t {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.what, r.measured, cmp.Or(r.than, "-"), cmp.Or(r.ratio, "-"), cmp.Or(r.bar, "-"))
	}
	w.Flush() // to a terminal or a file: an error shows in what is missing
}

func median[T cmp.Ordered](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// ratios are those of two figures that took turns, round by round.
func ratios(a, b []float64) []float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i] / b[i]
	}
	return all
}

// machine names the machine and how busy it is: the figures mean little without.
func machine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "a machine"
	}
	return fmt.Sprintf("%s: %d cores, %s, %s\nload at the start: %s", name, runtime.NumCPU(), processor(), runtime.Version(), load())
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(len(fields), 3)], " ") + " (1, 5 and 15 minutes)"
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
