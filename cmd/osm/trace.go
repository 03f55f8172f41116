package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/store"
	"osm/web"
)

func (p *program) trace() *cobra.Command {
	c := &cobra.Command{
		Use:   "trace ID",
		Short: "Tell the story of one message, from arrival to the last recipient, with the raw lines",
		Args:  wants(1, 1, "name the id of one message"),
		RunE: func(c *cobra.Command, args []string) error {
			trace, err := ask(c.Context(), p, func(ctx context.Context, r *store.Reader) (*store.Trace, error) {
				return r.Trace(ctx, args[0])
			})
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("no message with the id %s is in the history", args[0])
			}
			if err != nil {
				return err
			}
			if p.json {
				return writeJSON(p.out, viewTrace(trace))
			}
			return writeTrace(p.out, trace, terminalWidth(p.out))
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

type traceView struct {
	web.Message
	Deliveries []web.Delivery `json:"deliveries"`
	Events     []web.Event    `json:"events"`
	Lines      []string       `json:"lines"`
}

func viewTrace(t *store.Trace) traceView {
	v := traceView{Message: web.MessageOf(&t.Found), Deliveries: make([]web.Delivery, len(t.Deliveries)),
		Events: make([]web.Event, len(t.Events)), Lines: append([]string{}, t.Lines...)}
	for i := range t.Deliveries {
		v.Deliveries[i] = web.DeliveryOf(&t.Deliveries[i])
	}
	for i := range t.Events {
		v.Events[i] = web.EventOf(&t.Events[i])
	}
	return v
}

func writeTrace(w io.Writer, t *store.Trace, width int) error {
	var b strings.Builder
	for _, fact := range facts(t) {
		if fact.value != "" {
			fmt.Fprintf(&b, "%-11s %s\n", fact.name, osm.Printable(fact.value))
		}
	}
	if err := writeFindings(&b, t.Verdict.Findings); err != nil {
		return err
	}
	if len(t.Deliveries) > 0 {
		b.WriteString("\nRecipients\n")
		if err := deliveryTable(t).write(&b, width); err != nil {
			return err
		}
	}
	if len(t.Events) > 0 {
		b.WriteString("\nEvents\n")
		events := newTable("time", "what", "text")
		for _, e := range t.Events {
			events.add(e.Time.Local().Format(time.DateTime), e.Kind.String(), e.Text)
		}
		if err := events.write(&b, width); err != nil {
			return err
		}
	}
	b.WriteString("\nLog\n")
	for _, line := range t.Lines {
		b.WriteString(osm.Printable(line) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type fact struct{ name, value string }

// facts are what is known of a message's arrival, in the order of interest. Empty ones are not shown.
func facts(t *store.Trace) []fact {
	script := t.Script.Path
	if script != "" && t.Script.Sure != osm.Exact {
		script += " (" + t.Script.Sure.String() + ")"
	}
	arrived := t.Time.Local().Format("2006-01-02 15:04:05 -0700")
	if t.NoArrival {
		arrived = "before the history begins"
	}
	verdict := ""
	if t.Verdict.Action != osm.Accept {
		verdict = fmt.Sprintf("%s: %s (%s)", t.Verdict.Action, t.Verdict.Detail, t.Verdict.ID)
	}
	subject := t.Subject
	if !t.HasSubject {
		subject = "(not logged)"
	}
	return []fact{{"id", t.ID}, {"arrived", arrived}, {"class", t.Class.String()}, {"verdict", verdict},
		{"account", t.Account}, {"login", t.Login}, {"user", t.User}, {"script", script}, {"client", client(&t.Message)},
		{"protocol", strings.TrimSpace(t.Protocol + " " + t.TLS)}, {"sender", angle(t.Sender)},
		{"recipients", strings.Join(t.Recipients, ", ")}, {"subject", subject}, {"size", osm.ShortSize(t.Size)},
		{"message-id", t.MessageID}, {"about", t.Parent}, {"queue", t.Queue}, {"result", result(&t.Found)}}
}

// client tells all that is known of the submitting host: its verified name, address, HELO and network.
func client(m *osm.Message) string {
	parts := []string{m.ClientHost, web.Address(m.Client)}
	if m.Helo != "" {
		parts = append(parts, "HELO "+m.Helo)
	}
	parts = append(parts, m.Country)
	if m.ASN != 0 {
		parts = append(parts, "AS"+strconv.FormatUint(uint64(m.ASN), 10))
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

func deliveryTable(t *store.Trace) *table {
	table := newTable("time", "recipient", "result", "to", "why")
	for i := range t.Deliveries {
		d := &t.Deliveries[i]
		recipient := d.Recipient
		if d.Original != "" && d.Original != d.Recipient {
			recipient += " <" + d.Original + ">"
		}
		to := d.Transport
		if d.Host != "" || d.IP.IsValid() {
			to = strings.TrimSpace(d.Host + " " + web.Address(d.IP))
		}
		why := d.Text
		if d.Refusal != osm.NotRefused {
			why = d.Refusal.String() + ": " + why
		}
		table.add(d.Time.Local().Format(time.DateTime), recipient, d.Outcome.String(), to, why)
	}
	return table
}
