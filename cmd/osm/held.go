package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/policy"
	"osm/web"
)

func (p *program) held() *cobra.Command {
	var by, state string
	var key []string
	var list bool
	samples := 0
	c := &cobra.Command{
		Use:   "held [ID]",
		Short: "Show held mail: whose it is, why, since when, and samples",
		Long: "Shows held mail by whom it is charged to, by sender, reason or age, or one message with all that is known of it. Samples show\n" +
			"headers and first lines with numbers, codes and links masked.",
		Args: wants(0, 1, "name one message, or none"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return p.heldOne(c, args[0])
			}
			query := url.Values{"by": {by}, "state": {state}, "samples": {strconv.Itoa(samples)}}
			if list {
				query.Set("list", "1000")
			}
			if err := setKey(query, key); err != nil {
				return err
			}
			h, err := tell[web.Held](c.Context(), p, http.MethodGet, "held?"+query.Encode(), nil)
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, h)
			}
			return p.writeHeld(&h, list)
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	f := c.Flags()
	f.StringVar(&by, "by", "key", "group by key (whom it is charged to), sender, reason or age")
	f.StringVar(&state, "state", "held", "held, releasing or deleting; released, deleted, expired or gone in the last day")
	f.StringSliceVar(&key, "key", nil, "only what is charged to KIND,VALUE, as in login,alice@example.org")
	f.BoolVar(&list, "list", false, "list the messages too")
	f.IntVar(&samples, "samples", 0, "show so many messages of each group, at most 3")
	return c
}

// setKey puts KIND,VALUE into a query.
func setKey(query url.Values, key []string) error {
	if len(key) == 0 {
		return nil
	}
	k, err := parseKey(key)
	query.Set("kind", k.Kind.String())
	query.Set("value", k.Value)
	return err
}

func parseKey(key []string) (k osm.Key, err error) {
	if len(key) != 2 {
		return k, wrongUsage("--key wants KIND,VALUE, as in login,alice@example.org")
	}
	if k.Kind, err = osm.ParseKeyKind(key[0]); err != nil {
		return k, usageError{err}
	}
	if k, err = policy.CheckKey(osm.Key{Kind: k.Kind, Value: key[1]}); err != nil {
		return k, usageError{err}
	}
	return k, nil
}

func (p *program) writeHeld(h *web.Held, list bool) error {
	now := p.now()
	if len(h.Groups) == 0 {
		_, err := fmt.Fprintln(p.out, "Nothing.")
		return err
	}
	t := newTable(h.By, ">messages", ">recipients", ">size", ">released by itself", "oldest", "newest")
	for _, g := range h.Groups {
		t.add(g.Name, number(g.Messages), number(g.Recipients), osm.ShortSize(g.Bytes), number(g.Automatic),
			since(g.Oldest, now), since(g.Newest, now))
	}
	if err := t.write(p.out, terminalWidth(p.out)); err != nil {
		return err
	}
	if h.More > 0 {
		fmt.Fprintf(p.out, "and %d more groups\n", h.More)
	}
	if h.Lost > 0 {
		fmt.Fprintf(p.out, "More is held than can be kept track of (hold.most): the rest is taken up when this has gone.\n")
	}
	for _, g := range h.Groups {
		for _, s := range g.Samples {
			fmt.Fprintf(p.out, "\n%s\n", osm.Printable(s.ID))
			writeSample(p, s.From, s.To, s.Subject, s.Lines)
		}
	}
	if !list {
		return nil
	}
	fmt.Fprintln(p.out)
	t = newTable("id", "since", "whom", "reason", "sender", ">recipients", "subject", "note")
	for _, m := range h.List {
		t.add(m.ID, since(m.Since, now), m.Key.String(), m.Detail, m.Sender, number(m.Recipients), m.Subject,
			strings.TrimSpace(m.By+" "+m.Error))
	}
	return t.write(p.out, terminalWidth(p.out))
}

func writeSample(p *program, from, to, subject string, lines []string) {
	for _, h := range [][2]string{{"From", from}, {"To", to}, {"Subject", subject}} {
		fmt.Fprintf(p.out, "    %s: %s\n", h[0], osm.Printable(h[1]))
	}
	for _, line := range lines {
		fmt.Fprintf(p.out, "    | %s\n", osm.Printable(line))
	}
}

// since is how long ago something was.
func since(t, now time.Time) string {
	if d := now.Sub(t); d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", int(now.Sub(t).Hours()/24))
}

