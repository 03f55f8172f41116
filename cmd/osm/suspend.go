package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/action"
	"osm/policy"
	"osm/web"
)

func (p *program) suspend() *cobra.Command {
	c, o := p.suspendOrder(web.Suspend, "Stop a sender: by the block list, the hosting panel or a command of yours")
	var span string
	var with []string
	f := c.Flags()
	f.StringVar(&span, "for", "", "how long, as in 24h or 30d (default until osm resume)")
	f.StringSliceVar(&with, "with", nil, "list, panel, command (default action.with)")
	inner := c.RunE
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if span != "" {
			if o.For, err = osm.ParseDuration(span); err != nil {
				return usageError{err}
			}
		}
		for _, m := range with {
			o.With = append(o.With, action.Means(m))
		}
		return inner(c, args)
	}
	return c
}

func (p *program) resume() *cobra.Command {
	c, _ := p.suspendOrder(web.Resume, "End the suspension of a sender")
	return c
}

// suspendOrder is what osm suspend and osm resume have in common.
func (p *program) suspendOrder(what policy.What, short string) (*cobra.Command, *web.SuspendOrder) {
	o := &web.SuspendOrder{What: what}
	c := &cobra.Command{
		Use:   string(what) + " KIND VALUE",
		Short: short,
		Long:  short + ".\nKIND is one of " + kinds() + ".",
		Args:  wants(2, 2, "name the kind and the value, as in: login alice@example.org"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Key, err = parseKey(args); err != nil {
				return err
			}
			a, err := tell[web.SuspendAnswer](c.Context(), p, http.MethodPost, "suspensions", o)
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, a)
			}
			for _, step := range a.Steps {
				if a.DryRun {
					step = "would: " + step
				}
				fmt.Fprintln(p.out, osm.Printable(step))
			}
			for _, d := range a.Deeds {
				text := deedText(d)
				if d.What == web.Suspend {
					text += ". To take it back: osm undo " + d.ID
				}
				fmt.Fprintln(p.out, osm.Printable(text))
			}
			return nil
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.Flags().StringVar(&o.Reason, "reason", "", "why, for the audit trail and for whoever is refused")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "only tell what would be done")
	return c, o
}

func (p *program) suspended() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "suspended",
		Short: "Show who is suspended by the panel or a command, and how that went",
		Long:  "Shows who is suspended by the panel or a command, and how that went; with --all also who was. Block-list entries are shown by osm lists.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := tell[[]action.Suspension](c.Context(), p, http.MethodGet, "suspensions", nil)
			if err != nil {
				return err
			}
			shown := []action.Suspension{}
			for _, s := range list {
				if all || s.Live() || s.State == action.Failed {
					shown = append(shown, s)
				}
			}
			if p.json {
				return writeJSON(p.out, shown)
			}
			t := newTable("id", "whom", "by", "state", "since", "until", "ordered by", "trouble")
			for _, s := range shown {
				until := "osm resume"
				if !s.Until.IsZero() {
					until = s.Until.Local().Format(time.DateTime)
				}
				t.add(s.ID, s.Subject.Key.String(), string(s.Means), string(s.State),
					s.Since.Local().Format(time.DateTime), until, s.By, s.Error)
			}
			return t.write(p.out, terminalWidth(p.out))
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.Flags().BoolVar(&all, "all", false, "ended ones too")
	return c
}
