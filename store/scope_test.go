package store

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
)

// scoped is a history of three accounts over two days, with what is known of each.
type scoped struct {
	*Store
	messages map[string][]*osm.Message // by account
	failed   map[string]int64
}

func newScoped(t *testing.T) *scoped {
	t.Helper()
	w := &scoped{Store: openTest(t, testConfig(t), noon), messages: map[string][]*osm.Message{}, failed: map[string]int64{}}
	for n := range 120 {
		account := []string{"acme", "bakery", "", "Acme"}[n%4]
		m := example(n, noon.Add(-time.Duration(n)*20*time.Minute))
		m.Account, m.Login, m.Sender = account, fmt.Sprintf("u%d@%s.example", n%3, account), fmt.Sprintf("u%d@%s.example", n%3, account)
		m.Subject, m.Client = "offer of "+account, netip.AddrFrom4([4]byte{192, 0, 2, byte(n%4 + 1)})
		if n%5 == 0 {
			m.Verdict = osm.Verdict{ID: fmt.Sprintf("V%d", n), Action: osm.Hold, Rule: "stolen-login", Findings: []osm.Finding{{Fact: "x"}}}
		}
		w.Line(m.Time, m.Time.Format(time.DateTime)+" "+m.ID+" <= "+m.Sender)
		w.Arrival(m)
		d := &osm.Delivery{Time: m.Time.Add(time.Second), Outcome: osm.Delivered, Recipient: m.Recipients[0], Original: m.Recipients[0], Remote: true}
		if n%3 == 0 {
			d.Outcome, d.Refusal, d.Code, d.Text, d.Host = osm.Failed, osm.Spam, 550, "no "+account, "mx."+account+".example"
			w.failed[account]++
		}
		w.Delivery(m, d)
		w.messages[account] = append(w.messages[account], m)
		bounce := exampleID(m.Time, n+1000)
		w.Line(m.Time, m.Time.Format(time.DateTime)+" "+bounce+" <= <> R="+m.ID+" secret of somebody else")
	}
	flush(t, w.Store, noon)
	return w
}

// TestWithin: a reader of some accounts answers every question as if nobody else had sent anything.
func TestWithin(t *testing.T) {
	w := newScoped(t)
	ctx := t.Context()
	for _, accounts := range [][]string{{"acme"}, {"bakery", "acme"}, {"nobody"}, nil, {""}, {"acme' OR '1'='1"}} {
		r := w.Within(accounts)
		var mine, others []*osm.Message
		failed := int64(0)
		for account, list := range w.messages {
			if account != "" && slices.Contains(accounts, account) {
				mine = append(mine, list...)
				failed += w.failed[account]
			} else {
				others = append(others, list...)
			}
		}
		n := int64(len(mine))
		report, err := r.Report(ctx, ReportQuery{Since: noon.Add(-72 * time.Hour), Until: noon.Add(time.Hour), Limit: 200})
		if err != nil || report.Total.Messages != n || report.Total.Failed != failed || report.Total.Refusals[osm.Spam] != failed || len(report.Events) != 0 {
			t.Errorf("%q: %+v, %v; want %d messages, %d failed", accounts, report.Total, err, n, failed)
		}
		for kind, rows := range report.Top {
			sum := int64(0)
			for _, row := range rows {
				sum += row.Messages
			}
			if kind != osm.KeyScript && sum != n {
				t.Errorf("%q: %d messages are ranked by %s, want %d", accounts, sum, kind, n)
			}
		}
		page, err := r.Search(ctx, Filter{Limit: 500})
		if err != nil || int64(len(page.Messages)) != n {
			t.Errorf("%q: %d found, %v; want %d", accounts, len(page.Messages), err, n)
		}
		minutes, err := r.Minutes(ctx, noon.Add(-72*time.Hour))
		if err != nil || int64(len(minutes)) != n {
			t.Errorf("%q: %d minutes, %v; want %d", accounts, len(minutes), err, n)
		}
		answers, err := r.Answers(ctx, noon.Add(-72*time.Hour), noon.Add(time.Hour), 100)
		sum := int64(0)
		for _, a := range answers {
			sum += a.Count
		}
		if err != nil || sum != failed {
			t.Errorf("%q: %d answers, %v; want %d", accounts, sum, err, failed)
		}
		w.lookUp(t, r, mine, others)
	}
}

