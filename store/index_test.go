package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"osm"
)

// smallPieces make the indexes have many pieces with little mail.
var smallPieces = pieces{texts: 7, messages: 3, least: 2, signature: 1, settled: 1}

// compareIndexes wants what the indexes find, and the sums of refusals and verdicts, to be the model's: of the messages that may be
// seen, and no others.
func compareIndexes(t rapid.TB, r *Reader, w *model, seen func(*osm.Message) bool) {
	ids := func(want func(*osm.Message) bool) []string {
		var all []string
		for _, m := range w.messages {
			if seen(m) && want(m) {
				all = append(all, m.ID)
			}
		}
		slices.Sort(all)
		return all
	}
	found := func(f Filter) []string {
		f.Limit = 1000
		page, err := r.Search(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range page.Messages {
			all = append(all, m.ID)
		}
		slices.Sort(all)
		return all
	}
	for value, one := range map[string]struct {
		filter Filter
		want   func(*osm.Message) bool
	}{
		"login l1":         {Filter{Login: "L1"}, func(m *osm.Message) bool { return m.Login == "l1" }},
		"account a":        {Filter{Account: "a"}, func(m *osm.Message) bool { return m.Account == "a" }},
		"account b":        {Filter{Account: "b"}, func(m *osm.Message) bool { return m.Account == "b" }},
		"sender y":         {Filter{Sender: "y@one.example"}, func(m *osm.Message) bool { return m.Sender == "y@one.example" }},
		"senders of one":   {Filter{Sender: "*@one.example"}, func(m *osm.Message) bool { return domainOf(m.Sender) == "one.example" }},
		"nobody":           {Filter{Sender: "nobody@one.example"}, func(*osm.Message) bool { return false }},
		"client":           {Filter{Client: "192.0.2.7"}, func(*osm.Message) bool { return true }},
		"login and sender": {Filter{Login: "l2", Sender: "z@two.example"}, func(m *osm.Message) bool { return m.Login == "l2" && m.Sender == "z@two.example" }},
		"to ann":           {Filter{Recipient: "Ann@far.example"}, func(m *osm.Message) bool { return w.wentTo(m, "ann@far.example") }},
		"to an alias":      {Filter{Recipient: "alias@near.example"}, func(m *osm.Message) bool { return w.wentTo(m, "alias@near.example") }},
		"to r1s":           {Filter{Recipient: "r1*"}, func(m *osm.Message) bool { return w.wentTo(m, "r1*") }},
		"to r1s by l1": {Filter{Recipient: "r1*", Login: "l1"},
			func(m *osm.Message) bool { return m.Login == "l1" && w.wentTo(m, "r1*") }},
		"failed to ann": {Filter{Recipient: "ann@far.example", Outcome: new(osm.Failed)}, func(m *osm.Message) bool {
			return slices.ContainsFunc(w.attempts[m.ID], func(d osm.Delivery) bool { return d.Outcome == osm.Failed && d.Recipient == "ann@far.example" })
		}},
		"refused":         {Filter{Refusal: osm.NoSuchUser}, func(m *osm.Message) bool { return slices.ContainsFunc(w.attempts[m.ID], refused) }},
		"subject":         {Filter{Subject: "FFE"}, func(m *osm.Message) bool { return m.Subject == "offer" }},
		"subject of none": {Filter{Subject: "offerings"}, func(*osm.Message) bool { return false }},
		"subject of l1":   {Filter{Subject: "e", Login: "l1"}, func(m *osm.Message) bool { return m.Subject != "" && m.Login == "l1" }},
		"logins":          {Filter{Login: "l*"}, func(m *osm.Message) bool { return m.Login != "" }},
		"judged":          {Filter{Judged: true}, func(m *osm.Message) bool { return m.Verdict.Action != osm.Accept }},
		"judged of y":     {Filter{Judged: true, Sender: "y@one.example"}, func(m *osm.Message) bool { return m.Verdict.Action != osm.Accept && m.Sender == "y@one.example" }},
	} {
		if got, want := found(one.filter), ids(one.want); !slices.Equal(got, want) {
			t.Fatalf("%s: found %v, want %v", value, got, want)
		}
	}
	for key, want := range map[osm.Key]func(*osm.Message) bool{
		{Kind: osm.KeyLogin, Value: "l3"}:                 func(m *osm.Message) bool { return m.Login == "l3" },
		{Kind: osm.KeySender, Value: "x@one.example"}:     func(m *osm.Message) bool { return m.Sender == "x@One.example" },
		{Kind: osm.KeySenderDomain, Value: "one.example"}: func(m *osm.Message) bool { return domainOf(m.Sender) == "one.example" },
		{Kind: osm.KeySubject, Value: "offer"}:            func(m *osm.Message) bool { return m.Subject == "offer" },
	} {
		story, err := r.Sender(context.Background(), SenderQuery{Key: key, Since: noon.Add(-72 * time.Hour), Until: noon.Add(time.Hour), Latest: 1000})
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		var got []string
		if err == nil {
			for _, m := range story.Latest {
				got = append(got, m.ID)
			}
		}
		slices.Sort(got)
		if want := ids(want); !slices.Equal(got, want) || err == nil && story.Total.Messages != int64(len(want)) {
			t.Fatalf("%v: %v, want %v", key, got, want)
		}
	}
	compareRolled(t, r, w, seen)
}

func refused(d osm.Delivery) bool { return d.Refusal == osm.NoSuchUser }

// wentTo tells whether an attempt was made for a recipient or, where none was, it is in the envelope. A `*` at the end stands for
// anything.
func (w *model) wentTo(m *osm.Message, recipient string) bool {
	same := func(address string) bool {
		if start, ok := strings.CutSuffix(recipient, "*"); ok {
			return strings.HasPrefix(address, start)
		}
		return address == recipient
	}
	if len(w.attempts[m.ID]) == 0 {
		return slices.ContainsFunc(m.Recipients, same)
	}
	return slices.ContainsFunc(w.attempts[m.ID], func(d osm.Delivery) bool { return same(d.Recipient) || same(d.Original) })
}

// compareRolled does so with refusals and verdicts.
func compareRolled(t rapid.TB, r *Reader, w *model, seen func(*osm.Message) bool) {
	answers, rules := map[answerKey]*Answer{}, map[string]*RuleHits{}
	for _, m := range w.messages {
		if !seen(m) {
			continue
		}
		for _, d := range w.attempts[m.ID] {
			gather(answers, &Answer{Refusal: d.Refusal, Domain: domainOf(d.Recipient), Host: d.Host, Code: d.Code, Enhanced: d.Enhanced, Count: 1, Last: d.Time})
		}
		if m.Verdict.Action != osm.Accept {
			if rules[m.Verdict.Rule] == nil {
				rules[m.Verdict.Rule] = &RuleHits{Rule: m.Verdict.Rule}
			}
			h := rules[m.Verdict.Rule]
			h.Messages++
			h.Stopped++
			if m.Time.After(h.Last) {
				h.Last = m.Time
			}
		}
	}
	got, err := r.Answers(context.Background(), noon.Add(-72*time.Hour), noon.Add(time.Hour), settledAnswers)
	if err != nil {
		t.Fatal(err)
	}
	short := func(list []Answer) (all []string) {
		for _, a := range list {
			all = append(all, fmt.Sprint(a.Refusal, a.Domain, a.Host, a.Code, a.Enhanced, a.Count, a.Last.UnixMilli()))
		}
		slices.Sort(all)
		return all
	}
	if got, want := short(got), short(mostFrequent(answers)); !slices.Equal(got, want) {
		t.Fatalf("answers %v, want %v", got, want)
	}
	hits, err := r.Hits(context.Background(), noon.Add(-72*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]RuleHits, 0, len(rules))
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		want = append(want, *rules[name])
	}
	slices.SortFunc(hits, func(a, b RuleHits) int { return cmp.Compare(a.Rule, b.Rule) })
	if !slices.EqualFunc(hits, want, func(a, b RuleHits) bool {
		return a.Rule == b.Rule && a.Messages == b.Messages && a.Stopped == b.Stopped && a.Last.Equal(b.Last)
	}) {
		t.Fatalf("rules %+v, want %+v", hits, want)
	}
}

