// Command bench measures osm beside eximstats, on one simulated log, and prints ratios: they tell more than seconds do on a
// machine that others use too. The two take turns, and the median of the rounds counts.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// options say what is measured.
type options struct {
	lines  int
	rounds int
	osm    string // the program
}

func main() {
	var o options
	flag.IntVar(&o.lines, "lines", 1_000_000, "lines of the log")
	flag.IntVar(&o.rounds, "rounds", 3, "turns of each measurement")
	flag.StringVar(&o.osm, "osm", "bin/osm", "the osm program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "osm-bench")
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.RemoveAll(dir); err == nil {
			err = removed
		}
	}()
	fmt.Fprintln(out, machine())
	log, err := makeLog(filepath.Join(dir, "mainlog"), o.lines)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "log: %d lines, %d messages, %.1f MB, simulated\n\n", log.lines, log.messages, float64(log.bytes)/1e6)

	b := bench{options: o, dir: dir, log: log}
	works := []work{
		{"eximstats", b.eximstats, ""},
		{"parse, one core", b.parse, ""},
		{"parse, tie, classify", b.tie, "30"},
		{"osm replay --json", b.replay, "25"},
		{"osm serve catching up", b.serve, ""},
	}
	times := make([][]time.Duration, len(works))
	for range o.rounds {
		for i, w := range works {
			took, err := w.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			times[i] = append(times[i], took)
		}
	}
	b.print(out, works, times)
	return b.memory(ctx, out)
}

// work is one thing that is measured.
type work struct {
	name string
	run  func(context.Context) (time.Duration, error)
	bar  string // times eximstats, as the design asks
}

func (b *bench) print(out io.Writer, works []work, times [][]time.Duration) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tseconds\tlines/s\tMB/s\ttimes eximstats\tbar\t")
	base := median(times[0]).Seconds()
	for i, w := range works {
		s := median(times[i]).Seconds()
		fmt.Fprintf(t, "%s\t%.2f\t%.0f\t%.0f\t%.1f\t%s\t\n", w.name, s, float64(b.log.lines)/s, float64(b.log.bytes)/s/1e6,
			base/s, w.bar)
	}
	t.Flush() // to a terminal or a file: an error shows in what is missing
	fmt.Fprintf(out, "\nhistory: %.0f bytes a message, %.2f of the raw log (bar 0.6)\n", float64(b.stored)/float64(b.log.messages),
		float64(b.stored)/float64(b.log.bytes))
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// machine names the machine and how busy it is: the figures mean little without.
func machine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "a machine"
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("unknown")
	}
	return fmt.Sprintf("%s, %d cores, %s, load %s, %s", name, runtime.NumCPU(), processor(), strings.TrimSpace(string(load)),
		runtime.Version())
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
