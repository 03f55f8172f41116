package store

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"osm"
)

// model is what the store should know, kept in the simplest way.
type model struct {
	messages []*osm.Message
	attempts map[string][]osm.Delivery
}

func (w *model) report(q ReportQuery) *Report {
	r := &Report{Since: q.Since, Until: q.Until, Top: map[osm.KeyKind][]Top{}, Classes: map[osm.Class]Counts{},
		Events: map[EventKind]int64{}}
	tops := map[osm.Key]*Counts{}
	add := func(m *osm.Message, at time.Time, c Counts) {
		if at.Before(q.Since) || !at.Before(q.Until) {
			return
		}
		sum := r.Classes[m.Class]
		sum.add(&c)
		r.Classes[m.Class] = sum
		if m.Class == osm.Inbound || m.Class == osm.Bounce {
			return
		}
		r.Total.add(&c)
		_, domain, _ := strings.Cut(m.Sender, "@")
		for kind, value := range map[osm.KeyKind]string{osm.KeyAccount: m.Account, osm.KeyLogin: m.Login,
			osm.KeyScript: m.Script.Path, osm.KeyClient: m.Client.String(), osm.KeySenderDomain: strings.ToLower(domain),
			osm.KeySubject: m.Subject} {
			if value != "" && value != "invalid IP" {
				k := osm.Key{Kind: kind, Value: value}
				if tops[k] == nil {
					tops[k] = &Counts{}
				}
				tops[k].add(&c)
			}
		}
	}
	for _, m := range w.messages {
		c := Counts{Messages: 1, Recipients: int64(len(m.Recipients)), Bytes: m.Size}
		if m.Verdict.Stops() {
			c.Stopped = 1
		}
		add(m, m.Time, c)
		for _, d := range w.attempts[m.ID] {
			c := Counts{}
			switch d.Outcome {
			case osm.Delivered:
				c.Delivered, c.Remote = 1, 1
			case osm.Deferred:
				c.Deferred = 1
			case osm.Failed:
				c.Failed = 1
			}
			if len(m.Recipients) == 0 && d.Outcome != osm.Deferred {
				c.Recipients = 1
			}
			if d.Refusal != 0 {
				c.Refusals[d.Refusal] = 1
			}
			add(m, d.Time, c)
		}
	}
	for k, c := range tops {
		r.Top[k.Kind] = append(r.Top[k.Kind], Top{k.Value, *c})
	}
	return r
}

// compare wants the store's report to be the model's, the order of equals apart.
func compare(t *rapid.T, got, want *Report) {
	if got.Total != want.Total {
		t.Fatalf("total %+v, want %+v", got.Total, want.Total)
	}
	if len(got.Classes) != len(want.Classes) {
		t.Fatalf("classes %+v, want %+v", got.Classes, want.Classes)
	}
	for class, c := range want.Classes {
		if got.Classes[class] != c {
			t.Fatalf("class %s %+v, want %+v", class, got.Classes[class], c)
		}
	}
	var hours Counts
	for i, h := range got.Hours {
		hours.add(&h.Counts)
		if !h.Start.Equal(got.Since.Add(time.Duration(i) * time.Hour)) {
			t.Fatalf("hour %d begins at %v", i, h.Start)
		}
	}
	if hours != want.Total {
		t.Fatalf("hours add up to %+v, want %+v", hours, want.Total)
	}
	for _, kind := range rankings {
		top := got.Top[kind]
		if !slices.IsSortedFunc(top, func(a, b Top) int { return int(b.Messages - a.Messages) }) {
			t.Fatalf("%s is not in order: %+v", kind, top)
		}
		for _, list := range [][]Top{top, want.Top[kind]} {
			slices.SortFunc(list, func(a, b Top) int { return strings.Compare(a.Value, b.Value) })
		}
		if !slices.Equal(top, want.Top[kind]) {
			t.Fatalf("%s:\n%+v\nwant\n%+v", kind, top, want.Top[kind])
		}
	}
}