// A database that was written before there were sums of refusals and verdicts has them once it is brought up to date, and what is in
// no piece of an index is found all the same.
func TestOldDaysHaveSums(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	w := &model{attempts: map[string][]osm.Delivery{}}
	for n := range 20 {
		m := example(n, noon.Add(-time.Duration(n)*time.Hour))
		m.Verdict = osm.Verdict{ID: fmt.Sprint("V", n), Action: osm.Hold, Rule: []string{"herd", "stolen-login"}[n%2]}
		w.messages = append(w.messages, m)
		s.Arrival(m)
		d := attempt(m, fmt.Sprintf("r%d@Far.example", n), m.Time.Add(time.Minute), osm.Failed)
		w.attempts[m.ID] = append(w.attempts[m.ID], *d)
		s.Delivery(m, d)
	}
	flush(t, s, noon)
	for _, d := range s.days {
		for _, table := range []string{"text", "posting", "settled", "answer", "hit"} {
			if err := execAll(t.Context(), s.conn, d.sql("DROP TABLE "+table+"_DAY")); err != nil {
				t.Fatal(err)
			}
		}
		if err := execAll(t.Context(), s.conn, d.sql("DROP INDEX verdict_id_DAY"), s.migrations[2].forDay(d), s.migrations[3].forDay(d)); err != nil {
			t.Fatal(err)
		}
	}
	everything := func(*osm.Message) bool { return true }
	compareRolled(t, s.Reader, w, everything)
	found := func(f Filter) {
		page, err := s.Search(t.Context(), f)
		if err != nil || len(page.Messages) != 20 {
			t.Errorf("%d messages, %v; want 20", len(page.Messages), err)
		}
	}
	all := []Filter{{Sender: strings.ToUpper("bob@acme.example")}, {Recipient: "*@far.example"}, {Subject: "offer"}}
	for _, f := range all {
		found(f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, cfg, noon)
	s.pieces = smallPieces
	settle(t, s, noon) // the day before now
	compareRolled(t, s.Reader, w, everything)
	for _, f := range all {
		found(f)
	}
	var last, pieces int
	err := s.conn.QueryRowContext(t.Context(), s.days[0].sql(`SELECT (SELECT max(seq) FROM message_DAY) - (SELECT max(piece) FROM posting_DAY WHERE kind = 0),
		(SELECT count(*) FROM text_DAY WHERE bucket = 256)`)).Scan(&last, &pieces)
	if err != nil || last != 0 || pieces == 0 {
		t.Errorf("%d messages of the day that is over are in no piece, its texts have %d pieces, %v", last, pieces, err)
	}
}
