package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/incident"
	"osm/store"
)

func (p *program) why() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell why: the evidence behind a verdict or an incident, and how to undo it",
		Long:  "ID is that of a verdict (V...), of an incident (I...) or of a message.",
		Args:  wants(1, 1, "name the id of a verdict, an incident or a message"),
		RunE: func(c *cobra.Command, args []string) error {
			e, err := ask(c.Context(), p, func(ctx context.Context, r *store.Reader) (*explanation, error) {
				return explain(ctx, r, args[0])
			})
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("no verdict, incident or message with the id %s is in the history", args[0])
			}
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, e)
			}
			return e.write(p.out)
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

// explanation is what is known of one decision.
type explanation struct {
	Verdict  *verdictView       `json:"verdict,omitempty"`
	Incident *incident.Incident `json:"incident,omitempty"`
	Lines    []string           `json:"lines"` // of the log
}

// verdictView is one message and what was decided about it.
type verdictView struct {
	ID       string        `json:"id"`
	Message  string        `json:"message"`
	Time     time.Time     `json:"time"`
	Action   osm.Action    `json:"action"`
	Passive  bool          `json:"passive"`
	Rule     string        `json:"rule"`
	Reason   string        `json:"reason"`
	Detail   string        `json:"detail"`
	Key      osm.Key       `json:"key"`
	Score    float64       `json:"score"`
	Findings []osm.Finding `json:"findings"`
	Sender   string        `json:"sender"`
	Subject  string        `json:"subject"`
}

// explain finds a verdict by its id or its message's, or an incident with the message that shows it best.
func explain(ctx context.Context, r *store.Reader, id string) (*explanation, error) {
	list, err := loadIncidents(ctx, r)
	if err != nil {
		return nil, err
	}
	e := &explanation{Lines: []string{}}
	for _, i := range list {
		if i.ID == id && len(i.Samples) > 0 {
			e.Incident, id = i, i.Samples[0].ID
		}
	}
	found, err := r.Verdict(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		trace, traceErr := r.Trace(ctx, id)
		if traceErr != nil {
			if e.Incident != nil && errors.Is(traceErr, store.ErrNotFound) {
				return e, nil // the message is past its time, the incident is not
			}
			return nil, traceErr
		}
		found, err = &trace.Found, nil
	}
	if err != nil {
		return nil, err
	}
	v := &found.Verdict
	e.Verdict = &verdictView{ID: v.ID, Message: found.ID, Time: found.Time, Action: v.Action, Passive: v.Passive, Rule: v.Rule, Reason: v.Reason,
		Detail: v.Detail, Key: v.Key, Score: v.Score, Findings: append([]osm.Finding{}, v.Findings...), Sender: found.Sender, Subject: found.Subject}
	for _, i := range list {
		if e.Incident == nil && i.Key == v.Key && i.Rule == v.Rule {
			e.Incident = i
		}
	}
	trace, err := r.Trace(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	e.Lines = append(e.Lines, trace.Lines...)
	return e, nil
}

func (e *explanation) write(w io.Writer) error {
	var b strings.Builder
	fact := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", name, osm.Printable(fmt.Sprintf(format, args...)))
	}
	if i := e.Incident; i != nil {
		fact("Incident", "%s, %s", i.ID, i.State)
		fact("Who", "%s", i.Key)
		fact("So far", "%s messages to %s recipients, %s to %s", number(i.Messages), number(i.Recipients),
			i.Opened.Local().Format(time.DateTime), i.Updated.Local().Format(time.DateTime))
	}
	if v := e.Verdict; v != nil {
		action := v.Action.String()
		if v.Passive && v.Action != osm.Accept {
			action += " (only advised: the message was found in the log, after Exim had accepted it)"
		}
		fact("Message", "%s from %s: %s", v.Message, v.Sender, v.Subject)
		fact("Verdict", "%s %s", v.ID, action)
		fact("Because", "%s: %s", v.Rule, v.Detail)
		if v.Score > 0 {
			fact("Score", "%.1f", v.Score)
		}
	}
	if err := writeFindings(&b, e.findings()); err != nil {
		return err
	}
	if len(e.Lines) > 0 {
		b.WriteString("\nIn the log\n")
		for _, line := range e.Lines {
			b.WriteString("  " + osm.Printable(line) + "\n")
		}
	}
	b.WriteString(e.undo())
	_, err := io.WriteString(w, b.String())
	return err
}

// findings are those of the verdict, or else of the incident.
func (e *explanation) findings() []osm.Finding {
	if e.Verdict != nil && len(e.Verdict.Findings) > 0 {
		return e.Verdict.Findings
	}
	if e.Incident != nil {
		return e.Incident.Findings
	}
	return nil
}

// writeFindings writes the evidence of a verdict, where there is any.
func writeFindings(b *strings.Builder, findings []osm.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	b.WriteString("\nEvidence\n")
	t := newTable("fact", "seen", "normal", ">weight")
	for _, f := range findings {
		t.add(f.Fact, f.Value, f.Normal, fmt.Sprintf("%+.1f", f.Weight))
	}
	return t.write(b, 0)
}

// undo tells what to do when the verdict was wrong.
func (e *explanation) undo() string {
	if e.Verdict == nil || e.Verdict.Action == osm.Accept || e.Verdict.Key.Value == "" {
		return ""
	}
	return "\nIf this mail was wanted: osm allow " + e.Verdict.Key.Kind.String() + " " + shellWord(e.Verdict.Key.Value) + "\n"
}

// shellWord quotes a hostile text so that it can be pasted into a shell.
func shellWord(s string) string {
	return "'" + strings.ReplaceAll(osm.Printable(s), "'", `'\''`) + "'"
}