// Whatever comes in whatever order, with flushes, failed flushes and restarts anywhere: the store knows what the model
// knows.
func TestStoreAgainstModel(t *testing.T) {
	if err := flag.Set("rapid.checks", "25"); err != nil { // each opens a few databases
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		cfg := testConfig(t)
		s := openTest(t, cfg, noon)
		s.pieces = smallPieces
		w := &model{attempts: map[string][]osm.Delivery{}}
		steps := rapid.IntRange(1, 60).Draw(rt, "steps")
		for n := range steps {
			at := noon.Add(time.Duration(rapid.IntRange(-50*60, 0).Draw(rt, "minutes ago")) * time.Minute)
			switch what := rapid.IntRange(0, 10).Draw(rt, "what"); {
			case what == 0:
				flush(t, s, noon)
			case what == 1:
				flush(t, s, noon)
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = openTest(t, cfg, noon)
				s.pieces = smallPieces
			case what == 2:
				failFlush(t, s)
			case what == 10: // later each time, so that a day is due again to which something came late
				flush(t, s, noon)
				settle(t, s, noon.Add(time.Duration(2*n)*time.Hour))
			case what < 6 || len(w.messages) == 0:
				m := drawMessage(rt, n, at)
				w.messages = append(w.messages, m)
				s.Arrival(m)
			default:
				m := rapid.SampledFrom(w.messages).Draw(rt, "message")
				if at.Before(m.Time) {
					at = m.Time
				}
				to := rapid.SampledFrom([]string{fmt.Sprintf("r%d@far.example", n), "ann@far.example"}).Draw(rt, "recipient")
				d := attempt(m, to, at, osm.Outcome(rapid.IntRange(0, 3).Draw(rt, "outcome")))
				d.Original = rapid.SampledFrom([]string{to, "alias@near.example"}).Draw(rt, "original")
				w.attempts[m.ID] = append(w.attempts[m.ID], *d)
				s.Delivery(m, d)
			}
		}
		flush(t, s, noon)
		q := ReportQuery{Since: noon.Add(-60 * time.Hour).Truncate(time.Hour), Until: noon.Add(time.Hour), Limit: settledTops / 2}
		if rapid.Bool().Draw(rt, "part") {
			q.Since = noon.Add(-time.Duration(rapid.IntRange(1, 50).Draw(rt, "hours")) * time.Hour)
		}
		got, err := s.Report(t.Context(), q)
		if err != nil {
			rt.Fatal(err)
		}
		compare(rt, got, w.report(q))
		compareIndexes(rt, s.Reader, w, func(*osm.Message) bool { return true })
		compareIndexes(rt, s.Within([]string{"a"}), w, func(m *osm.Message) bool { return m.Account == "a" })
		for _, m := range w.messages {
			found, err := s.Trace(t.Context(), m.ID)
			if err != nil {
				rt.Fatal(err)
			}
			if len(found.Deliveries) != len(w.attempts[m.ID]) || found.Sender != m.Sender || !found.Time.Equal(m.Time) {
				rt.Fatalf("%s has %d attempts, want %d", m.ID, len(found.Deliveries), len(w.attempts[m.ID]))
			}
			for i, d := range w.attempts[m.ID] {
				if found.Deliveries[i].Recipient != d.Recipient || found.Deliveries[i].Outcome != d.Outcome {
					rt.Fatalf("attempt %d of %s is %+v, want %+v", i, m.ID, found.Deliveries[i], d)
				}
			}
		}
	})
}

func drawMessage(rt *rapid.T, n int, at time.Time) *osm.Message {
	m := example(n, at)
	m.Class = rapid.SampledFrom([]osm.Class{osm.NoClass, osm.Login, osm.Local, osm.Inbound, osm.Bounce}).Draw(rt, "class")
	m.Account = rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "account")
	m.Login = rapid.SampledFrom([]string{"", "l1", "l2", "l3"}).Draw(rt, "login")
	m.Sender = rapid.SampledFrom([]string{"", "x@One.example", "y@one.example", "z@two.example", "root"}).Draw(rt, "sender")
	m.Subject = rapid.SampledFrom([]string{"", "hello", "offer"}).Draw(rt, "subject")
	if rapid.Bool().Draw(rt, "not logged") {
		m.Recipients = nil
	}
	if rapid.Bool().Draw(rt, "stopped") {
		m.Verdict.Action, m.Verdict.Rule = osm.Hold, rapid.SampledFrom([]string{"stolen-login", "herd"}).Draw(rt, "rule")
	}
	return m
}

// settle does all that is due about the days that are over.
func settle(t testing.TB, s *Store, now time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Settle(now); err != nil {
			t.Fatal(err)
		}
	}
}

// failFlush makes one flush fail in the middle.
func failFlush(t *testing.T, s *Store) {
	t.Helper()
	if s.Pending() == 0 {
		return
	}
	for _, limit := range []string{"1", "1000000000"} {
		if _, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count = "+limit); err != nil {
			t.Fatal(err)
		}
		if limit == "1" {
			s.SaveState("large", make([]byte, 1<<20))
			if err := s.Flush(noon, nil); err == nil {
				t.Fatal("a flush into a full database succeeds")
			}
			s.SaveState("large", nil)
		}
	}
}

// A ranking of more values than are looked at has the right first ones, also over several days.
func TestRankingOfMany(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	id := 0
	for d := range 3 {
		for n := range 1500 {
			m := example(id, noon.AddDate(0, 0, -d))
			id++
			m.Login = fmt.Sprintf("login%d", n)
			for range 1 + 20*(n%2)*(n/1400) {
				m.ID = exampleID(m.Time, id)
				id++
				s.Arrival(m)
			}
		}
	}
	flush(t, s, noon)
	r, err := s.Report(t.Context(), ReportQuery{Since: noon.AddDate(0, 0, -3), Until: noon.Add(time.Hour), Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	if top := r.Top[osm.KeyLogin]; len(top) != 50 || top[0].Value != "login1401" || top[49].Messages != 63 {
		t.Errorf("%+v", top)
	}
}
