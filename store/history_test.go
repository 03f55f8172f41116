package store

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"osm"
)

// same compares what was put in with what comes out.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	options := cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func trace(t *testing.T, s *Store, id string) *Trace {
	t.Helper()
	found, err := s.Trace(t.Context(), id)
	if err != nil {
		t.Fatalf("trace %s: %v", id, err)
	}
	return found
}

func TestMessageComesBackWhole(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	m := example(1, noon.Add(-time.Minute+123*time.Millisecond))
	m.Parent, m.Queue = "1xVPM1-0008UQ-2f", "osmhold"
	m.Script, m.User = osm.Script{Path: "/home/acme/www", Sure: osm.Probable}, "acme"
	m.Verdict = osm.Verdict{Action: osm.Hold, Rule: "stolen-login", Reason: "new-recipients", Detail: "412 of 420 never mailed",
		ID: "v-7f3a", Key: osm.Key{Kind: osm.KeyLogin, Value: "bob@acme.example"}, Score: 12.5, Shadow: true,
		Findings: []osm.Finding{{Fact: "new-recipients", Value: "412 of 420", Normal: "2 of 30", Weight: 4.25}}}
	done := []*osm.Delivery{
		attempt(m, "ann@far.example", m.Time.Add(time.Second), osm.Deferred),
		attempt(m, "ann@far.example", m.Time.Add(time.Minute), osm.Delivered),
		attempt(m, "child@far.example", m.Time.Add(time.Minute), osm.Failed),
		{Time: m.Time.Add(time.Hour), Outcome: osm.Suppressed, Recipient: "local", Original: "local", Router: "local_user"},
	}
	done[2].Original = m.Recipients[1]
	s.Arrival(m)
	for _, d := range done {
		s.Delivery(m, d)
	}
	frozen := Event{Time: m.Time.Add(2 * time.Minute), Kind: Frozen, ID: m.ID, Text: "frozen by ACL"}
	s.Event(frozen)
	s.Event(Event{Time: m.Time.Add(3 * time.Minute), Kind: Completed, ID: m.ID})
	flush(t, s, noon)

	got := trace(t, s, m.ID)
	same(t, "message", got.Message, *m)
	want := []osm.Delivery{}
	for _, d := range done {
		want = append(want, *d)
	}
	want[1].Text = ""
	same(t, "deliveries", got.Deliveries, want)
	same(t, "events", got.Events, []Event{frozen})
	same(t, "outcome", got.Found, Found{Message: *m, RecipientCount: 2, Delivered: 1, Deferred: 1, Failed: 1, Suppressed: 1,
		Completed: m.Time.Add(3 * time.Minute)})
	byVerdict, err := s.Verdict(t.Context(), "v-7f3a")
	if err != nil || byVerdict.ID != m.ID {
		t.Errorf("verdict v-7f3a is of %v, %v; want %s", byVerdict, err, m.ID)
	}
	for _, missing := range []string{"1xVPM1-0008UQ-2f", "", "nonsense"} {
		if _, err := s.Message(t.Context(), missing); !errors.Is(err, ErrNotFound) {
			t.Errorf("message %q: %v, want ErrNotFound", missing, err)
		}
	}
	if _, err := s.Verdict(t.Context(), "v-other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown verdict: %v, want ErrNotFound", err)
	}
}

// Deliveries come in later flushes, on later days, after a restart; they find their message.
func TestLateDeliveries(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	long := example(1, noon)
	long.ID = "1xVSiu-00000001C9U-0UX3"
	odd := example(2, noon.Add(time.Second))
	odd.ID = "not-one-of-exims"
	slow := example(3, noon.Add(2*time.Second))
	slow.ID = exampleID(noon.Add(-30*time.Hour), 3) // its reception began long ago
	all := []*osm.Message{long, odd, slow, example(4, noon.Add(3*time.Second))}
	for _, m := range all {
		s.Arrival(m)
	}
	flush(t, s, noon)
	for day := 1; day <= 3; day++ {
		now := noon.AddDate(0, 0, day)
		if day == 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openTest(t, cfg, now)
		}
		for _, m := range all {
			s.Delivery(m, attempt(m, m.Recipients[0], now, osm.Deferred))
			if day == 3 {
				s.Delivery(m, attempt(m, m.Recipients[1], now, osm.Delivered))
				s.Event(Event{Time: now, Kind: Completed, ID: m.ID})
			}
		}
		flush(t, s, now)
	}
	for _, m := range all {
		got := trace(t, s, m.ID)
		same(t, m.ID, got.Message, *m)
		if got.Deferred != 3 || got.Delivered != 1 || len(got.Deliveries) != 4 || got.NoArrival {
			t.Errorf("%s: %d deferred, %d delivered, %d attempts; want 3, 1, 4", m.ID, got.Deferred, got.Delivered,
				len(got.Deliveries))
		}
		if !got.Completed.Equal(noon.AddDate(0, 0, 3)) {
			t.Errorf("%s was completed at %v", m.ID, got.Completed)
		}
	}
	if page, err := s.Search(t.Context(), Filter{}); err != nil || len(page.Messages) != len(all) {
		t.Errorf("%d messages, %v; want %d", len(page.Messages), err, len(all))
	}
}

