package main

import (
	"strings"

	"github.com/spf13/cobra"

	"osm/config"
	"osm/policy"
)

// commands is the table of all subcommands: its group in the help and what it is. Adding one is one line.
func (p *program) commands() []entry {
	return []entry{
		{look, p.report()},
		{look, p.top()},
		{look, p.search()},
		{look, p.trace()},
		{look, p.incidents()},
		{look, p.why()},
		{look, p.rules()},
		{look, p.replay()},
		{look, p.parse()},
		{act, p.order(policy.Block, "block", "Refuse all mail of a sender, network, script ...")},
		{act, p.order(policy.Allow, "allow", "Let all mail of a sender, network, script ... through, and clear its score")},
		{act, p.order(policy.Unlist, "unblock", "Take a sender, network, script ... off the lists")},
		{act, p.order(policy.Forgive, "forgive", "Clear a sender's score: what it did was wanted")},
		{act, p.lists()},
		{act, p.complaint()},
		{act, p.held()},
		{act, p.release()},
		{act, p.deletion()},
		{act, p.suspend()},
		{act, p.resume()},
		{act, p.suspended()},
		{act, p.audit()},
		{act, p.undo()},
		{run, p.serve()},
		{run, p.reload()},
		{run, p.demo()},
		{setUp, p.configuration()},
		{setUp, p.exim()},
		{setUp, p.panel()},
		{setUp, p.user()},
		{setUp, p.doctor()},
		{setUp, p.testAlert()},
		{setUp, p.man()},
		{setUp, p.version()},
	}
}

type entry struct {
	group   string
	command *cobra.Command
}

// Groups of the help.
const (
	look  = "Look at the mail:"
	act   = "Act:"
	run   = "Run:"
	setUp = "Set up and check:"
)

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "osm",
		Short: "Outgoing Spam Monitor for Exim",
		Long: "osm (Outgoing Spam Monitor) watches the mail that leaves a server with Exim and shows who sends what, by which way, to\n" +
			"how many and with what result.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	for _, group := range []string{look, act, run, setUp} {
		root.AddGroup(&cobra.Group{ID: group, Title: group})
	}
	root.SetHelpCommandGroupID(setUp)
	root.SetCompletionCommandGroupID(setUp)
	for _, e := range p.commands() {
		e.command.GroupID = e.group
		root.AddCommand(e.command)
	}
	return root
}

// family is a command that only has subcommands.
func family(use, short string, subs ...*cobra.Command) *cobra.Command {
	names := make([]string, len(subs))
	for i, sub := range subs {
		names[i] = sub.Name()
	}
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrongUsage("unknown command %q: there are %s", args[0], strings.Join(names, ", "))
			}
			return wrongUsage("name one of its commands: %s", strings.Join(names, ", "))
		},
	}
	c.AddCommand(subs...)
	return c
}

// noteStart makes it known when a command itself has begun: errors before are wrong usage.
func noteStart(c *cobra.Command, started *bool) {
	if body := c.RunE; body != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*started = true
			return body(c, args)
		}
	}
	for _, sub := range c.Commands() {
		noteStart(sub, started)
	}
}

// configFlag gives a command the flag -c.
func (p *program) configFlag(c *cobra.Command) {
	c.Flags().StringVarP(&p.config, "config", "c", "", "configuration file (default "+config.DefaultPath+", which need not exist)")
	c.MarkFlagFilename("config", "toml")
}

// jsonFlag gives a command that prints tables the flag --json.
func (p *program) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&p.json, "json", false, "print JSON instead of tables")
}

// wants is for commands with arguments: what to say when there are fewer than least, or more than most (0: any number).
func wants(least, most int, say string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || most > 0 && len(args) > most {
			return wrongUsage("%s", say)
		}
		return nil
	}
}
