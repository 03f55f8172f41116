package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"osm"
	"osm/action"
)

func (p *program) testAlert() *cobra.Command {
	c := &cobra.Command{
		Use:   "test-alert",
		Short: "Send a test alert by every way that the configuration names, and tell how it went",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			host := loaded.Alert.HostName()
			ways := loaded.Alert.Ways(host)
			if len(ways) == 0 {
				return errors.New("no way is configured: set alert.mail, alert.webhook, alert.chats or alert.run")
			}
			bad := false
			for _, w := range ways {
				alert := action.TestAlert(host, p.now())
				if err := w.Send(c.Context(), action.Letter{ID: alert.ID + "-" + w.Name, Alert: alert}); err != nil {
					bad = true
					fmt.Fprintf(p.out, "%-10s failed: %s\n", w.Name, osm.Printable(err.Error()))
				} else {
					fmt.Fprintf(p.out, "%-10s sent\n", w.Name)
				}
			}
			if bad {
				return errProblem
			}
			return nil
		},
	}
	p.configFlag(c)
	return c
}
