package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/config"
	"osm/daemon"
	"osm/exim"
	"osm/policy"
)

// eximTime bounds what a command does with Exim; building a panel's configuration takes its time.
const eximTime = 5 * time.Minute

func (p *program) exim() *cobra.Command {
	return family("exim", "Have Exim ask osm about every message, or no longer",
		p.eximPrint(), p.eximInstall(), p.eximCheck(), p.eximUninstall())
}

// eximFlags are what an installation can be told.
type eximFlags struct {
	way, system, file, socket string
	at                        []string
	closed, dry               bool
}

func (p *program) eximFlagsOf(c *cobra.Command) *eximFlags {
	f := &eximFlags{}
	c.Flags().StringVar(&f.way, "way", string(exim.ByACL), "how Exim asks: "+string(exim.ByACL)+" or "+string(exim.ByRewrite))
	c.Flags().StringSliceVar(&f.at, "at", nil, "where ACLs ask: connect, auth, mail, rcpt, data, not_smtp (default data,not_smtp)")
	c.Flags().BoolVar(&f.closed, "fail-closed", false, "without an answer from osm mail waits, instead of going its way")
	c.Flags().StringVar(&f.socket, "socket", "", "osm's policy socket (default policy.socket of the configuration)")
	c.Flags().StringVar(&f.system, "system", "", "the kind of server (default: found out)")
	c.Flags().StringVar(&f.file, "file", "", "the configuration file, for --system plain (default: Exim is asked)")
	p.configFlag(c)
	return f
}

// installer makes one for a command line.
func (p *program) installer(f *eximFlags) (*exim.Installer, error) {
	loaded, err := p.load()
	if err != nil {
		return nil, err
	}
	i := newInstaller(loaded)
	i.System, i.Config = f.system, f.file
	i.Snippets = exim.Snippets{Way: exim.Way(f.way), Socket: f.socket, Closed: f.closed}
	for _, at := range f.at {
		i.Snippets.At = append(i.Snippets.At, exim.Point(at))
	}
	if f.socket == "" {
		i.Snippets.Socket = loaded.Policy.Socket
	}
	return i, nil
}

func newInstaller(loaded *config.Loaded) *exim.Installer {
	return &exim.Installer{Binary: loaded.Exim.Binary}
}

func (p *program) eximPrint() *cobra.Command {
	var f *eximFlags
	c := &cobra.Command{
		Use:   "print",
		Short: "Print what osm exim install would write, file by file; nothing is changed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			plan, err := p.eximPlan(c.Context(), f)
			if err != nil {
				return err
			}
			if p.json {
				return p.eximJSON(plan, nil)
			}
			for _, change := range plan.Changes {
				if _, err := fmt.Fprintf(p.out, "# %s\n%s\n", change.Path, change.After); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f = p.eximFlagsOf(c)
	p.jsonFlag(c)
	return c
}

func (p *program) eximPlan(ctx context.Context, f *eximFlags) (*exim.Installed, error) {
	i, err := p.installer(f)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, eximTime)
	defer cancel()
	return i.Plan(ctx)
}

func (p *program) eximInstall() *cobra.Command {
	var f *eximFlags
	var systems strings.Builder
	for _, s := range exim.SystemNames() {
		fmt.Fprintf(&systems, "  %-14s %s\n", s[0], s[1])
	}
	c := &cobra.Command{
		Use:   "install",
		Short: "Hook osm into Exim, by its supported include points only",
		Long: "Writes the snippets, checks the configuration that comes of them (exim -bV, a trial message, the routing and rewriting of\n" +
			"an address), and only then has the daemon read it. When a check fails everything is as it was. It can be run again, with\n" +
			"the same or other settings. In shadow (policy.mode) osm answers every question as if it had found nothing.\n\nSystems:\n" +
			systems.String(),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.dry {
				plan, err := p.eximPlan(c.Context(), f)
				if err != nil {
					return err
				}
				return p.eximDiff(plan)
			}
			return p.installExim(c.Context(), f)
		},
	}
	f = p.eximFlagsOf(c)
	c.Flags().BoolVar(&f.dry, "dry-run", false, "show what would change, and change nothing")
	p.jsonFlag(c)
	return c
}

