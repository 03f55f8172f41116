package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"osm/sim"
)

// interval is a share in percent with its 95 % confidence interval.
type interval struct{ mean, lo, hi float64 }

func (i interval) String() string { return fmt.Sprintf("%.3f [%.3f, %.3f]", i.mean, i.lo, i.hi) }

// bootstrap draws worlds with replacement: within a world nothing is independent.
func bootstrap(parts []counted) interval {
	share := func(next func(i int) counted) float64 {
		var sum counted
		for i := range parts {
			c := next(i)
			sum.all, sum.wrong = sum.all+c.all, sum.wrong+c.wrong
		}
		return sum.percent()
	}
	d := rand.New(rand.NewPCG(1, 2))
	draws := make([]float64, 2000)
	for n := range draws {
		draws[n] = share(func(int) counted { return parts[d.IntN(len(parts))] })
	}
	slices.Sort(draws)
	return interval{share(func(i int) counted { return parts[i] }), draws[len(draws)/40], draws[len(draws)-1-len(draws)/40]}
}

func each(scores []*score, part func(*score) counted) []counted {
	all := make([]counted, len(scores))
	for i, s := range scores {
		all[i] = part(s)
	}
	return all
}

// byCampaign is the mean of the campaigns' own shares, as if all were of one size: each counts 10,000.
func byCampaign(s *score) (sum counted) {
	for _, c := range s.campaigns {
		if c.recipients > 0 {
			sum.all, sum.wrong = sum.all+10000, sum.wrong+10000*c.through/c.recipients
		}
	}
	return sum
}

// printJudges is the table of all judges on the same worlds.
func printJudges(out io.Writer, names []string, scores map[string][]*score) {
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "judge\tleak % of spam recipients\tleak % a campaign\tham % of wanted recipients\t"+
		"of it senders misused\tham % while learning\t")
	for _, name := range names {
		s := scores[name]
		victims := each(s, func(s *score) counted { return counted{s.ham.all, s.victims.wrong} })
		fmt.Fprintf(t, "%s\t%v\t%v\t%v\t%v\t%v\t\n", name, bootstrap(each(s, func(s *score) counted { return s.spam })),
			bootstrap(each(s, byCampaign)), bootstrap(each(s, func(s *score) counted { return s.ham })), bootstrap(victims),
			bootstrap(each(s, func(s *score) counted { return s.learning })))
	}
	t.Flush()
}

// printCampaigns is one judge's table by kind of campaign.
func printCampaigns(out io.Writer, scores []*score) {
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "campaign\truns\trecipients\tthrough: median\tworst\tmessages: median\tworst\t"+
		"before the first stop: median\tleak %\ttime to stop\tnever\t")
	for _, k := range sim.Kinds(true, true) {
		var through, messages, before []int
		var after []time.Duration
		var sum counted
		never := 0
		for _, s := range scores {
			for i, c := range s.campaigns {
				if s.world.Campaigns[i].Kind != k || c.recipients == 0 {
					continue
				}
				through, before = append(through, c.through), append(before, c.before)
				messages = append(messages, c.messages)
				sum.all, sum.wrong = sum.all+c.recipients, sum.wrong+c.through
				if c.stopped {
					after = append(after, c.after)
				} else {
					never++
				}
			}
		}
		if len(through) == 0 {
			continue
		}
		stop := "-"
		if len(after) > 0 {
			stop = median(after).Round(time.Second).String()
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.2f\t%s\t%d\t\n", k, len(through), sum.all, median(through),
			slices.Max(through), median(messages), slices.Max(messages), median(before), sum.percent(), stop, never)
	}
	t.Flush()
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// printSenders is one judge's table of wanted mail by kind of sender, and of what is counted apart.
func printSenders(out io.Writer, scores []*score) {
	kinds, apart := map[string]counted{}, map[string]counted{}
	for _, s := range scores {
		sum(kinds, s.kinds)
		sum(apart, s.apart)
	}
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, part := range []struct {
		title string
		of    map[string]counted
	}{{"wanted", kinds}, {"counted apart", apart}} {
		fmt.Fprintf(t, "%s\trecipients\tstopped\t%%\t\n", part.title)
		for _, k := range slices.Sorted(maps.Keys(part.of)) {
			c := part.of[k]
			fmt.Fprintf(t, "%s\t%d\t%d\t%.3f\t\n", k, c.all, c.wrong, c.percent())
		}
	}
	t.Flush()
}

func sum(into, from map[string]counted) {
	for k, c := range from {
		was := into[k]
		into[k] = counted{was.all + c.all, was.wrong + c.wrong}
	}
}

// printWorst lists the campaigns that leaked most and the wanted senders that lost most, for whoever improves the
// judge.
func printWorst(out io.Writer, scores []*score, limit int) {
	type line struct {
		n    int
		text string
	}
	var spam, ham []line
	for _, s := range scores {
		seed := s.world.Config.Seed
		for i, c := range s.campaigns {
			w := s.world.Campaigns[i]
			spam = append(spam, line{c.through, fmt.Sprintf("%d of %d through, %d before the first stop after %v; %s; "+
				"world %d from %s; %s; %s",
				c.through, c.recipients, c.before, c.after.Round(time.Second), w.Kind, seed, w.Start.Format("01-02 15:04"),
				w.Note, clip(c.reason))})
		}
		for n, o := range s.senders {
			misused := ""
			if o.asCampaigns {
				misused = " (misused by a campaign)"
			}
			ham = append(ham, line{o.lost, fmt.Sprintf("%d of %d lost; %s%s %s; world %d from %s; %s",
				o.lost, o.all, o.kind, misused, s.world.Senders[n].Name, seed, o.first.Format("01-02 15:04"), clip(o.why))})
		}
	}
	for _, part := range []struct {
		title string
		lines []line
	}{{"Worst campaigns", spam}, {"Worst losses of wanted mail", ham}} {
		fmt.Fprintln(out, part.title)
		slices.SortStableFunc(part.lines, func(a, b line) int {
			return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text))
		})
		for _, l := range part.lines[:min(limit, len(part.lines))] {
			if l.n > 0 {
				fmt.Fprintln(out, "  "+l.text)
			}
		}
	}
}

func clip(s string) string {
	if s = strings.TrimSpace(s); len(s) > 140 {
		return s[:140] + "..."
	}
	return s
}

// printMisread lists what a program that read a log took for something else.
func printMisread(out io.Writer, scores []*score) {
	all := map[string]int{}
	for _, s := range scores {
		for what, n := range s.misread {
			all[what] += n
		}
	}
	for _, what := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(out, "misread: %s in %d messages\n", what, all[what])
	}
}
