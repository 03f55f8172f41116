package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is what this binary says it is. Releases are built with -ldflags "-X main.release=1.2.3"; otherwise the
// commit is told, which Go notes by itself.
func versionText() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return vcsVersion(info.Settings)
}

// release is set by the linker only.
var release string

func vcsVersion(settings []debug.BuildSetting) string {
	version, changed := "unversioned", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			version = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	return version + changed
}

func (p *program) version() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return writeJSON(p.out, map[string]string{"version": versionText(), "go": runtime.Version()})
			}
			_, err := fmt.Fprintf(p.out, "osm %s (%s)\n", versionText(), runtime.Version())
			return err
		},
	}
	p.jsonFlag(c)
	return c
}