func (p *program) installExim(ctx context.Context, f *eximFlags) error {
	if err := needRoot("hook osm into Exim"); err != nil {
		return err
	}
	i, err := p.installer(f)
	if err != nil {
		return err
	}
	if i.Snippets.Way == exim.ByRewrite {
		if _, err := policy.CreateKey(policy.KeyPath); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, eximTime)
	defer cancel()
	done, err := i.Install(ctx, p.now())
	if err != nil {
		return err
	}
	if p.json {
		return p.eximJSON(done, nil)
	}
	p.eximFiles("written:", done)
	if _, err = fmt.Fprintln(p.out, "Exim asks osm. Undo it with: osm exim uninstall"); err != nil {
		return err
	}
	if !exists(exim.ServiceRights) || exists(daemon.RightsPlace) {
		return nil
	}
	_, err = fmt.Fprintf(p.out, "The service may not yet release or delete what it holds. Read %s, and then:\n  %s\n",
		exim.ServiceRights, daemon.MoreRights)
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (p *program) eximCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Tell whether what osm exim install has written is there and works",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), eximTime)
			defer cancel()
			found, problems, err := newInstaller(loaded).Check(ctx)
			if err != nil {
				return err
			}
			if found == nil {
				return errors.New("osm is not hooked into Exim: osm exim install does that")
			}
			if p.json {
				err = p.eximJSON(found, problems)
			} else {
				p.eximFiles("installed:", found)
				for _, problem := range problems {
					fmt.Fprintf(p.out, "problem: %s\n", osm.Printable(problem))
				}
			}
			if err == nil && len(problems) > 0 {
				err = errProblem
			}
			return err
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func (p *program) eximUninstall() *cobra.Command {
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Take osm out of Exim's configuration again: every file is as it was",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot("take osm out of Exim"); err != nil {
				return err
			}
			loaded, err := p.load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), eximTime)
			defer cancel()
			gone, err := newInstaller(loaded).Uninstall(ctx)
			switch {
			case err != nil:
				return err
			case p.json:
				return p.eximJSON(gone, nil)
			case gone == nil:
				_, err = fmt.Fprintln(p.out, "osm is not hooked into Exim: nothing to do.")
			default:
				p.eximFiles("as before:", gone)
			}
			return err
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func needRoot(what string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("only root can %s", what)
	}
	return nil
}

func (p *program) eximFiles(what string, i *exim.Installed) {
	fmt.Fprintf(p.out, "system:   %s\n", i.System)
	for _, c := range i.Changes {
		fmt.Fprintf(p.out, "%-9s %s\n", what, c.Path)
	}
}

func (p *program) eximDiff(i *exim.Installed) error {
	if p.json {
		return p.eximJSON(i, nil)
	}
	for _, c := range i.Changes {
		if _, err := fmt.Fprint(p.out, c.Diff()); err != nil {
			return err
		}
	}
	return nil
}

// eximJSON prints an installation; null is none.
func (p *program) eximJSON(i *exim.Installed, problems []string) error {
	if i == nil {
		return writeJSON(p.out, nil)
	}
	type file struct {
		Path    string `json:"path"`
		Existed bool   `json:"existed"`
		Text    string `json:"text"`
	}
	out := struct {
		System   string   `json:"system"`
		Files    []file   `json:"files"`
		Problems []string `json:"problems,omitempty"`
	}{i.System, []file{}, problems}
	for _, c := range i.Changes {
		out.Files = append(out.Files, file{c.Path, c.Existed, string(c.After)})
	}
	return writeJSON(p.out, out)
}