// A delivery may come before its arrival: in the same flush, in an earlier one, or the arrival never comes.
func TestDeliveryBeforeArrival(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	a, b, c := example(1, noon), example(2, noon), example(3, noon.Add(-40*time.Hour))
	unknown := func(m *osm.Message) *osm.Message { return &osm.Message{ID: m.ID} }
	b.Verdict = osm.Verdict{Action: osm.Hold, ID: "v-b", Shadow: true}
	early := unknown(b)
	early.Verdict = b.Verdict
	s.Delivery(early, attempt(b, "x@far.example", noon, osm.Delivered))
	for _, m := range []*osm.Message{a, c} {
		s.Delivery(unknown(m), attempt(m, "x@far.example", noon, osm.Delivered))
	}
	s.Arrival(a)
	flush(t, s, noon)
	if got := trace(t, s, b.ID); !got.NoArrival || got.ID != b.ID || got.Delivered != 1 {
		t.Errorf("before its arrival: %+v", got.Found)
	}
	s.Arrival(b)
	s.Delivery(b, attempt(b, "y@far.example", noon.Add(time.Second), osm.Failed))
	other := example(4, noon)
	s.Arrival(other)
	flush(t, s, noon)
	for m, attempts := range map[*osm.Message]int{a: 1, b: 2, other: 0} {
		got := trace(t, s, m.ID)
		same(t, m.ID, got.Message, *m)
		if got.NoArrival || len(got.Deliveries) != attempts || got.Delivered+got.Failed != attempts {
			t.Errorf("%s: %+v with %d attempts, want %d", m.ID, got.Found, len(got.Deliveries), attempts)
		}
	}
	got := trace(t, s, c.ID)
	if !got.NoArrival || !got.Time.Equal(c.Time.Truncate(time.Second)) || len(got.Deliveries) != 1 {
		t.Errorf("without an arrival: %+v", got.Found)
	}
}

// Ids repeat only in a forged or damaged log: the first arrival stands, and nothing else is lost.
func TestRepeatedArrival(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	first := example(1, noon)
	forged := example(1, noon)
	forged.Sender, forged.Login = "evil@acme.example", "evil"
	s.Arrival(first)
	s.Arrival(forged)
	flush(t, s, noon)
	s.Arrival(forged)
	next := example(2, noon)
	s.Arrival(next)
	flush(t, s, noon)
	same(t, "first", trace(t, s, first.ID).Message, *first)
	same(t, "next", trace(t, s, next.ID).Message, *next)
	page, err := s.Search(t.Context(), Filter{})
	if err != nil || len(page.Messages) != 2 {
		t.Errorf("%d messages, %v; want 2", len(page.Messages), err)
	}
}

func TestMessagesWithoutID(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	for n := range 5 {
		m := example(n, noon)
		m.ID = []string{"", "", "", "1", "2"}[n]
		m.Verdict = osm.Verdict{Action: osm.Reject, ID: "v" + m.Subject}
		s.Arrival(m)
	}
	flush(t, s, noon)
	page, err := s.Search(t.Context(), Filter{Action: new(osm.Reject)})
	if err != nil || len(page.Messages) != 5 || page.Messages[4].ID != "" {
		t.Fatalf("%+v, %v; want 5 messages", page, err)
	}
}

// Dates that cannot be true: the future goes with today, what is older than store.keep is not kept.
func TestDatesOutOfRange(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	future := example(1, noon.AddDate(30, 0, 0))
	tomorrow := example(2, noon.AddDate(0, 0, 1))
	old := example(3, noon.AddDate(0, 0, -40))
	undated := example(4, noon)
	undated.Time = time.Time{}
	for _, m := range []*osm.Message{future, tomorrow, undated, old} {
		s.Line(m.Time, m.ID+" <= somebody")
		s.Arrival(m)
		s.Delivery(m, attempt(m, "x@far.example", m.Time, osm.Delivered))
	}
	flush(t, s, noon)
	for _, m := range []*osm.Message{future, tomorrow} {
		got := trace(t, s, m.ID)
		same(t, m.ID, got.Message, *m)
		same(t, m.ID, got.Lines, []string{m.ID + " <= somebody"})
	}
	if _, err := s.Message(t.Context(), old.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old one: %v, want ErrNotFound", err)
	}
	if _, err := s.Message(t.Context(), undated.ID); err != nil {
		t.Errorf("the undated one: %v", err)
	}
	if h := s.Health(t.Context()); h.Days != 2 {
		t.Errorf("%d days have tables, want 2", h.Days)
	}
}