func (p *program) heldOne(c *cobra.Command, id string) error {
	m, err := tell[web.HeldOne](c.Context(), p, http.MethodGet, "held/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	if p.json {
		return writeJSON(p.out, m)
	}
	for _, line := range [][2]string{{"message", m.ID}, {"state", strings.TrimSpace(m.State.String() + " " + m.By)},
		{"whom", m.Key.String()},
		{"verdict", m.Verdict}, {"why", m.Rule + ": " + m.Detail}, {"sender", m.Sender}, {"to", strings.Join(m.To, " ")},
		{"recipients", number(m.Recipients)}, {"size", osm.ShortSize(m.Size)}, {"since", m.Since.Local().Format(time.DateTime)},
		{"expires", m.Expires.Local().Format(time.DateTime)}, {"trouble", m.Error}, {"token", m.Token}} {
		if line[1] != "" {
			fmt.Fprintf(p.out, "%-11s %s\n", line[0], osm.Printable(line[1]))
		}
	}
	if s := m.Sample; s != nil {
		fmt.Fprintln(p.out)
		writeSample(p, s.From, s.To, s.Subject, s.Lines)
	}
	return nil
}

// heldOrder is osm release and osm delete.
func (p *program) heldOrder(what policy.What, short, long string) *cobra.Command {
	o := web.HeldOrder{What: what}
	var key []string
	var span string
	c := &cobra.Command{
		Use:   string(what) + " [ID...]",
		Short: short,
		Long:  long,
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) (err error) {
			o.IDs = args
			if len(key) > 0 {
				if o.Key, err = parseKey(key); err != nil {
					return err
				}
			}
			if len(args) == 0 && o.Verdict == "" && len(key) == 0 && !o.All && o.Token == "" {
				return wrongUsage("name messages by their ids, or with --verdict, --key or --all")
			}
			if span != "" {
				if o.For, err = osm.ParseDuration(span); err != nil {
					return usageError{err}
				}
			}
			a, err := tell[web.HeldAnswer](c.Context(), p, http.MethodPost, "held/"+string(what), o)
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, a)
			}
			return p.writeAnswer(&a)
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	f := c.Flags()
	f.StringVar(&o.Verdict, "verdict", "", "all that is held under a verdict, or in an incident")
	f.StringSliceVar(&key, "key", nil, "all that is charged to KIND,VALUE, as in login,alice@example.org")
	f.BoolVar(&o.All, "all", false, "all held mail")
	f.BoolVar(&o.DryRun, "dry-run", false, "only tell what would be done")
	f.StringVar(&o.Reason, "reason", "", "why, for the audit trail")
	if what == web.Delete {
		f.BoolVar(&o.Now, "now", false, "delete at once: it can't be taken back")
		return c
	}
	f.BoolVar(&o.Once, "allow-once", false, "and clear the score of whom it is charged to")
	f.BoolVar(&o.Allow, "allow", false, "and put whom it is charged to on the allow list")
	f.StringVar(&span, "for", "", "with --allow: how long, as in 24h or 30d (default for good)")
	f.StringVar(&o.Token, "token", "", "release the one message that a sender's link is for")
	return c
}

func (p *program) release() *cobra.Command {
	return p.heldOrder(web.Release, "Let held mail go out",
		"Releases held messages: Exim delivers them at once, or with its next queue run when there are many.")
}

func (p *program) deletion() *cobra.Command {
	return p.heldOrder(web.Delete, "Delete held mail",
		"Deletes held messages after a while (hold.grace), in which osm undo takes it back. Their senders are not told.")
}

func (p *program) writeAnswer(a *web.HeldAnswer) error {
	if a.Messages == 0 {
		_, err := fmt.Fprintln(p.out, "Nothing of that is held.")
		return err
	}
	verb, end := "", "."
	switch {
	case a.DryRun:
		verb = "would "
	case a.What == web.Delete && !a.Due.IsZero():
		end = " at " + a.Due.Local().Format(time.DateTime) + ". To take it back: osm undo " + a.Deed
	case a.Done < len(a.IDs):
		end = fmt.Sprintf(": %d of the first %d are done, the others are under way.", a.Done, len(a.IDs))
	}
	fmt.Fprintf(p.out, "%s%s %s to %s%s\n", verb, a.What, osm.Count(a.Messages, "message"), osm.Count(a.Recipients, "recipient"), end)
	for _, text := range a.Failed {
		fmt.Fprintln(p.out, "failed:", osm.Printable(text))
	}
	for _, d := range a.More {
		fmt.Fprintln(p.out, osm.Printable(deedText(d)))
	}
	if len(a.Failed) > 0 {
		return fmt.Errorf("%d messages could not be changed", len(a.Failed))
	}
	return nil
}
