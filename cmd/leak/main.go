// Command leak measures how much spam a judge lets through and how much wanted mail it stops, in many simulated worlds,
// next to the fixed limits that others have. It is a tool for those who build osm and no part of what is installed.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"osm/sim"
)

// judge is a fixed limit, made anew for every world.
type judge struct {
	name string
	make func() sim.Decide
}

var limits = []judge{{"CSF 100/h", csf}, {"cPanel 500 recipients/h", cpanel}, {"HestiaCP 200/h", hestia},
	{"cPGuard-like 30/min 300/h", cpguard}}

// options are what the command line asks for.
type options struct {
	worlds, verbose     int
	seed                uint64
	base                sim.Config
	families, levels    []string
	only                bool // osm alone
	cold, extra         bool
	throughLog          bool
	binary, osmSettings string
	jobs                int
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak:", err)
		os.Exit(2)
	}
	for _, level := range o.levels {
		for _, family := range o.families {
			if err := report(o, level == "hard", family == "held"); err != nil {
				fmt.Fprintln(os.Stderr, "leak:", err)
				os.Exit(1)
			}
		}
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("leak", flag.ContinueOnError)
	f.IntVar(&o.worlds, "worlds", 12, "worlds of each level and family")
	f.IntVar(&o.verbose, "v", 0, "list that many of the worst campaigns and losses")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first world; the next ones follow")
	f.IntVar(&o.base.Accounts, "accounts", 0, "accounts of each server; 0 draws them")
	f.IntVar(&o.base.Days, "days", 0, "days of each world; 0 draws them")
	f.Float64Var(&o.base.Volume, "volume", 1, "scales campaigns and lists")
	f.BoolVar(&o.base.Geo, "geo", false, "messages carry country and ASN")
	f.BoolVar(&o.base.Panel, "panel", false, "a panel tells whose a login is")
	f.BoolVar(&o.base.LongIDs, "long-ids", false, "message ids of Exim 4.97 and later")
	f.StringVar(&o.base.Enron, "enron", "../shared/data/enron",
		"folder of the real histories; the model serves when it is missing")
	f.BoolVar(&o.only, "only", false, "osm alone, without the fixed limits")
	f.BoolVar(&o.cold, "cold", false, "no learning period: judge and count from the first message")
	f.BoolVar(&o.extra, "extra", false, "the campaign kinds beyond the bar too")
	f.BoolVar(&o.throughLog, "through-log", false, "write each world as a log and ask the program itself")
	f.StringVar(&o.binary, "osm", "bin/osm", "the program for -through-log")
	f.StringVar(&o.osmSettings, "config", "", "its configuration file for -through-log")
	f.IntVar(&o.jobs, "j", runtime.NumCPU(), "worlds at a time")
	style := f.String("style", "recommended", "what the log tells: recommended, cpanel, directadmin, debian, hestia")
	families := f.String("families", "build", "build, held or both with a comma; look at held only to report")
	levels := f.String("levels", "plain,hard", "plain, hard or both with a comma")
	named := f.String("kinds", "", "only these campaign kinds, each in every world (comma-separated)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.base.Style, err = sim.ParseStyle(*style); err != nil {
		return o, err
	}
	if *named != "" {
		o.base.Kinds = strings.Split(*named, ",")
	}
	for _, k := range o.base.Kinds {
		if !slices.Contains(sim.Kinds(true, true), k) {
			return o, fmt.Errorf("unknown campaign kind %q: want %v", k, sim.Kinds(true, true))
		}
	}
	if o.families, err = listed(*families, "build", "held"); err != nil {
		return o, err
	}
	if o.levels, err = listed(*levels, "plain", "hard"); err != nil {
		return o, err
	}
	if o.worlds < 1 || o.jobs < 1 {
		return o, fmt.Errorf("%d worlds, %d at a time: want at least 1", o.worlds, o.jobs)
	}
	return o, nil
}

// listed splits a list and checks its words.
func listed(list string, known ...string) ([]string, error) {
	words := strings.Split(list, ",")
	for _, w := range words {
		if !slices.Contains(known, w) {
			return nil, fmt.Errorf("unknown word %q: want %v", w, known)
		}
	}
	return words, nil
}

// report runs all worlds of one level and family and prints their tables.
func report(o options, hard, held bool) error {
	cfg := o.base
	cfg.Hard = hard
	if held {
		cfg.Family = sim.Held
	}
	if o.extra && cfg.Kinds == nil {
		cfg.Kinds = sim.Kinds(hard, true)
	}
	names := []string{"osm"}
	if !o.only && !o.throughLog {
		for _, l := range limits {
			names = append(names, l.name)
		}
	}
	scores, err := run(o, cfg, names)
	if err != nil {
		return err
	}
	level := "plain"
	if hard {
		level = "hard"
	}
	fmt.Printf("\n== %s worlds, %s family, %d of them ==\n\n", level, cfg.Family, o.worlds)
	printJudges(os.Stdout, names, scores)
	fmt.Println()
	printCampaigns(os.Stdout, scores["osm"])
	fmt.Println()
	printSenders(os.Stdout, scores["osm"])
	printMisread(os.Stdout, scores["osm"])
	if o.verbose > 0 {
		fmt.Println()
		printWorst(os.Stdout, scores["osm"], o.verbose)
	}
	return nil
}

// run shows every world to every judge, several worlds at a time.
func run(o options, cfg sim.Config, names []string) (map[string][]*score, error) {
	results := make([][]*score, o.worlds)
	errs := make([]error, o.worlds)
	next := make(chan int)
	var wait sync.WaitGroup
	for range o.jobs {
		wait.Go(func() {
			for i := range next {
				own := cfg
				own.Seed = o.seed + uint64(i)
				results[i], errs[i] = judgeAll(o, own, len(names) > 1)
			}
		})
	}
	show := terminal()
	for i := range o.worlds {
		if show {
			fmt.Fprintf(os.Stderr, "\rworld %d of %d ", i+1, o.worlds)
		}
		next <- i
	}
	close(next)
	wait.Wait()
	if show {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	scores := map[string][]*score{}
	for i := range results {
		if errs[i] != nil {
			return nil, errs[i]
		}
		for j, s := range results[i] {
			scores[names[j]] = append(scores[names[j]], s)
		}
	}
	return scores, nil
}

// terminal tells whether somebody watches.
func terminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// judgeAll shows one world to osm and, when wanted, to the fixed limits.
func judgeAll(o options, cfg sim.Config, all bool) ([]*score, error) {
	w := sim.New(cfg)
	learned := w.Config.Start
	if !o.cold {
		learned = learned.AddDate(0, 0, w.Config.Learn)
	}
	if o.throughLog {
		s, err := judgeLog(o, w, learned)
		return []*score{s}, err
	}
	scores := []*score{judgeWorld(w, learned, detector(learned), false)}
	if all {
		judges := make([]sim.Decide, len(limits))
		for i, l := range limits {
			judges[i] = l.make()
		}
		scores = append(scores, judgeArrivals(w, learned, judges)...)
	}
	for _, s := range scores {
		s.world = &sim.World{Config: w.Config, Campaigns: w.Campaigns, Senders: w.Senders} // without the plan
	}
	return scores, nil
}
