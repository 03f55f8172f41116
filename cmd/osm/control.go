package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/config"
	"osm/policy"
	"osm/web"
)

// tell asks the running daemon something, or to do something, over its control socket.
func tell[T any](ctx context.Context, p *program, method, path string, body any) (answer T, err error) {
	loaded, err := p.load()
	if err != nil {
		return answer, err
	}
	socket := loaded.Control.Socket
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	text, err := json.Marshal(body)
	if err != nil {
		return answer, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://osm/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return answer, err
	}
	response, err := client.Do(request)
	if err != nil {
		return answer, fmt.Errorf("ask the daemon on %s (is osm serve running, and are you root?): %w", socket, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var refused struct{ Detail string } // RFC 9457
		if json.NewDecoder(response.Body).Decode(&refused) != nil || refused.Detail == "" {
			return answer, fmt.Errorf("ask the daemon: it answered %s", response.Status)
		}
		return answer, errors.New(refused.Detail)
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return answer, nil
}

// kinds are the words that name what is listed.
func kinds() string {
	var all []string
	for k := osm.KeyAccount; k <= osm.KeyHost; k++ {
		all = append(all, k.String())
	}
	return strings.Join(all, ", ")
}

// order is a command that changes the lists or forgives a sender.
func (p *program) order(what policy.What, use, short string) *cobra.Command {
	o := web.Order{What: what}
	var span string
	c := &cobra.Command{
		Use:   use + " KIND VALUE",
		Short: short,
		Long:  short + ".\nKIND is one of " + kinds() + ".",
		Args:  wants(2, 2, "name the kind and the value, as in: login alice@example.org"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Key.Kind, err = osm.ParseKeyKind(args[0]); err != nil {
				return usageError{err}
			}
			if o.Key, err = policy.CheckKey(osm.Key{Kind: o.Key.Kind, Value: args[1]}); err != nil {
				return usageError{err}
			}
			if span != "" {
				if o.For, err = osm.ParseDuration(span); err != nil {
					return usageError{err}
				}
			}
			d, err := tell[policy.Deed](c.Context(), p, http.MethodPost, "orders", o)
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, d)
			}
			_, err = fmt.Fprintln(p.out, osm.Printable(deedText(d)))
			return err
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.Flags().StringVar(&o.Reason, "reason", "", "why, for the audit trail and for whoever is refused")
	if what == policy.Block || what == policy.Allow {
		c.Flags().StringVar(&span, "for", "", "how long, as in 24h or 30d (default for good)")
	}
	return c
}

// deedText is a deed in one line.
func deedText(d policy.Deed) string {
	text := fmt.Sprintf("%s: %s %s", d.ID, d.What, ruleName(d.Rule, d.Key))
	if !d.Until.IsZero() {
		text += " until " + d.Until.Local().Format(time.DateTime)
	}
	if d.Undoes != "" {
		text += " (takes back " + d.Undoes + ")"
	}
	if d.Before != nil || d.After != nil {
		text += ". To take it back: osm undo " + d.ID
	}
	return text
}

func (p *program) lists() *cobra.Command {
	c := &cobra.Command{
		Use:   "lists",
		Short: "Show the block and allow lists",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			entries, err := tell[[]policy.Entry](c.Context(), p, http.MethodGet, "lists", nil)
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, entries)
			}
			t := newTable("list", "kind", "value", "until", "by", "since", "reason")
			for _, e := range entries {
				list, until := "block", "for good"
				if e.Allow {
					list = "allow"
				}
				if !e.Until.IsZero() {
					until = e.Until.Local().Format(time.DateTime)
				}
				t.add(list, e.Key.Kind.String(), e.Key.Value, until, e.By, e.Added.Local().Format(time.DateTime), e.Reason)
			}
			return t.write(p.out, terminalWidth(p.out))
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func (p *program) audit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what, and when",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			audit, err := tell[web.Audit](c.Context(), p, http.MethodGet, "audit", nil)
			if err != nil {
				return err
			}
			deeds := audit.Deeds
			if p.json {
				return writeJSON(p.out, deeds)
			}
			t := newTable("id", "time", "by", "what", "whom", "reason", "")
			for _, d := range deeds {
				note := ""
				switch {
				case d.Undone != "":
					note = "taken back by " + d.Undone
				case d.Undoes != "":
					note = "takes back " + d.Undoes
				}
				t.add(d.ID, d.Time.Local().Format(time.DateTime), d.By, string(d.What), ruleName(d.Rule, d.Key), d.Reason, note)
			}
			return t.write(p.out, terminalWidth(p.out))
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func (p *program) undo() *cobra.Command {
	c := &cobra.Command{
		Use:   "undo ID",
		Short: "Take back a change of the lists",
		Args:  wants(1, 1, "name the id of a change, as osm audit shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := tell[policy.Deed](c.Context(), p, http.MethodPost, "audit/"+url.PathEscape(args[0])+"/undo", nil)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.out, osm.Printable(deedText(d)))
			return err
		},
	}
	p.configFlag(c)
	return c
}

func (p *program) reload() *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "Make the running daemon read its configuration again",
		Long: "Makes the running daemon read its configuration again. Rules, alerts, actions, checks, held mail, the detection's thresholds and weights,\n" +
			"how much history is kept and policy.mode change at once, and nothing that was counted or learned is lost; what needs a restart is\n" +
			"named. A file with a mistake changes nothing.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := tell[web.Reloaded](c.Context(), p, http.MethodPost, "reload", nil)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "%s: in force now: %s", config.FilesText(r.Files), listText(r.Changed))
			if len(r.Restart) > 0 {
				fmt.Fprintf(p.out, "; needs a restart: %s", listText(r.Restart))
			}
			_, err = fmt.Fprintln(p.out)
			return err
		},
	}
	p.configFlag(c)
	return c
}

func listText(names []string) string {
	if len(names) == 0 {
		return "nothing new"
	}
	return strings.Join(names, ", ")
}
