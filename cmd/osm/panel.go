package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"osm/access"
	"osm/config"
	"osm/panel"
	"osm/plugin"
)

func (p *program) panel() *cobra.Command {
	return family("panel", "Put osm's page into a hosting panel, or take it out", p.panelPrint(), p.panelInstall(), p.panelUninstall(), p.panelEnter())
}

// panelNames lists the panels for a help text.
func panelNames() string {
	var b strings.Builder
	for _, one := range plugin.Panels() {
		fmt.Fprintf(&b, "  %-12s %s\n", one.Name, one.About)
	}
	return b.String()
}

// panels are those that a command line names, or those that are found.
func (p *program) panels(i *plugin.Installer, args []string) ([]plugin.Panel, error) {
	if len(args) == 0 {
		found := i.Find()
		if len(found) == 0 {
			return nil, errors.New("no panel is found on this server: name one")
		}
		return found, nil
	}
	var all []plugin.Panel
	for _, name := range args {
		at := slices.IndexFunc(plugin.Panels(), func(one plugin.Panel) bool { return one.Name == name })
		if at < 0 {
			return nil, wrongUsage("there is no panel called %q; there are\n%s", name, panelNames())
		}
		all = append(all, plugin.Panels()[at])
	}
	return all, nil
}

// panelInstaller makes one whose shells start this program.
func (p *program) panelInstaller(root string) (*plugin.Installer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find out where osm is: %w", err)
	}
	return &plugin.Installer{Program: program, Config: p.config, Root: root}, nil
}

// panelCommand is a command about panels.
func (p *program) panelCommand(use, short, long string, run func(c *cobra.Command, i *plugin.Installer, one *plugin.Panel) error) *cobra.Command {
	var root string
	c := &cobra.Command{
		Use:   use + " [PANEL...]",
		Short: short,
		Long:  long + "\n\nPanels (without a name those that are found):\n" + panelNames(),
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			i, err := p.panelInstaller(root)
			if err != nil {
				return err
			}
			all, err := p.panels(i, args)
			if err != nil {
				return err
			}
			var errs []error
			for n := range all {
				errs = append(errs, run(c, i, &all[n]))
			}
			return errors.Join(errs...)
		},
	}
	p.configFlag(c)
	rootFlag(c, &root)
	return c
}

// rootFlag is for tests.
func rootFlag(c *cobra.Command, root *string) {
	c.Flags().StringVar(root, "root", "", "folder below which the panel's files are")
	c.Flag("root").Hidden = true
}

func (p *program) panelPrint() *cobra.Command {
	return p.panelCommand("print", "Print what osm panel install would write, file by file; nothing is changed", "Prints every file.",
		func(_ *cobra.Command, i *plugin.Installer, one *plugin.Panel) error {
			plan, err := i.Plan(one)
			if err != nil {
				return err
			}
			for _, f := range plan {
				if _, err := fmt.Fprintf(p.out, "# %s (%o)\n%s\n", f.Path, f.Mode, f.Text); err != nil {
					return err
				}
			}
			return nil
		})
}

func (p *program) panelInstall() *cobra.Command {
	return p.panelCommand("install", "Put osm's page into a panel",
		"Writes the panel's plugin. Its shells start osm as root, which looks up what the visitor may do in the panel and lets him in\n"+
			"with a ticket that is good for once. It can be run again.",
		func(c *cobra.Command, i *plugin.Installer, one *plugin.Panel) error {
			written, err := i.Install(c.Context(), one)
			p.tellFiles(one, "wrote", "everything is in its place already", written)
			if err != nil {
				return err
			}
			return p.panelHint()
		})
}

func (p *program) panelUninstall() *cobra.Command {
	return p.panelCommand("uninstall", "Take osm's page out of a panel", "Removes what osm panel install has written, and nothing else.",
		func(c *cobra.Command, i *plugin.Installer, one *plugin.Panel) error {
			removed, err := i.Uninstall(c.Context(), one)
			p.tellFiles(one, "removed", "there is nothing of osm in it", removed)
			return err
		})
}

func (p *program) tellFiles(one *plugin.Panel, did, nothing string, files []string) {
	if len(files) == 0 {
		fmt.Fprintf(p.out, "%s: %s\n", one.Title, nothing)
	}
	for _, name := range files {
		fmt.Fprintf(p.out, "%s: %s %s\n", one.Title, did, name)
	}
}

// panelHint tells what is still missing.
func (p *program) panelHint() error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	if loaded.Web.URL == "" {
		_, err = fmt.Fprintln(p.out, "Browsers must reach osm's page: set web.url to its address (see panels.md), then osm reload or restart osm.")
	}
	return err
}

// panelEnter is what the shells start.
func (p *program) panelEnter() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use:    "enter PANEL [WHAT THE SHELL KNOWS]",
		Short:  "Let the visitor of a panel's shell in (the shells start this)",
		Hidden: true,
		Args:   wants(1, 2, "name the panel"),
		RunE: func(c *cobra.Command, args []string) error {
			d := &plugin.Door{Panel: args[0], Args: args[1:], Getenv: os.Getenv, Root: root}
			if page := d.Link(); page != "" {
				_, err := fmt.Fprint(p.out, page)
				return err
			}
			address, err := p.letIn(c.Context(), d)
			if _, written := fmt.Fprint(p.out, d.Answer(address, err)); written != nil {
				return written
			}
			if err != nil {
				return fmt.Errorf("let a visitor of %s in: %w", args[0], err)
			}
			return nil
		},
	}
	p.configFlag(c)
	rootFlag(c, &root)
	return c
}

// errNotRoot is told on the panel's page, where somebody may be at a loss.
var errNotRoot = errors.New("the panel does not run this plugin as root, which alone may say who comes in: see osm's panels.md")

// letIn makes a ticket for a visitor and tells the address that takes it.
func (p *program) letIn(ctx context.Context, d *plugin.Door) (address string, err error) {
	if os.Geteuid() != 0 {
		return "", errNotRoot
	}
	loaded, err := p.load()
	if err != nil {
		return "", err
	}
	if loaded.Web.URL == "" {
		return "", errors.New("nobody has told osm where browsers reach it: the administrator must set web.url")
	}
	for _, one := range plugin.Panels() {
		if one.Name == d.Panel {
			d.Resold = panel.Open(panel.Config{Kind: one.Kind}, "/"+d.Root, p.now()).Resold
		}
	}
	visitor, err := d.Visitor()
	if err != nil {
		return "", err
	}
	return p.ticket(ctx, &loaded.Config, guestOf(visitor, d.Panel))
}

// guestOf is a visitor in the words of access: a reseller sees his own account's mail too.
func guestOf(v plugin.Visitor, from string) access.Guest {
	g := access.Guest{Name: v.Name + " (" + from + ")"}
	switch v.Level {
	case plugin.Admin:
		g.Role = access.Admin
	case plugin.Reseller:
		g.Role, g.Accounts = access.Reseller, append([]string{v.Name}, v.Accounts...)
	default:
		g.Role, g.Accounts = access.Customer, []string{v.Name}
	}
	return g
}

func (p *program) ticket(ctx context.Context, cfg *config.Config, g access.Guest) (address string, err error) {
	a := access.New(access.Options{Path: access.Path(cfg.Store.Path), Now: p.now, Logger: slog.New(slog.DiscardHandler)})
	defer func() { err = errors.Join(err, a.Close()) }()
	secret, err := a.MakeTicket(ctx, g, access.TicketFor, "panel")
	if err != nil {
		return "", err
	}
	return cfg.Web.TicketURL(secret), nil
}
