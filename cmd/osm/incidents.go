package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"osm/daemon"
	"osm/incident"
	"osm/store"
)

func (p *program) incidents() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "incidents",
		Short: "List what was found: one line for each sender and kind of attack",
		Long:  "Lists the incidents that are not over, the latest first; with --all those that are closed too.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := ask(c.Context(), p, loadIncidents)
			if err != nil {
				return err
			}
			over := 0
			if !all {
				over = len(list)
				list = slices.DeleteFunc(list, func(i *incident.Incident) bool { return !i.Live() })
				over -= len(list)
			}
			if p.json {
				return writeJSON(p.out, append([]*incident.Incident{}, list...))
			}
			if len(list) == 0 {
				said := "No incidents."
				if over > 0 {
					said = fmt.Sprintf("No incident is open. %d closed: osm incidents --all", over)
				}
				_, err := fmt.Fprintln(p.out, said)
				return err
			}
			t := newTable("id", "state", "who", "what", "since", "latest", ">messages", ">recipients", "why")
			for _, i := range list {
				t.add(i.ID, string(i.State), i.Key.String(), i.Rule, i.Opened.Local().Format(time.DateTime),
					i.Updated.Local().Format(time.DateTime), number(i.Messages), number(i.Recipients), i.Detail)
			}
			return t.write(p.out, terminalWidth(p.out))
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.Flags().BoolVar(&all, "all", false, "closed incidents too")
	return c
}

func loadIncidents(ctx context.Context, r *store.Reader) ([]*incident.Incident, error) {
	var list []*incident.Incident
	err := r.LoadState(ctx, daemon.IncidentState, func(key string, blob []byte) error {
		i := new(incident.Incident)
		if err := json.Unmarshal(blob, i); err != nil {
			return fmt.Errorf("read %s from the store: %w", key, err)
		}
		list = append(list, i)
		return nil
	})
	incident.Sort(list)
	return list, err
}
