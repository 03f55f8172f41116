package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/config"
	"osm/daemon"
	"osm/web"
)

func (p *program) doctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what is found, readable, missing or stale, and what to do about it",
		Long: "Looks at the configuration, Exim, its log, the history and the daemon. Nothing is changed. The exit status is 1 when\n" +
			"there is a problem.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			findings := append(daemon.Examine(ctx, loaded, p.now()), p.askDaemon(ctx, loaded)...)
			if err := p.showFindings(findings); err != nil {
				return err
			}
			for _, f := range findings {
				if f.State == web.Problem {
					return errProblem
				}
			}
			return nil
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func (p *program) showFindings(all []web.Finding) error {
	if p.json {
		return writeJSON(p.out, all)
	}
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%-8s %s: %s\n", f.State, f.About, osm.Printable(f.Text))
		for _, line := range f.Lines {
			fmt.Fprintf(&b, "           | %s\n", osm.Printable(line))
		}
		if f.Do != "" {
			fmt.Fprintf(&b, "           %s\n", osm.Printable(f.Do))
		}
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

// askDaemon asks the running daemon how it is.
func (p *program) askDaemon(ctx context.Context, loaded *config.Loaded) []web.Finding {
	status, err := tell[web.Status](ctx, p, http.MethodGet, "status", nil)
	if err != nil {
		return []web.Finding{{About: "daemon", State: web.Notice, Do: "start it: systemctl start osm, or osm serve", Text: err.Error()}}
	}
	answers := web.Finding{About: "daemon", State: web.Good, Text: "answers on " + loaded.Control.Socket}
	return append([]web.Finding{answers}, daemon.ExamineStatus(&status, daemon.Hooked(loaded))...)
}
