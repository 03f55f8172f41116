package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
)

// TestPastIsTheLogAndWhatWasRefused: the lines of all days in their order, and at their place the messages that only the
// questions told of.
func TestPastIsTheLogAndWhatWasRefused(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	var lines, refused []string
	for n := range 6000 {
		at := noon.Add(time.Duration(n-6000) * 30 * time.Second) // two days and some hours
		m := example(n, at)
		m.Verdict = osm.Verdict{}
		switch {
		case n%500 == 7: // Exim was told to refuse it
			m.Verdict = osm.Verdict{Action: osm.Reject, Rule: "r", ID: "V" + m.ID, Detail: "no"}
			refused = append(refused, m.ID)
			s.Arrival(m)
		default:
			if n%500 == 9 { // found in the log, when it was too late
				m.Verdict = osm.Verdict{Action: osm.Reject, Rule: "r", ID: "V" + m.ID, Detail: "no", Passive: true}
			}
			line := at.Format("2006-01-02 15:04:05 ") + m.ID + " <= " + m.Sender + strings.Repeat(" x", 300)
			lines = append(lines, line)
			s.Line(at, line)
			s.Arrival(m)
		}
		if n%700 == 0 {
			flush(t, s, noon)
		}
	}
	flush(t, s, noon)
	var got, gotRefused []string
	pieces := 0
	for p, err := range s.Past(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if pieces++; p.Done != pieces || p.Total < pieces {
			t.Errorf("piece %d says it is %d of %d", pieces, p.Done, p.Total)
		}
		for _, m := range p.Refused {
			gotRefused = append(gotRefused, m.ID)
			if len(m.Recipients) != 2 || m.Verdict.Action != osm.Reject {
				t.Errorf("refused %+v", m)
			}
		}
		for line := range strings.Lines(string(p.Text)) {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if !slices.Equal(got, lines) || pieces < 6 {
		t.Errorf("%d lines in %d pieces, want %d", len(got), pieces, len(lines))
	}
	if !slices.Equal(gotRefused, refused) {
		t.Errorf("refused %v, want %v", gotRefused, refused)
	}
}

func TestPastEndsWhenItIsTold(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	for p, err := range s.Past(t.Context()) {
		t.Errorf("an empty history has %v, %v", p, err)
	}
	s.Line(noon, "a line")
	flush(t, s, noon)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range s.Past(ctx) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("error %v", last)
	}
}
