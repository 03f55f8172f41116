package action

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/incident"
)

// Digest is what is mailed once a day. Its texts are hostile.
type Digest struct {
	Host         string
	Since, Until time.Time
	Classes      []Row // how it came in, only what occurred
	Total        Row
	Refusals     []Amount // what receivers said, by kind
	Rankings     []Ranking
	Incidents    []incident.Incident // that were live at some time since then
	Notices      []string            // what is wrong with osm itself
	Pictures     []Picture           // as on the page
}

// Row is one line of a digest's tables.
type Row struct {
	Name                                             string
	Messages, Recipients, Delivered, Failed, Stopped int64
}

// Amount is a number with its name.
type Amount struct {
	Name   string
	Number int64
}

// Ranking is who sent most.
type Ranking struct {
	Title string
	Rows  []Row
}

// digestIncidents bounds the incidents of one digest; of more, the rest is told as a number.
const digestIncidents = 30

// Due is the latest time at or before now at which a digest is to go out, by the time of the day that is configured, in now's
// zone: zero when there is none to send.
func (c *Config) Due(now time.Time) time.Time {
	at, err := time.Parse("15:04", c.Digest)
	if err != nil || len(c.Mail) == 0 {
		return time.Time{}
	}
	due := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
	if due.After(now) {
		due = due.AddDate(0, 0, -1)
	}
	return due
}

// Letter makes the mail of a digest that was due at a time. There is one for each day.
func (d *Digest) Letter(c *Config, due time.Time) (Letter, error) {
	page, err := d.HTML()
	return Letter{ID: "D" + due.Format("2006-01-02"), Way: "digest", Next: d.Until,
		Mail: &Mail{To: slices.Clone(c.Mail), Time: d.Until, Subject: d.Subject(), Text: d.Text(), HTML: page, Pictures: d.Pictures}}, err
}

// Subject is the day in one line.
func (d *Digest) Subject() string {
	live := 0
	for i := range d.Incidents {
		if d.Incidents[i].Live() {
			live++
		}
	}
	s := fmt.Sprintf("[osm %s] %s, %d stopped", osm.Printable(d.Host), osm.Count(d.Total.Messages, "message"), d.Total.Stopped)
	if n := len(d.Incidents); n > 0 {
		s += fmt.Sprintf(", %s (%d going on)", osm.Count(n, "incident"), live)
	}
	return s
}

// Text is the digest for people, printable line by line.
func (d *Digest) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mail from %s to %s\n\n", d.Since.Format(stamp), d.Until.Format(stamp))
	writeRows(&b, "Way", append(slices.Clone(d.Classes), d.Total))
	if len(d.Refusals) > 0 {
		b.WriteString("\nRefused by receivers:\n")
		for _, a := range d.Refusals {
			fmt.Fprintf(&b, "  %-16s %8d\n", osm.Printable(a.Name), a.Number)
		}
	}
	d.writeIncidents(&b)
	for _, r := range d.Rankings {
		if len(r.Rows) > 0 {
			b.WriteByte('\n')
			writeRows(&b, r.Title, r.Rows)
		}
	}
	if len(d.Notices) > 0 {
		b.WriteString("\nosm itself (osm doctor tells more):\n")
		for _, n := range d.Notices {
			fmt.Fprintf(&b, "  %s\n", osm.Printable(clip(n, 300)))
		}
	}
	b.WriteString("\nMore:  osm report --since 24h    osm incidents\n")
	return b.String()
}

func writeRows(b *strings.Builder, title string, rows []Row) {
	fmt.Fprintf(b, "%-40s %9s %10s %9s %8s %8s\n", title, "messages", "recipients", "delivered", "failed", "stopped")
	for _, r := range rows {
		fmt.Fprintf(b, "%-40s %9d %10d %9d %8d %8d\n", osm.Printable(clip(r.Name, 39)), r.Messages, r.Recipients, r.Delivered,
			r.Failed, r.Stopped)
	}
}

// writeIncidents lists what goes on before what is over, the latest first.
func (d *Digest) writeIncidents(b *strings.Builder) {
	if len(d.Incidents) == 0 {
		b.WriteString("\nNo incidents.\n")
		return
	}
	all := d.sorted()
	b.WriteString("\nIncidents:\n")
	for _, in := range all[:min(len(all), digestIncidents)] {
		fmt.Fprintf(b, "  %s  %-8s %s, %s to %s: %s\n", osm.Printable(in.ID), in.State, headline(in), osm.Count(in.Messages, "message"),
			osm.Count(in.Recipients, "recipient"), osm.Printable(clip(in.Detail, 120)))
	}
	if more := len(all) - digestIncidents; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

// sorted are the incidents, what goes on before what is over.
func (d *Digest) sorted() []*incident.Incident {
	all := make([]*incident.Incident, len(d.Incidents))
	for i := range all {
		all[i] = &d.Incidents[i]
	}
	incident.Sort(all)
	return all
}
