package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/store"
	"osm/web"
)

// searchFlags are the questions of osm search that are not texts of the filter.
type searchFlags struct {
	span                            span
	class, result, refusal, verdict string
	limit                           int
}

func (p *program) search() *cobra.Command {
	var f store.Filter
	var flags searchFlags
	c := &cobra.Command{
		Use:   "search",
		Short: "Find messages by sender, recipient, login, script and more",
		Long: "Lists the messages for which all that is asked holds, newest first. Texts are compared without regard to case; a * at\n" +
			"the start or end stands for anything (--sender '*@example.com'), and --subject finds words anywhere.",
		Example: "  osm search --login bob@example.com --since 7d --result failed\n  osm search --script '/home/bob/*' --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.complete(&f, p.now()); err != nil {
				return err
			}
			reader, err := p.history()
			if err != nil {
				return err
			}
			defer reader.Close()
			found, err := pages(c.Context(), reader, f, flags.limit)
			if err != nil {
				return err
			}
			return p.showFound(found)
		},
	}
	for _, text := range []struct {
		into        *string
		name, about string
	}{
		{&f.Sender, "sender", "envelope sender"},
		{&f.Recipient, "recipient", "a recipient"},
		{&f.Login, "login", "name given at SMTP AUTH"},
		{&f.Account, "account", "owner in the hosting panel, or unix user"},
		{&f.User, "user", "unix user of a local submission"},
		{&f.Client, "ip", "address of the submitting client"},
		{&f.Script, "script", "directory of the submitting script"},
		{&f.Subject, "subject", "words in the subject"},
		{&f.ID, "id", "message id"},
	} {
		c.Flags().StringVar(text.into, text.name, "", text.about)
	}
	flags.span.flags(c, "")
	c.Flags().StringVar(&flags.class, "class", "", "way of sending: "+classNames())
	c.Flags().StringVar(&flags.result, "result", "", "at least one recipient with this result: "+list(outcomes()))
	c.Flags().StringVar(&flags.refusal, "refusal", "", "at least one refusal of this kind: "+list(osm.Refusals()))
	c.Flags().StringVar(&flags.verdict, "action", "", "what was decided: "+list(actions()))
	c.Flags().IntVar(&flags.limit, "limit", 50, "at most so many messages")
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func outcomes() []osm.Outcome {
	return []osm.Outcome{osm.Delivered, osm.Deferred, osm.Failed, osm.Suppressed}
}

func actions() []osm.Action {
	return []osm.Action{osm.Accept, osm.Defer, osm.Hold, osm.Reject, osm.Discard, osm.Divert}
}

func list[T fmt.Stringer](all []T) string {
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = v.String()
	}
	return strings.Join(names, ", ")
}

// choose finds the value that a flag names.
func choose[T fmt.Stringer](flag, name string, all []T) (T, error) {
	if i := slices.IndexFunc(all, func(v T) bool { return v.String() == name }); i >= 0 {
		return all[i], nil
	}
	var none T
	return none, wrongUsage("--%s %q: must be one of %s", flag, name, list(all))
}

// complete puts what the flags say into the filter.
func (s *searchFlags) complete(f *store.Filter, now time.Time) (err error) {
	if s.limit < 1 {
		return wrongUsage("--limit %d: must be at least 1", s.limit)
	}
	if f.Since, f.Until, err = s.span.times(now); err != nil {
		return err
	}
	if s.class != "" {
		if f.Class, err = choose("class", s.class, osm.Classes()); err != nil {
			return err
		}
	}
	if s.refusal != "" {
		if f.Refusal, err = choose("refusal", s.refusal, osm.Refusals()); err != nil {
			return err
		}
	}
	if s.result != "" {
		outcome, err := choose("result", s.result, outcomes())
		if err != nil {
			return err
		}
		f.Outcome = &outcome
	}
	if s.verdict != "" {
		action, err := choose("action", s.verdict, actions())
		if err != nil {
			return err
		}
		f.Action = &action
	}
	return nil
}

// pages asks for page after page until there are enough.
func pages(ctx context.Context, reader *store.Reader, f store.Filter, limit int) ([]store.Found, error) {
	const page = 1000
	var found []store.Found
	for {
		f.Limit = min(limit-len(found), page)
		part, err := reader.Search(ctx, f)
		if err != nil {
			return nil, err
		}
		found = append(found, part.Messages...)
		if part.Next == "" || len(found) >= limit {
			return found, nil
		}
		f.After = part.Next
	}
}

// showFound prints a list of messages. Nothing found is an answer, not a failure.
func (p *program) showFound(found []store.Found) error {
	if p.json {
		views := make([]web.Message, len(found))
		for i := range found {
			views[i] = web.MessageOf(&found[i])
		}
		return writeJSON(p.out, views)
	}
	if len(found) == 0 {
		_, err := io.WriteString(p.out, "No message found.\n")
		return err
	}
	return foundTable(found, time.DateTime).write(p.out, terminalWidth(p.out))
}

// foundTable lists messages, with their times in a layout.
func foundTable(found []store.Found, layout string) *table {
	t := newTable("!time", "!id", "class", "from", "by", ">to", "result", "subject")
	for i := range found {
		f := &found[i]
		t.add(f.Time.Local().Format(layout), f.ID, f.Class.String(), angle(f.Sender), submitter(&f.Message),
			number(f.RecipientCount), result(f), f.Subject)
	}
	return t
}

// angle shows the null sender as mail people write it.
func angle(sender string) string {
	if sender == "" {
		return "<>"
	}
	return sender
}

// submitter is who handed the message in, as exactly as is known.
func submitter(m *osm.Message) string {
	switch {
	case m.Login != "":
		return m.Login
	case m.Script.Path != "":
		return m.Script.Path
	case m.User != "":
		return m.User
	default:
		return web.Address(m.Client)
	}
}

func result(f *store.Found) string {
	if f.Verdict.Stops() {
		return f.Verdict.Action.String()
	}
	var parts []string
	for _, part := range []struct {
		n    int
		name string
	}{{f.Delivered, "delivered"}, {f.Failed, "failed"}, {f.Deferred, "deferred"}, {f.Suppressed, "suppressed"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.name))
		}
	}
	if parts == nil {
		return "waiting"
	}
	return strings.Join(parts, ", ")
}
