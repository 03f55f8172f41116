// Command osm watches the mail that leaves a server and stops the spam in it. One file per subcommand, one table of
// them (commands.go); what they do is in the rooms below, what they print is here.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // exim.zone works on machines without a zone database

	"osm"
	"osm/config"
)

// Exit statuses, the same for every command.
const (
	done   = 0
	failed = 1
	misuse = 2 // wrong usage or configuration
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is what the commands get from outside.
type program struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time

	config string // -c
	json   bool   // --json
}

// errProblem says that a command has found something wrong and has told about it already.
var errProblem = errors.New("")

// usageError is a mistake on the command line.
type usageError struct{ error }

// wrongUsage makes an error that ends with the status of wrong usage.
func wrongUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the whole program but for the process around it.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	started := false
	for _, c := range root.Commands() {
		noteStart(c, &started)
	}
	command, err := root.ExecuteContextC(ctx)
	switch _, mistakes := errors.AsType[config.Mistakes](err); {
	case err == nil:
		return done
	case errors.Is(err, errProblem):
		return failed
	case mistakes:
		fmt.Fprintln(p.err, err)
		return misuse
	default:
		fmt.Fprintln(p.err, "osm: "+printableLines(err.Error()))
	}
	if _, later := errors.AsType[laterError](err); later {
		return tryLater
	}
	if _, usage := errors.AsType[usageError](err); usage || !started {
		fmt.Fprintf(p.err, "See \"%s --help\".\n", command.CommandPath())
		return misuse
	}
	return failed
}

// printableLines makes an error's text safe and keeps its line ends: some errors list several things.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = osm.Printable(strings.ReplaceAll(line, "\t", "  "))
	}
	return strings.Join(lines, "\n")
}
