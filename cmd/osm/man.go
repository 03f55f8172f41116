package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *program) man() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages into a folder",
		Args:  wants(1, 1, "name the folder to write into"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder for manual pages: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			unborn := time.Unix(0, 0).UTC() // the same binary writes the same pages
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "osm", Manual: "osm", Date: &unborn}, args[0])
		},
	}
}
