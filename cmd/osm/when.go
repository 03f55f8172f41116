package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
)

// span is what --since and --until give.
type span struct {
	since, until string
}

// flags gives a command --since and --until. With no default everything is meant.
func (s *span) flags(c *cobra.Command, since string) {
	c.Flags().StringVar(&s.since, "since", since, "from when: a span before now (24h, 7d) or a time (2026-11-23, \"2026-11-23 14:30\")")
	c.Flags().StringVar(&s.until, "until", "", "up to when, in the same way (default now)")
}

// times reads both. A zero time means that there is no such limit.
func (s *span) times(now time.Time) (since, until time.Time, err error) {
	if since, err = moment("--since", s.since, now); err != nil {
		return since, until, err
	}
	if until, err = moment("--until", s.until, now); err != nil {
		return since, until, err
	}
	if !until.IsZero() && !since.Before(until) {
		return since, until, wrongUsage("--since %s is not before --until %s", s.since, s.until)
	}
	return since, until, nil
}

// layouts are the ways to write a time; those without a zone are in now's.
var layouts = [...]string{time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}

func moment(flag, text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := osm.ParseDuration(text); err == nil {
		return now.Add(-time.Duration(d)), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, wrongUsage("%s %q is neither a span such as 24h or 7d nor a time such as 2026-11-23 or \"2026-11-23 14:30\"",
		flag, text)
}
