package main

import (
	"context"
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"osm/config"
	service "osm/daemon"
	"osm/tail"
)

func (p *program) serve() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: follow the log and keep the history",
		Long: "Follows Exim's log, reads what was written while it was not running (rotated and compressed files too), and keeps\n" +
			"what it understands in the store. It runs until it is told to stop (SIGTERM, or Ctrl-C).",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			zone, err := loaded.Exim.Location()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(p.err, nil))
			d, err := service.New(loaded.Config, service.Options{
				Logger:  log,
				Version: versionText(),
				Zone:    zone,
				Start:   tail.StartOldest,
				Load:    p.load,
				Rules:   config.NewRuleFile(p.config),
				Ready:   func() { notify(log, daemon.SdNotifyReady) },
			})
			if err != nil {
				return err
			}
			return untilTold(d.Run(c.Context()), c.Context())
		},
	}
	p.configFlag(c)
	return c
}

// untilTold makes the end that a signal asked for a good one.
func untilTold(err error, ctx context.Context) error {
	if ctx.Err() != nil && err == context.Canceled {
		return nil
	}
	return err
}

// notify tells systemd, where it started the daemon.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd can't be told", "state", state, "error", err)
	}
}
