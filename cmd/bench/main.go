// Command bench measures osm beside what it is to be compared with (eximstats, a bare echo server, Exim that asks nobody) and
// prints ratios: they tell more than seconds do on a machine that others use too. What is compared takes turns, and the
// median of the rounds counts. It judges nothing: the bars stand beside the figures.
//
//	bench [flags] [PART...]    without parts: all but the peers
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"osm/sim"
)

// options say what is measured.
type options struct {
	lines  int
	style  sim.Style // of the log
	rounds int
	osm    string // the program
	peers  bool

	messages, days int    // of the history that pages are measured with
	keep           string // folder in which that history stays for the next time; "": it goes
}

// part is something that can be measured by itself.
type part struct {
	name, about string
	run         func(*bench, context.Context) error
}

// parts are in the order in which they are measured. Those without run are measured together, against eximstats.
var parts = []part{
	{"parse", "the log's lines, one core, no store", nil},
	{"tie", "parse, tie together and classify on all cores, no store", nil},
	{"replay", "osm replay --json", nil},
	{"serve", "osm serve catching up into its store", nil},
	{"idle", "memory of a daemon with nothing to do", (*bench).idle},
	{"memory", "memory with ever more senders, addresses and ids", (*bench).memory},
	{"socket", "verdicts over the policy socket beside a bare echo server", (*bench).socket},
	{"exim", "Exim asking osm, asking a bare echo server, asking nobody", (*bench).exim},
	{"gateway", "messages through the gateway beside the sink alone and a plain relay, idle connections, DNSBLs from memory", (*bench).gateway},
	{"web", "pages and API with a large history, viewers of the live feed", (*bench).web},
	{"peers", "other policy servers, as far as they are installed", (*bench).others},
}

func main() {
	o := options{style: sim.CPanel}
	flag.IntVar(&o.lines, "lines", 1_000_000, "lines of the log")
	flag.Func("style", "log_selector of that log: recommended, cpanel (unless told), directadmin, debian, hestia", func(name string) (err error) {
		o.style, err = sim.ParseStyle(name)
		return err
	})
	flag.IntVar(&o.messages, "messages", 1_000_000, "messages of the history that pages are measured with, at least; the bar is for 10000000: ten minutes and 6 GB more")
	flag.IntVar(&o.days, "days", filledDays, "days of that history")
	flag.StringVar(&o.keep, "history", "", "folder in which that history stays for the next time")
	flag.IntVar(&o.rounds, "rounds", 3, "turns of each measurement")
	flag.StringVar(&o.osm, "osm", "bin/osm", "the osm program")
	flag.BoolVar(&o.peers, "peers", false, "measure other policy servers too, as far as they are installed (postfwd, policyd-rate-limit)")
	echo := flag.String("echo", "", "be the bare echo server on this socket")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [flags] [PART...]")
		for _, p := range parts {
			fmt.Fprintf(flag.CommandLine.Output(), "  %-10s %s\n", p.name, p.about)
		}
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := error(nil)
	if *echo != "" {
		err = serveEcho(ctx, *echo)
	} else {
		err = o.run(ctx, os.Stdout, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// chosen are the parts that were named; all but the peers when none was.
func (o options) chosen(names []string) ([]part, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.name == "peers" && !o.peers }), nil
	}
	var some []part
	for _, name := range names {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q: see bench -h", name)
		}
		some = append(some, parts[i])
	}
	return some, nil
}

func (o options) run(ctx context.Context, out io.Writer, names []string) (err error) {
	some, err := o.chosen(names)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "osm-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // Exim's user comes to the sockets
		return err
	}
	if o.osm, err = filepath.Abs(o.osm); err != nil {
		return err
	}
	b := bench{options: o, dir: dir}
	fmt.Fprintln(out, machine())
	var beside []string
	for _, p := range some {
		if p.run == nil {
			beside = append(beside, p.name)
		}
	}
	if len(beside) > 0 {
		if err := b.logs(ctx, beside); err != nil {
			return err
		}
	}
	for _, p := range some {
		if p.run == nil {
			continue
		}
		if err := p.run(&b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if b.log != nil {
		fmt.Fprintf(out, "log: %d lines, %d messages, %.1f MB, simulated\n", b.log.lines, b.log.messages, float64(b.log.bytes)/1e6)
	}
	fmt.Fprintln(out)
	b.table.print(out)
	fmt.Fprintln(out, "\nload at the end: "+load())
	if len(b.notes) > 0 {
		fmt.Fprintln(out, strings.Join(b.notes, "\n"))
	}
	return nil
}