func TestEvents(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	refused := exampleID(noon, 9)
	events := []Event{
		{Time: noon, Kind: AuthFailure, Client: netip.MustParseAddr("2001:db8::1"), Login: "bob", Text: "535 Incorrect"},
		{Time: noon, Kind: Rejection, ID: refused, Sender: "a@x.example", Recipient: "b@y.example", Text: "after DATA"},
	}
	s.Line(noon, "some line about nobody")
	s.Event(events[0])
	s.Line(noon, refused+" H=x rejected after DATA")
	s.Event(events[1])
	for range maxSamples + 5 {
		s.Event(Event{Time: noon, Kind: Unknown, Text: "gibberish"})
	}
	flush(t, s, noon)
	for _, e := range events {
		got, err := s.Samples(t.Context(), e.Kind, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, e.Kind.String(), got, []Event{e})
	}
	got := trace(t, s, refused)
	same(t, "lines", got.Lines, []string{refused + " H=x rejected after DATA"})
	same(t, "events", got.Events, events[1:])
	if samples, err := s.Samples(t.Context(), Unknown, 5000); err != nil || len(samples) != maxSamples {
		t.Errorf("%d unknown lines are kept, %v; want %d", len(samples), err, maxSamples)
	}
	report, err := s.Report(t.Context(), ReportQuery{Since: noon, Until: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "counts", report.Events, map[EventKind]int64{AuthFailure: 1, Rejection: 1, Unknown: maxSamples + 5})
}

// Everything a stranger can write goes in and comes out as it was, apart from NUL and undue length.
func TestHostileTexts(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	hostile := []string{`'; DROP TABLE message_20261123; --`, `"quoted"`, `100%_\`, "caf\xe9", "\u202egnp.exe",
		"a\x00b", strings.Repeat("x", 100_000), strings.Repeat("\u00e9", 5000), "DAY", "line\nbreak", "*", "[]", "null"}
	var all []*osm.Message
	for n, text := range hostile {
		m := example(n, noon)
		m.Subject, m.Sender, m.Helo, m.Login, m.Account, m.Script.Path = text, text, text, text, text, text
		m.Recipients = []string{text}
		s.Line(noon, m.ID+" <= "+text)
		s.Arrival(m)
		s.Delivery(m, attempt(m, text, noon, osm.Failed))
		s.Event(Event{Time: noon, Kind: Frozen, ID: m.ID, Text: text})
		all = append(all, m)
	}
	flush(t, s, noon)
	for n, m := range all {
		got, want := trace(t, s, m.ID), clean(hostile[n])
		for i, text := range []string{got.Subject, got.Sender, got.Helo, got.Login, got.Account, got.Script.Path,
			got.Recipients[0], got.Deliveries[0].Recipient, got.Events[0].Text} {
			if text != want && strings.ToValidUTF8(want, "\ufffd") != text { // JSON keeps no invalid UTF-8
				t.Errorf("text %d of message %d is %.40q, want %.40q", i, n, text, want)
			}
		}
		page, err := s.Search(t.Context(), Filter{Sender: hostile[n], Login: hostile[n], Recipient: hostile[n]})
		if err != nil || !strings.Contains(hostile[n], "*") && (len(page.Messages) != 1 || page.Messages[0].ID != m.ID) {
			t.Errorf("search for %.40q: %d messages, %v", hostile[n], len(page.Messages), err)
		}
	}
}

// The texts that are known by heart are bounded. Those that come again then have two ids, and nobody can tell.
func TestForgottenTexts(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	w, err := s.openDay(dayOf(noon))
	if err != nil {
		t.Fatal(err)
	}
	w.texts.limit = 100
	for n := range 600 {
		m := example(n, noon)
		m.Account = fmt.Sprintf("account%d", n%3)
		m.Sender = fmt.Sprintf("sender%d@acme.example", n%200)
		s.Arrival(m)
		s.Delivery(m, attempt(m, "ann@far.example", noon, osm.Failed))
		if len(w.texts.ids) > 100 {
			t.Fatalf("%d texts are known by heart", len(w.texts.ids))
		}
	}
	flush(t, s, noon)
	if w.texts.last < 2000 {
		t.Fatalf("only %d ids were given: nothing was forgotten", w.texts.last)
	}
	page, err := s.Search(t.Context(), Filter{Sender: "sender7@acme.example", Recipient: "ann@far.example", Limit: 100})
	if err != nil || len(page.Messages) != 3 {
		t.Errorf("%d messages of one sender, %v; want 3", len(page.Messages), err)
	}
	report, err := s.Report(t.Context(), ReportQuery{Since: noon, Until: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	accounts := report.Top[osm.KeyAccount]
	if len(accounts) != 3 || accounts[0].Messages != 200 || accounts[2].Refusals[osm.NoSuchUser] != 200 {
		t.Errorf("%+v; want 3 accounts with 200 messages each", accounts)
	}
}

// A clock that jumps back, as at a boot without a battery, neither moves nor drops anything.
func TestClockJumpsBack(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	first, second := example(1, noon), example(2, noon.Add(time.Hour))
	s.Arrival(first)
	flush(t, s, noon)
	s.Arrival(second)
	s.Delivery(first, attempt(first, "ann@far.example", noon.Add(time.Hour), osm.Delivered))
	flush(t, s, time.Unix(1000, 0))
	flush(t, s, noon.Add(2*time.Hour))
	for _, m := range []*osm.Message{first, second} {
		same(t, m.ID, trace(t, s, m.ID).Message, *m)
	}
	if h := s.Health(t.Context()); h.Days != 1 {
		t.Errorf("%d days have tables, want 1", h.Days)
	}
}
