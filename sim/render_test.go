package sim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/exim"
)

// TestLogIsUnderstood: every line of every style is one that Exim writes, with valid ids and in order, and says what
// the events say as far as the style logs it.
func TestLogIsUnderstood(t *testing.T) {
	for s := Recommended; s <= Hestia; s++ {
		cfg := small(3, Family(s%2))
		cfg.Style, cfg.LongIDs = s, s == Debian || s == CPanel
		w := New(cfg)
		var log, truth bytes.Buffer
		if err := w.WriteLog(&log, &truth); err != nil {
			t.Fatal(err)
		}
		want, messages := expected(w)
		got := map[exim.Kind]int{}
		parser, on, last := exim.NewParser(time.UTC), selectors[s], time.Time{}
		submitted := map[int]string{} // process to folder
		var e exim.Entry
		for text := range strings.Lines(log.String()) {
			parser.Parse(strings.TrimSuffix(text, "\n"), &e)
			got[e.Kind]++
			if e.Kind == exim.Unknown || e.Forged != exim.NoSign || e.Time.Before(last) {
				t.Fatalf("%v: %v, forged %v, after %v: %s", s, e.Kind, e.Forged, last, text)
			}
			last = e.Time
			switch e.Kind {
			case exim.Submission:
				submitted[e.PID] = e.Dir
			case exim.Arrival:
				checkArrival(t, on, &e, messages[e.ID])
				if path := messages[e.ID].Script.Path; on.pid && path != "" && submitted[e.PID] != path {
					t.Fatalf("%v: %s came from %s, its process wrote %q", s, e.ID, path, submitted[e.PID])
				}
			}
		}
		for _, k := range []exim.Kind{exim.Arrival, exim.Delivery, exim.Deferral, exim.Failure, exim.Completed,
			exim.AuthFailure} {
			if got[k] != want[k] || got[k] == 0 {
				t.Errorf("%v: %d lines of %v, want %d", s, got[k], k, want[k])
			}
		}
		if n := strings.Count(truth.String(), "\n"); n != got[exim.Arrival] {
			t.Errorf("%v: the truth about %d of %d messages", s, n, got[exim.Arrival])
		}
	}
}

// expected counts the lines of a world by kind.
func expected(w *World) (kinds map[exim.Kind]int, messages map[string]*osm.Message) {
	kinds, messages = map[exim.Kind]int{}, map[string]*osm.Message{}
	full := *w
	full.Config.Style = Recommended
	watch(&full, func(ev *Event) {
		switch ev.Kind {
		case Arrival:
			kinds[exim.Arrival]++
			messages[ev.Message.ID] = ev.Message
		case Delivery:
			kinds[[]exim.Kind{exim.Delivery, exim.Deferral, exim.Failure}[ev.Delivery.Outcome]]++
		case Completed:
			kinds[exim.Completed]++
		case AuthFailure:
			kinds[exim.AuthFailure]++
		}
	})
	return kinds, messages
}

func checkArrival(t *testing.T, on selector, e *exim.Entry, m *osm.Message) {
	t.Helper()
	if m == nil {
		t.Fatalf("a line of an unknown message: %s", e.Line)
	}
	subject, recipients, ip := "", "", ""
	if on.subject {
		subject = m.Subject
	}
	if on.recipients {
		recipients = strings.Join(m.Recipients, " ")
	}
	if m.Client.IsValid() {
		ip = m.Client.String()
	}
	got := fmt.Sprintf("%q", []any{e.Sender, exim.Unescape(e.Subject), e.Recipients, e.IP, e.Login, e.User, e.Size,
		e.Protocol, e.Parent})
	want := fmt.Sprintf("%q", []any{m.Sender, subject, recipients, ip, m.Login, m.User, m.Size, m.Protocol, m.Parent})
	if got != want {
		t.Fatalf("read\n%s, written\n%s\nas %s", got, want, e.Line)
	}
}

func TestSubjectsAreEscaped(t *testing.T) {
	for _, s := range []string{`say "hi"`, `back\slash`, "caf\xc3\xa9", "two\nlines\tand more", `T="x" for a@b`} {
		if back := exim.Unescape(string(appendEscaped(nil, s))); back != s {
			t.Errorf("%q comes back as %q", s, back)
		}
	}
}
