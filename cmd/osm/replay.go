package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"osm"
	"osm/config"
	"osm/daemon"
	"osm/panel"
	"osm/store"
)

func (p *program) replay() *cobra.Command {
	var when span
	var compare string
	var learn bool
	c := &cobra.Command{
		Use:   "replay LOG...",
		Short: "Show what would have been stopped in old logs",
		Long: "Runs old logs (rotated and compressed ones too; - is standard input) through the same rules and the same detection\n" +
			"as the daemon's, in time order, and tells who would have been stopped, when, why and what of it looks wanted.\n" +
			"With --json it writes one object for every arriving message. Nothing is changed, unless --learn asks for it.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			since, until, err := when.times(p.now())
			if err != nil {
				return err
			}
			loaded, err := p.load()
			if err != nil {
				return err
			}
			zone, err := loaded.Exim.Location()
			if err != nil {
				return err
			}
			r := replaying{program: p, cfg: loaded.Config, since: since, until: until, summary: daemon.NewSummary()}
			r.options = daemon.ReplayOptions{Paths: args, Stdin: p.in, Panel: panel.Open(loaded.Panel, "/", p.now()), Zone: zone}
			if compare != "" {
				other, err := config.Load(compare)
				if err != nil {
					return err
				}
				r.compare(&other.Config)
			}
			if learn {
				return r.learn(c.Context())
			}
			return r.run(c.Context())
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	when.flags(c, "")
	c.Flags().StringVar(&compare, "compare", "", "another configuration file: tell what it would decide otherwise")
	c.Flags().BoolVar(&learn, "learn", false, "keep what the detection learns of each sender's habits (the daemon must not be running)")
	return c
}

// replaying is one run of the command.
type replaying struct {
	*program
	cfg          config.Config
	options      daemon.ReplayOptions
	since, until time.Time
	summary      *daemon.Summary
	other        *differences
}

func (r *replaying) wanted(m *osm.Message) bool {
	return !m.Time.Before(r.since) && (r.until.IsZero() || m.Time.Before(r.until))
}

func (r *replaying) run(ctx context.Context) error {
	out := bufio.NewWriterSize(r.out, 256<<10)
	r.options.Message = func(m *osm.Message) {
		switch {
		case !r.wanted(m):
		case r.json && r.other == nil:
			out.Write(daemon.AppendVerdict(out.AvailableBuffer(), m)) // its error comes with Flush
		default:
			r.summary.Add(m)
		}
	}
	finish := r.progress()
	err := daemon.Replay(ctx, r.cfg, r.options)
	finish()
	if flushed := out.Flush(); flushed != nil {
		return errors.Join(flushed, err)
	}
	switch {
	case r.other != nil:
		return errors.Join(r.other.print(r.program, r.summary), err)
	case !r.json:
		return errors.Join(printSummary(r.program, r.summary), err)
	}
	return err
}

// progress shows a bar on a terminal while the logs are read.
func (r *replaying) progress() (finish func()) {
	if terminalWidth(r.err) == 0 {
		return func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(r.err), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("reading"), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	r.options.Progress = func(done, total int64) {
		if total > 0 {
			bar.ChangeMax64(total)
		}
		bar.Set64(done) // a bar that can't be drawn is no reason to stop
	}
	return func() { bar.Finish() }
}

// learn replays and keeps what the detection knows in the end.
func (r *replaying) learn(ctx context.Context) (err error) {
	history, err := store.Open(r.cfg.Store, r.now(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	r.options.Learned = func(key string, blob []byte) {
		history.SaveState(daemon.DetectState+key, append([]byte(nil), blob...))
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	positions, err := history.Positions()
	if err != nil {
		return err
	}
	return history.Flush(r.now(), positions)
}

func (r *replaying) compare(other *config.Config) {
	r.other = &differences{lost: daemon.NewSummary(), gained: daemon.NewSummary()}
	r.options.Compare = other
	r.options.Difference = func(before, after *osm.Message) {
		if r.wanted(before) {
			r.other.add(before, after)
		}
	}
}

// differences are the messages that only one of two configurations would have stopped.
type differences struct {
	lost, gained *daemon.Summary
	changed      int64 // stopped by both, in another way
}

func (d *differences) add(before, after *osm.Message) {
	switch {
	case before.Verdict.Stops() && !after.Verdict.Stops():
		d.lost.Add(before)
	case !before.Verdict.Stops() && after.Verdict.Stops():
		d.gained.Add(after)
	default:
		d.changed++
	}
}

func (d *differences) print(p *program, all *daemon.Summary) error {
	if p.json {
		return writeJSON(p.out, map[string]any{"messages": all.Messages, "no_longer_stopped": d.lost, "newly_stopped": d.gained,
			"stopped_otherwise": d.changed})
	}
	fmt.Fprintf(p.out, "%s messages: %s no longer stopped, %s newly stopped, %s stopped in another way.\n",
		number(all.Messages), number(d.lost.Messages), number(d.gained.Messages), number(d.changed))
	for _, part := range []struct {
		title string
		s     *daemon.Summary
	}{{"No longer stopped", d.lost}, {"Newly stopped", d.gained}} {
		if part.s.Messages > 0 {
			fmt.Fprintf(p.out, "\n%s:\n", part.title)
			if err := printStopped(p, part.s.Worst()); err != nil {
				return err
			}
		}
	}
	return nil
}

func printSummary(p *program, s *daemon.Summary) error {
	if s.Messages == 0 {
		_, err := fmt.Fprintln(p.out, "No message arrived in these logs.")
		return err
	}
	const layout = "2006-01-02 15:04:05"
	fmt.Fprintf(p.out, "%s to %s: %s messages to %s recipients", s.First.Format(layout), s.Last.Format(layout),
		number(s.Messages), number(s.Recipients))
	var classes []string
	for _, c := range osm.Classes() {
		if n := s.Classes[c.String()]; n > 0 {
			classes = append(classes, fmt.Sprintf("%s %s", c, number(n)))
		}
	}
	fmt.Fprintf(p.out, " (%s)\n", strings.Join(classes, ", "))
	if len(s.Stopped) == 0 {
		_, err := fmt.Fprintln(p.out, "Nothing would have been stopped.")
		return err
	}
	fmt.Fprintln(p.out, "\nWould have been stopped:")
	if err := printStopped(p, s.Worst()); err != nil {
		return err
	}
	if s.More > 0 {
		fmt.Fprintf(p.out, "and %s messages of further senders\n", number(s.More))
	}
	return nil
}

// printStopped prints a table of senders and, below, why each was stopped and a few messages.
func printStopped(p *program, list []*daemon.Stopped) error {
	const layout = "Jan 02 15:04:05"
	t := newTable("SENDER", "RULE", "ACTION", "FROM", "TO", ">MESSAGES", ">RECIPIENTS", ">LOOK WANTED", "WHY")
	for _, s := range list {
		action := s.Action.String()
		if s.Shadow {
			action += " (shadow)"
		}
		t.add(s.Key, s.Rule, action, s.First.Format(layout), s.Last.Format(layout), number(s.Messages), number(s.Recipients),
			number(s.Familiar), s.Detail)
	}
	if err := t.write(p.out, terminalWidth(p.out)); err != nil {
		return err
	}
	for _, s := range list {
		fmt.Fprintf(p.out, "\n%s, verdict %s\n", osm.Printable(s.Key), s.Verdict)
		for _, m := range s.Samples {
			fmt.Fprintf(p.out, "  %s  %s  %s -> %s", m.Time.Format(layout), osm.Printable(m.ID), osm.Printable(m.Sender), osm.Printable(m.Recipient))
			if m.Recipients > 1 {
				fmt.Fprintf(p.out, " and %d more", m.Recipients-1)
			}
			fmt.Fprintf(p.out, "  %s\n", osm.Printable(m.Subject))
		}
	}
	return nil
}
