package action

import (
	"fmt"
	"strings"
	"time"

	"osm"
	"osm/incident"
)

// Alert is what is told at once: one or more incidents that have entered a new state.
type Alert struct {
	ID        string              `json:"id"`
	Host      string              `json:"host"`
	Time      time.Time           `json:"time"`
	Test      bool                `json:"test,omitempty"` // osm test-alert
	Incidents []incident.Incident `json:"incidents"`
	More      int                 `json:"more,omitempty"`   // further incidents that did not fit
	Notice    string              `json:"notice,omitempty"` // what is told in place of incidents; its first line is the headline
}

// maxIncidents bounds one alert; a storm of more is told as a number.
const maxIncidents = 50

// Subject is the alert in one line, printable.
func (a *Alert) Subject() string {
	prefix := "[osm " + osm.Printable(a.Host) + "] "
	if a.Test {
		prefix += "TEST: "
	}
	if a.Notice != "" {
		headline, _, _ := strings.Cut(a.Notice, "\n")
		return prefix + osm.Printable(headline)
	}
	n := len(a.Incidents) + a.More
	if n == 0 {
		return prefix + "nothing"
	}
	first := headline(&a.Incidents[0])
	if n == 1 {
		return prefix + first
	}
	return fmt.Sprintf("%s%d incidents, first: %s", prefix, n, first)
}

func headline(i *incident.Incident) string {
	return fmt.Sprintf("%s: %s %s", i.Rule, osm.Printable(clip(i.Key.Value, 80)), outcome(i))
}

// outcome is what has been done about an incident, in words.
func outcome(i *incident.Incident) string {
	done := map[osm.Action]string{osm.Hold: "is held", osm.Reject: "is stopped", osm.Defer: "is deferred", osm.Discard: "is discarded",
		osm.Divert: "is diverted"}[i.Action]
	switch {
	case i.State == incident.Closed:
		return "is over"
	case i.Passive:
		return "sends on (osm only watches)"
	case done == "":
		return "was noticed"
	}
	return done
}

// Text is the alert for people, printable line by line.
func (a *Alert) Text() string {
	var b strings.Builder
	if a.Test {
		b.WriteString("This is a test: nothing has happened.\n\n")
	}
	for line := range strings.Lines(a.Notice) {
		b.WriteString(osm.Printable(strings.TrimSuffix(line, "\n")) + "\n")
	}
	for k := range a.Incidents {
		if k > 0 {
			b.WriteString("\n" + strings.Repeat("-", 60) + "\n\n")
		}
		writeIncident(&b, &a.Incidents[k])
	}
	if a.More > 0 {
		fmt.Fprintf(&b, "\nand %d more: osm incidents\n", a.More)
	}
	return b.String()
}

const stamp = "2006-01-02 15:04:05 -0700"

func writeIncident(b *strings.Builder, i *incident.Incident) {
	line := func(name, format string, args ...any) {
		if text := osm.Printable(clip(fmt.Sprintf(format, args...), 300)); text != "" {
			fmt.Fprintf(b, "%-12s %s\n", name, text)
		}
	}
	line("Incident", "%s (%s)", i.ID, i.State)
	line("Who", "%s", i.Key)
	if i.Account != i.Key.Value {
		line("Account", "%s", i.Account)
	}
	line("What", "%s: %s", i.Rule, i.Detail)
	line("Done", "%s", outcome(i))
	line("Since", "%s", i.Opened.Format(stamp))
	line("Latest", "%s", i.Updated.Format(stamp))
	line("So far", "%d messages to %d recipients", i.Messages, i.Recipients)
	line("From", "%s", strings.Join(i.Clients, " "))
	if len(i.Findings) > 0 {
		b.WriteString("\nWhy:\n")
		for _, f := range i.Findings {
			normal := ""
			if f.Normal != "" {
				normal = " (normally " + osm.Printable(clip(f.Normal, 120)) + ")"
			}
			fmt.Fprintf(b, "  %-20s %s%s\n", osm.Printable(f.Fact), osm.Printable(clip(f.Value, 120)), normal)
		}
	}
	if len(i.Samples) > 0 {
		b.WriteString("\nFor example:\n")
		for _, s := range i.Samples[:min(len(i.Samples), 5)] {
			fmt.Fprintf(b, "  %s  %s -> %s  %s\n", osm.Printable(s.ID), osm.Printable(clip(s.Sender, 60)),
				osm.Printable(clip(strings.Join(s.Recipients, " "), 60)), osm.Printable(clip(s.Subject, 80)))
		}
	}
	fmt.Fprintf(b, "\nMore:         osm explain %s\n", i.ID)
}

// clip shortens a text to so many runes.
func clip(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}

// TestAlert is what osm test-alert sends.
func TestAlert(host string, now time.Time) Alert {
	i := incident.Incident{ID: "ITEST", Key: osm.Key{Kind: osm.KeyLogin, Value: "somebody@example.org"}, Rule: "stolen-login", State: incident.Open,
		Opened: now, Updated: now, Reason: "test", Detail: "a test alert", Passive: true, Messages: 1, Recipients: 1}
	return Alert{ID: fmt.Sprintf("T%d", now.Unix()), Host: host, Time: now, Test: true, Incidents: []incident.Incident{i}}
}
