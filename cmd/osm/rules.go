package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"osm"
	"osm/config"
	"osm/web"
)

func (p *program) rules() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "Show your rules and their hits, or try a change of them on the past",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := tell[web.OwnRules](c.Context(), p, http.MethodGet, "rules/own", nil)
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, all)
			}
			return p.printRules(&all)
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.AddCommand(p.tryRules())
	return c
}

func (p *program) printRules(all *web.OwnRules) error {
	if all.Problem != "" {
		fmt.Fprintln(p.err, "osm: "+printableLines(all.Problem))
	}
	if len(all.Rules) == 0 {
		_, err := fmt.Fprintln(p.out, "There are no rules of your own. The detection needs none.")
		return err
	}
	t := newTable("rule", "action", "state", ">hits", "since", "last", "where")
	for _, r := range all.Rules {
		state := "live"
		switch {
		case r.Off:
			state = "off"
		case r.Shadow:
			state = "shadow"
		}
		t.add(r.Name, r.Action.String(), state, number(int64(r.Stats.Hits)), dayTime(r.Stats.Since), dayTime(r.Stats.Last), r.Where)
	}
	return t.write(p.out, terminalWidth(p.out))
}

// dayTime is a time in the zone of who reads it, - for none.
func dayTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

func (p *program) tryRules() *cobra.Command {
	var change web.RuleChange
	c := &cobra.Command{
		Use:   "try [FILE]",
		Short: "Try rules on the history that the daemon keeps",
		Long: "Runs everything in the daemon's history through the live detection twice, with the rules in force and with those of FILE\n" +
			"(written as in rules.d; each takes the place of the one with its name), and tells which messages would newly be stopped\n" +
			"or no longer be stopped. The daemon does it beside its work; Ctrl-C cancels it. Nothing is changed.",
		Args: wants(0, 1, "name one file with [[rule]]"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, err := os.ReadFile(args[0])
				if err != nil {
					return usageError{err}
				}
				loaded, err := config.Parse(config.Source{Name: args[0], Text: text, Rules: true})
				if err != nil {
					return err
				}
				change.Rules = loaded.Rules
			}
			t, err := tell[web.Trial](c.Context(), p, http.MethodPost, "rules/trials", change)
			if err != nil {
				return err
			}
			return p.followTrial(c.Context(), t)
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.Flags().StringArrayVar(&change.Remove, "remove", nil, "try it without this rule")
	return c
}

// followTrial waits for a trial, with a bar on a terminal, and prints what it found.
func (p *program) followTrial(ctx context.Context, t web.Trial) (err error) {
	path, show := "rules/trials/"+url.PathEscape(t.ID), func(*web.Trial) {}
	if terminalWidth(p.err) > 0 {
		bar := progressbar.NewOptions(1000, progressbar.OptionSetWriter(p.err), progressbar.OptionSetDescription("trying"),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
		show = func(t *web.Trial) { bar.Set(int(10 * t.Percent)) } // a bar that can't be drawn is no reason to stop
		defer bar.Finish()
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for t.State == web.TrialRuns {
		select {
		case <-ctx.Done():
			_, err := tell[web.Trial](context.WithoutCancel(ctx), p, http.MethodDelete, path, nil)
			return err
		case <-tick.C:
		}
		if t, err = tell[web.Trial](ctx, p, http.MethodGet, path, nil); err != nil {
			return err
		}
		show(&t)
	}
	switch {
	case p.json:
		return writeJSON(p.out, t)
	case t.State == web.TrialFailed:
		return fmt.Errorf("the trial failed: %s", t.Problem)
	case t.State == web.TrialCancelled:
		_, err = fmt.Fprintln(p.out, "The trial was cancelled.")
		return err
	}
	return p.printTrial(&t)
}

func (p *program) printTrial(t *web.Trial) error {
	fmt.Fprintf(p.out, "%s messages: %s newly stopped, %s no longer stopped, %s stopped in another way.\n", number(t.Messages),
		number(t.Newly.Messages), number(t.NoLonger.Messages), number(t.Others))
	for _, part := range []struct {
		title string
		side  *web.TrialSide
	}{{"Newly stopped", &t.Newly}, {"No longer stopped", &t.NoLonger}} {
		if part.side.Messages == 0 {
			continue
		}
		n := &part.side.TrialCount
		fmt.Fprintf(p.out, "\n%s: %s messages to %s recipients; receivers took %s and refused %s, of %s nothing was heard; %s look wanted.\n", part.title,
			number(n.Messages), number(n.Recipients), number(n.Delivered), number(n.Refused), number(n.Unknown), number(n.Familiar))
		table := newTable("sender", "rule", ">messages", ">recipients", ">delivered", ">refused", ">look wanted", "a sample")
		for _, s := range part.side.Senders {
			sample := ""
			if len(s.Samples) > 0 {
				sample = s.Samples[0].ID + " " + s.Samples[0].Subject
			}
			table.add(s.Key.String(), s.Rule, number(s.Messages), number(s.Recipients), number(s.Delivered), number(s.Refused), number(s.Familiar), sample)
		}
		if err := table.write(p.out, terminalWidth(p.out)); err != nil {
			return err
		}
		if part.side.More > 0 {
			fmt.Fprintf(p.out, "and %d further senders\n", part.side.More)
		}
	}
	return nil
}

// ruleName is what an entry of the audit trail is about where it is not about a key.
func ruleName(rule string, key osm.Key) string {
	if rule != "" {
		return "rule " + rule
	}
	return key.String()
}
