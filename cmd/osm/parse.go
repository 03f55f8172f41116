package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"osm/exim"
	"osm/tail"
)

func (p *program) parse() *cobra.Command {
	c := &cobra.Command{
		Use:   "parse LOG...",
		Short: "Print every line of logs as JSON: what osm understands of it",
		Long: "Writes one JSON object for each line, with at least time, kind and, if the line has one, the message id. Compressed\n" +
			"logs are read as they are, the files of one rotation in their order; - is the standard input.",
		Example: "  osm parse /var/log/exim4/mainlog | grep '\"kind\":\"unknown\"'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			zone, err := loaded.Exim.Location()
			if err != nil {
				return err
			}
			reader, err := tail.Read(args, tail.ReadOptions{Stdin: p.in})
			if err != nil {
				return err
			}
			out := bufio.NewWriterSize(p.out, 1<<20)
			parser, entry := exim.NewParser(zone), exim.Entry{}
			var damaged error
			for chunk, err := range reader.Chunks(c.Context()) {
				if err != nil {
					damaged = errors.Join(damaged, err)
					continue
				}
				if err := writeEntries(out, parser, &entry, chunk); err != nil {
					return fmt.Errorf("write what was parsed: %w", err)
				}
			}
			return errors.Join(damaged, out.Flush())
		},
	}
	p.configFlag(c)
	return c
}
