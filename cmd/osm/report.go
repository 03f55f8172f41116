package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/store"
	"osm/web"
)

func (p *program) report() *cobra.Command {
	var flags reportFlags
	var html string
	c := &cobra.Command{
		Use:   "report",
		Short: "Sum up who sent what, and what became of it",
		Long: "Sums up the hours of a time span: by class, and the top accounts, logins, scripts, clients, sender domains and\n" +
			"subjects. The rankings leave out mail from outside and bounces, unless --class asks for them. What is found are messages\n" +
			"that osm stopped, or would have stopped where it only watches.",
		Example: "  osm report --since 7d\n  osm report --class script,login --limit 50\n  osm report --html report.html",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := flags.query(p.now())
			if err != nil {
				return err
			}
			report, err := ask(c.Context(), p, func(ctx context.Context, r *store.Reader) (*store.Report, error) {
				return r.Report(ctx, q)
			})
			if err != nil {
				return err
			}
			switch {
			case p.json:
				return writeJSON(p.out, web.ReportOf(report))
			case html != "":
				return p.toFile(html, func(w io.Writer) error { return writeReportHTML(w, report) })
			default:
				return writeReport(p.out, report, terminalWidth(p.out))
			}
		},
	}
	flags.span.flags(c, "24h")
	c.Flags().IntVar(&flags.limit, "limit", 10, "lines of each ranking")
	c.Flags().StringVar(&flags.by, "by", "messages", "order of the rankings: "+strings.Join(orders[:], ", "))
	c.Flags().StringSliceVar(&flags.classes, "class", nil, "only these ways of sending: "+classNames())
	c.Flags().StringVar(&html, "html", "", "write a page with pictures to this file (- is the terminal or pipe)")
	c.MarkFlagFilename("html", "html")
	p.configFlag(c)
	p.jsonFlag(c)
	c.MarkFlagsMutuallyExclusive("html", "json")
	return c
}

func classNames() string {
	var names []string
	for _, c := range osm.Classes() {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}

// orders are the names of store.Order.
var orders = [...]string{store.ByMessages: "messages", store.ByRecipients: "recipients", store.ByFailed: "failed"}

// reportFlags say what to sum up.
type reportFlags struct {
	span    span
	limit   int
	by      string
	classes []string
}

func (f *reportFlags) query(now time.Time) (store.ReportQuery, error) {
	since, until, err := f.span.times(now)
	q := store.ReportQuery{Since: since, Until: until, Limit: f.limit}
	if err != nil {
		return q, err
	}
	if until.IsZero() {
		q.Until = now
	}
	if f.limit < 1 || f.limit > 1000 {
		return q, wrongUsage("--limit %d: must be between 1 and 1000", f.limit)
	}
	order := slices.Index(orders[:], f.by)
	if order < 0 {
		return q, wrongUsage("--by %q: must be one of %s", f.by, strings.Join(orders[:], ", "))
	}
	q.Order = store.Order(order)
	for _, name := range f.classes {
		class, err := osm.ParseClass(name)
		if err != nil {
			return q, usageError{fmt.Errorf("--class: %w", err)}
		}
		q.Classes = append(q.Classes, class)
	}
	return q, nil
}

// ask opens the history, puts one question to it and closes it again.
func ask[T any](ctx context.Context, p *program, question func(context.Context, *store.Reader) (T, error)) (T, error) {
	var none T
	reader, err := p.history()
	if err != nil {
		return none, err
	}
	answer, err := question(ctx, reader)
	return answer, errors.Join(err, reader.Close())
}

// history opens the store that the configuration names.
func (p *program) history() (*store.Reader, error) {
	loaded, err := p.load()
	if err != nil {
		return nil, err
	}
	reader, err := store.OpenReader(loaded.Store.Path)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no history yet in %s: \"osm serve\" makes it (%w)", loaded.Store.Path, err)
	}
	return reader, err
}

// toFile writes to a file, or to the program's output for "-".
func (p *program) toFile(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(p.out)
	}
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return errors.Join(write(f), f.Close())
}

// rankings are the tops of a report in their order and their titles.
var rankings = [...]struct {
	kind        osm.KeyKind
	title, head string
}{
	{osm.KeyAccount, "Accounts", "account"},
	{osm.KeyLogin, "Logins", "login"},
	{osm.KeyScript, "Scripts", "directory"},
	{osm.KeyClient, "Clients", "address"},
	{osm.KeySenderDomain, "Sender domains", "domain"},
	{osm.KeySubject, "Subjects", "subject"},
}

const clock = "2006-01-02 15:04"

// writeReport prints a report for a terminal of a width (0: none).
func writeReport(w io.Writer, r *store.Report, width int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Mail from %s to %s\n\n", r.Since.Local().Format(clock), r.Until.Local().Format(clock))
	if err := classTable(r).write(&b, width); err != nil {
		return err
	}
	if line := refusalLine(r.Total); line != "" {
		fmt.Fprintf(&b, "\nRefused: %s\n", line)
	}
	if line := eventLine(r); line != "" {
		fmt.Fprintf(&b, "\nAlso seen: %s\n", line)
	}
	for _, ranking := range rankings {
		if len(r.Top[ranking.kind]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", ranking.title)
		t := newTable(countHeads(ranking.head)...)
		for _, top := range r.Top[ranking.kind] {
			t.add(countCells(top.Value, top.Counts)...)
		}
		if err := t.write(&b, width); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func countHeads(first string) []string {
	return []string{first, ">messages", ">recipients", ">delivered", ">deferred", ">failed", ">found", ">size"}
}

func countCells(first string, c store.Counts) []string {
	return []string{first, number(c.Messages), number(c.Recipients), number(c.Delivered), number(c.Deferred), number(c.Failed),
		number(c.Stopped), osm.ShortSize(c.Bytes)}
}

func classTable(r *store.Report) *table {
	t := newTable(countHeads("class")...)
	var all store.Counts
	for _, class := range append(osm.Classes(), osm.NoClass) {
		c := r.Classes[class]
		if c == (store.Counts{}) {
			continue
		}
		t.add(countCells(class.String(), c)...)
		addCounts(&all, c)
	}
	t.add(countCells("all", all)...)
	return t
}

func addCounts(into *store.Counts, c store.Counts) {
	into.Messages += c.Messages
	into.Recipients += c.Recipients
	into.Bytes += c.Bytes
	into.Stopped += c.Stopped
	into.Delivered += c.Delivered
	into.Remote += c.Remote
	into.Deferred += c.Deferred
	into.Failed += c.Failed
	for i, n := range c.Refusals {
		into.Refusals[i] += n
	}
}

func refusalLine(c store.Counts) string {
	var parts []string
	for _, r := range osm.Refusals() {
		if n := c.Refusals[r]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", number(n), r))
		}
	}
	return strings.Join(parts, ", ")
}

// eventLine tells of what is not a message, the worrying first.
func eventLine(r *store.Report) string {
	var parts []string
	for _, e := range []struct {
		kind store.EventKind
		name string
	}{{store.Complaint, "complaints"}, {store.Forged, "forged lines"}, {store.AuthFailure, "failed logins"}, {store.Rejection, "rejections"},
		{store.Frozen, "frozen messages"}, {store.Unknown, "lines not understood"}} {
		if n := r.Events[e.kind]; n > 0 {
			parts = append(parts, number(n)+" "+e.name)
		}
	}
	return strings.Join(parts, ", ")
}