// lookUp asks for single messages, verdicts and senders.
func (w *scoped) lookUp(t *testing.T, r *Reader, mine, others []*osm.Message) {
	t.Helper()
	ctx := t.Context()
	ask := func(m *osm.Message) (errs []error) {
		_, one := r.Message(ctx, m.ID)
		traced, two := r.Trace(ctx, m.ID)
		errs = append(errs, one, two)
		if traced != nil && strings.Contains(strings.Join(traced.Lines, "\n"), "somebody else") {
			t.Errorf("the trace of %s has another message's line", m.ID)
		}
		if m.Verdict.ID != "" {
			_, three := r.Verdict(ctx, m.Verdict.ID)
			errs = append(errs, three)
		}
		for kind, value := range map[osm.KeyKind]string{osm.KeyAccount: m.Account, osm.KeyLogin: m.Login, osm.KeySubject: m.Subject, osm.KeySender: m.Sender,
			osm.KeyClient: m.Client.String(), osm.KeySenderDomain: osm.Domain(m.Sender)} {
			if value == "" {
				continue
			}
			_, four := r.Sender(ctx, SenderQuery{Key: osm.Key{Kind: kind, Value: value}, Since: noon.Add(-72 * time.Hour), Until: noon.Add(time.Hour)})
			errs = append(errs, four)
		}
		return errs
	}
	for _, m := range mine[:min(len(mine), 6)] {
		if err := errors.Join(ask(m)...); err != nil {
			t.Errorf("%s of %s: %v", m.ID, m.Account, err)
		}
	}
	for _, m := range others[:min(len(others), 6)] {
		for _, err := range ask(m) {
			if !errors.Is(err, ErrNotFound) && !(err == nil && strings.EqualFold(m.Account, "acme")) { // a domain and a login have no case
				t.Errorf("%s of %q: %v, want not found", m.ID, m.Account, err)
			}
		}
	}
}

// TestNothingOfEverybody: lines, samples and what was learned are nobody's alone.
func TestNothingOfEverybody(t *testing.T) {
	w := newScoped(t)
	w.SaveState("detect/x", []byte("y"))
	w.Event(Event{Time: noon, Kind: Unknown, Text: "secret"})
	flush(t, w.Store, noon)
	r := w.Within([]string{"acme"})
	samples, err := r.Samples(t.Context(), Unknown, 10)
	if err != nil || len(samples) != 0 {
		t.Errorf("%+v, %v", samples, err)
	}
	if err := r.LoadState(t.Context(), "", func(key string, _ []byte) error { return errors.New(key) }); err != nil {
		t.Error(err)
	}
	if lines, err := r.LinesWith(t.Context(), "offer", noon.Add(-72*time.Hour), noon); err != nil || len(lines) != 0 {
		t.Errorf("%q, %v", lines, err)
	}
	for p, err := range r.Past(t.Context()) {
		t.Errorf("%d bytes, %v", len(p.Text), err)
	}
}

func TestStory(t *testing.T) {
	w := newScoped(t)
	q := SenderQuery{Key: osm.Key{Kind: osm.KeyAccount, Value: "bakery"}, Since: noon.Add(-72 * time.Hour), Until: noon.Add(time.Hour)}
	s, err := w.Sender(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	hours := int64(0)
	for _, h := range s.Hours {
		hours += h.Messages
	}
	n := int64(len(w.messages["bakery"]))
	if s.Total.Messages != n || hours != n || !s.Complete || !slices.Equal(s.Accounts, []string{"bakery"}) || len(s.Clients) != 1 || s.Clients[0].Messages != n ||
		s.Clients[0].Country != "DE" || len(s.Latest) != storyLatest || len(s.Domains) != 1 || s.Domains[0].Failed != w.failed["bakery"] {
		t.Errorf("%+v", s)
	}
	if len(s.Answers) != 1 || s.Answers[0].Count != w.failed["bakery"] || s.Answers[0].Host != "mx.bakery.example" || s.Answers[0].Text != "no bakery" || s.Answers[0].ID == "" {
		t.Errorf("%+v", s.Answers)
	}
	for _, v := range s.Verdicts {
		if v.Verdict.Action != osm.Hold || v.Account != "bakery" {
			t.Errorf("%+v", v)
		}
	}
	q.Most = 5
	if s, err := w.Sender(t.Context(), q); err != nil || s.Complete || len(s.Latest) != 5 || s.Total.Messages != n {
		t.Errorf("%+v, %v", s, err)
	}
	q.Since, q.Until = noon.Add(time.Hour), noon.Add(2*time.Hour)
	if _, err := w.Sender(t.Context(), q); !errors.Is(err, ErrNotFound) {
		t.Errorf("in an hour without mail: %v", err)
	}
	hits, err := w.Hits(t.Context(), noon.Add(-72*time.Hour))
	if err != nil || len(hits) != 1 || hits[0].Messages != 24 || hits[0].Stopped != 24 {
		t.Errorf("%+v, %v", hits, err)
	}
}
