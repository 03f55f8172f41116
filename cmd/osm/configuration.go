package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"osm"
	"osm/config"
)

func (p *program) configuration() *cobra.Command {
	return family("config", "Check and explain the configuration", p.configCheck(), p.configDefaults(), p.configExplain())
}

func (p *program) configCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell everything that is wrong in the configuration",
		Long: "Reads the file (default " + config.DefaultPath + ") and rules.d/*.toml beside it, as the daemon would, and tells every\n" +
			"mistake with its place. The exit status is 2 when there is one.",
		Args: wants(0, 1, "name one file, or none"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				p.config = args[0]
			}
			loaded, err := config.Load(p.config)
			mistakes, _ := errors.AsType[config.Mistakes](err)
			if err != nil && mistakes == nil {
				return err
			}
			if p.json {
				if printed := writeJSON(p.out, append(config.Mistakes{}, mistakes...)); printed != nil {
					return printed
				}
				return err
			}
			if err != nil {
				return err
			}
			for i := range loaded.Rules {
				r := &loaded.Rules[i]
				r.Warn(func(key, problem string) {
					fmt.Fprintf(p.out, "warning: rule %q: %s: %s\n", osm.Printable(r.Name), key, problem)
				})
			}
			_, err = fmt.Fprintf(p.out, "%s: no mistakes\n", config.FilesText(loaded.Files))
			return err
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func (p *program) configDefaults() *cobra.Command {
	c := &cobra.Command{
		Use:   "defaults",
		Short: "Print a configuration file with every setting, explained and commented out",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return writeJSON(p.out, config.Settings())
			}
			return config.WriteDefaults(p.out)
		},
	}
	p.jsonFlag(c)
	return c
}

func (p *program) configExplain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain KEY",
		Short: "Tell what a setting (store.keep) or a table (store) means, its default and its value",
		Args:  wants(1, 1, "name one setting, as in store.keep, or one table"),
		RunE: func(_ *cobra.Command, args []string) error {
			loaded, err := config.Load(p.config)
			if err != nil {
				return err
			}
			all := loaded.Explain(args[0])
			if all == nil {
				return unknownSetting(args[0])
			}
			if p.json {
				return writeJSON(p.out, all)
			}
			return p.explain(all)
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var keys []string
		for _, s := range config.Settings() {
			keys = append(keys, s.Key)
		}
		return keys, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func unknownSetting(key string) error {
	if near := config.Nearest(key); near != "" {
		return wrongUsage("there is no setting %s: did you mean %s?", key, near)
	}
	return wrongUsage("there is no setting %s: \"osm config defaults\" lists them all", key)
}

func (p *program) explain(all []config.Explanation) error {
	var b strings.Builder
	for i, e := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		name := e.Key
		if e.Header != "" {
			name = e.Header
		}
		fmt.Fprintf(&b, "%s: %s\n  %s\n", name, e.Type, e.Doc)
		if e.Header != "" {
			continue
		}
		fmt.Fprintf(&b, "  default: %s\n", e.Default)
		if e.Where != "" {
			fmt.Fprintf(&b, "  now:     %s (%s)\n", osm.Printable(e.Value), osm.Printable(e.Where))
		}
	}
	_, err := fmt.Fprint(p.out, b.String())
	return err
}

// load reads the configuration that -c names, or the usual one.
func (p *program) load() (*config.Loaded, error) { return config.Load(p.config) }
