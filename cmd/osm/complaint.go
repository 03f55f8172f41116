package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"osm"
	"osm/check"
	"osm/daemon"
)

// laterError is a failure that may be over at the next try: a mail server that runs osm keeps the message in its queue.
type laterError struct{ error }

// tryLater is sysexits' EX_TEMPFAIL, which Exim's pipe transport (specification chapter "The pipe transport", temp_errors) and
// Postfix's pipe take for that.
const tryLater = 75

func (p *program) complaint() *cobra.Command {
	c := &cobra.Command{
		Use:   "complaint [FILE|-]",
		Short: "Charge a receiver's complaint (ARF) to the sender of the message it is about",
		Long: "Reads a report of the Abuse Reporting Format (RFC 5965), from the standard input unless a file is named, and hands it to\n" +
			"the running daemon, which charges it to the sender when the history has the message. It is made for an alias such as\n" +
			"\"|/usr/bin/osm complaint\": it writes nothing then, ends well whatever the report turns out to be, and with status 75\n" +
			"(try again later) when the daemon can't be reached. See doc/complaints.md.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			piped := len(args) == 0 || args[0] == "-"
			text, err := p.readComplaint(args, piped)
			if err != nil {
				return err
			}
			answer, err := tell[daemon.Complained](c.Context(), p, http.MethodPost, "complaints", daemon.Report{Text: text})
			switch {
			case err != nil && piped:
				return laterError{err}
			case err != nil:
				return err
			case p.json:
				return writeJSON(p.out, answer)
			case piped:
				return nil
			}
			_, err = fmt.Fprintln(p.out, osm.Printable(complainedText(answer)))
			return err
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

// readComplaint reads a report. One that is too large for a report is cut, so that whoever pipes it is not held up.
func (p *program) readComplaint(args []string, piped bool) ([]byte, error) {
	from := p.in
	if !piped {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, fmt.Errorf("read a complaint: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, check.MaxComplaint))
	if err == nil && piped {
		_, err = io.Copy(io.Discard, from)
	}
	if err != nil {
		return nil, laterError{fmt.Errorf("read a complaint: %w", err)}
	}
	return text, nil
}

// complainedText is what became of a complaint, in words.
func complainedText(c daemon.Complained) string {
	switch c.Result {
	case daemon.Charged:
		return fmt.Sprintf("Message %s: the complaint counts against %s.", c.Message, c.Key)
	case daemon.Noted:
		return fmt.Sprintf("Message %s: the complaint is noted; the message is nobody's here.", c.Message)
	case daemon.Duplicate:
		return fmt.Sprintf("Message %s: the complaint has been counted before.", c.Message)
	case daemon.Unknown:
		return "The history does not have the message, or not as the report tells: nothing is counted."
	case daemon.NoReport:
		return "This is no report of the Abuse Reporting Format, or it does not tell which message it is about: nothing is counted."
	}
	return fmt.Sprintf("A report of the type %q accuses nobody: nothing is counted.", c.Type)
}
