package store

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
)

// searchWorld has one message that differs from the rest in every field, on another day.
func searchWorld(t *testing.T) (s *Store, odd *osm.Message) {
	s = openTest(t, testConfig(t), noon)
	for n := range 30 {
		m := example(n, noon.Add(time.Duration(n-30)*time.Minute))
		s.Arrival(m)
		s.Delivery(m, attempt(m, m.Recipients[0], m.Time, osm.Delivered))
	}
	odd = example(99, noon.AddDate(0, 0, -1))
	odd.Class, odd.Account, odd.Login, odd.User = osm.Local, "zeta", "Eve@evil.example", "zeta"
	odd.Script = osm.Script{Path: "/home/zeta/uploads", Sure: osm.Exact}
	odd.Client, odd.Sender = netip.MustParseAddr("2001:db8::99"), "ceo@evil.example"
	odd.Subject = "Your 100% FREE prize_is waiting"
	odd.Recipients = []string{"victim@far.example", "bcc@far.example"}
	odd.Verdict = osm.Verdict{Action: osm.Hold, ID: "v-odd"}
	s.Arrival(odd)
	d := attempt(odd, "alias@far.example", odd.Time, osm.Failed)
	d.Original = odd.Recipients[0]
	s.Delivery(odd, d)
	d = attempt(odd, odd.Recipients[1], odd.Time, osm.Deferred)
	s.Delivery(odd, d)
	flush(t, s, noon)
	return s, odd
}

func TestSearchByEachField(t *testing.T) {
	s, odd := searchWorld(t)
	for name, f := range map[string]Filter{
		"sender":                   {Sender: "ceo@evil.example"},
		"sender, other case":       {Sender: "CEO@Evil.Example"},
		"sender's domain":          {Sender: "*@evil.example"},
		"sender's start":           {Sender: "ceo@*"},
		"part of sender":           {Sender: "*evil*"},
		"recipient of envelope":    {Recipient: "victim@far.example"},
		"final recipient":          {Recipient: "alias@far.example"},
		"recipient's start":        {Recipient: "bcc@*"},
		"login":                    {Login: "eve@evil.example"},
		"account":                  {Account: "zeta"},
		"user":                     {User: "zeta"},
		"client":                   {Client: "2001:0db8:0::99"},
		"client's network":         {Client: "2001:db8:*"},
		"script":                   {Script: "/home/zeta/*"},
		"subject":                  {Subject: "free PRIZE"},
		"subject with wildcards":   {Subject: "100%"},
		"subject with underscore":  {Subject: "prize_is"},
		"id":                       {ID: odd.ID},
		"time":                     {Until: noon.Add(-12 * time.Hour)},
		"exact time":               {Since: odd.Time, Until: odd.Time.Add(time.Millisecond)},
		"class":                    {Class: osm.Local},
		"failed":                   {Outcome: new(osm.Failed)},
		"deferred":                 {Outcome: new(osm.Deferred)},
		"refusal":                  {Refusal: osm.NoSuchUser},
		"action":                   {Action: new(osm.Hold)},
		"recipient with outcome":   {Recipient: "bcc@far.example", Outcome: new(osm.Deferred)},
		"everything at once":       {Sender: "ceo@*", Recipient: "victim@far.example", Login: "eve*", Class: osm.Local, ID: odd.ID},
		"recipient with a refusal": {Recipient: "victim@far.example", Refusal: osm.NoSuchUser, Outcome: new(osm.Failed)},
	} {
		page, err := s.Search(t.Context(), f)
		if err != nil || len(page.Messages) != 1 || page.Next != "" {
			t.Errorf("%s: %+v, %v; want one message", name, page, err)
			continue
		}
		same(t, name, page.Messages[0].Message, *odd)
	}
	for name, f := range map[string]Filter{
		"sender":                  {Sender: "evil.example"},
		"percent":                 {Sender: "%"},
		"underscore":              {Sender: "ceo@evil_example"},
		"quote":                   {Subject: "' OR 1 --"},
		"outcome of other":        {Recipient: "bcc@far.example", Outcome: new(osm.Failed)},
		"id":                      {ID: exampleID(noon, 4711)},
		"id and other sender":     {ID: odd.ID, Sender: "bob@acme.example"},
		"since":                   {Since: noon},
		"until":                   {Until: noon.AddDate(0, 0, -2)},
		"null sender":             {Sender: "<>"},
		"very long":               {Subject: strings.Repeat("%", 200_000)},
		"recipient of no attempt": {Recipient: "nobody@far.example"},
	} {
		if page, err := s.Search(t.Context(), f); err != nil || len(page.Messages) != 0 {
			t.Errorf("%s: %d messages, %v; want none", name, len(page.Messages), err)
		}
	}
}

// A message that is held has no attempts: its recipients are found in its envelope.
func TestSearchHeldByRecipient(t *testing.T) {
	s, _ := searchWorld(t)
	held := example(200, noon)
	held.Recipients = []string{"held@far.example"}
	held.Sender = ""
	s.Arrival(held)
	flush(t, s, noon)
	for _, f := range []Filter{{Recipient: "HELD@far.example"}, {Recipient: "held@*"}, {Sender: "<>"}} {
		page, err := s.Search(t.Context(), f)
		if err != nil || len(page.Messages) != 1 || page.Messages[0].ID != held.ID {
			t.Errorf("%+v: %+v, %v", f, page, err)
		}
	}
	page, err := s.Search(t.Context(), Filter{Recipient: "held@far.example", Outcome: new(osm.Delivered)})
	if err != nil || len(page.Messages) != 0 {
		t.Errorf("a held message is found as delivered: %+v, %v", page, err)
	}
}

// Pages hold every message once, newest first, also while new ones arrive.
func TestSearchPages(t *testing.T) {
	s, odd := searchWorld(t)
	whole, err := s.Search(t.Context(), Filter{})
	if err != nil || len(whole.Messages) != 31 || whole.Messages[30].ID != odd.ID {
		t.Fatalf("%d messages, %v; want 31, the odd one last", len(whole.Messages), err)
	}
	for _, limit := range []int{1, 7, 15, 30, 31} {
		var ids []string
		f := Filter{Limit: limit}
		for {
			page, err := s.Search(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page.Messages {
				ids = append(ids, m.ID)
			}
			if len(page.Messages) > limit {
				t.Errorf("a page of %d has %d", limit, len(page.Messages))
			}
			if f.After = page.Next; page.Next == "" {
				break
			}
			s.Arrival(example(1000+limit*50+len(ids), noon))
			flush(t, s, noon)
		}
		if len(ids) != len(whole.Messages) || !slices.EqualFunc(ids, whole.Messages, func(id string, m Found) bool { return id == m.ID }) {
			t.Errorf("pages of %d hold %d messages, want %d", limit, len(ids), len(whole.Messages))
		}
		if whole, err = s.Search(t.Context(), Filter{Limit: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []Cursor{"x", "20261123", "20261123-x", "99999999-1"} {
		if _, err := s.Search(t.Context(), Filter{After: bad}); err == nil {
			t.Errorf("the cursor %q is accepted", bad)
		}
	}
}

func TestTraceLines(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	w := newTraffic(20)
	w.n = 5000 // other ids than the example
	m := example(1, noon)
	m.Script = osm.Script{Path: "/home/acme/www", Sure: osm.Exact}
	e, _ := parseID(m.ID)
	pid := e.rest >> partBits
	want := []string{
		"2026-11-23 12:00:00 [" + number(uint64(pid)) + "] cwd=/home/acme/www 3 args: sendmail -t",
		m.ID + " <= bob@acme.example", m.ID + " == ann", m.ID + " => ann", m.ID + " Completed",
	}
	s.Line(noon, "2026-11-23 11:59:58 [77] cwd=/home/acme/www/other 3 args: sendmail -t")
	s.Line(noon, want[0])
	s.Line(noon, "2026-11-23 12:00:00 [78] cwd=/home/acme/www 3 args: sendmail -t")
	// Every line of it comes in another block, with restarts, other mail and a day between.
	for i, line := range want[1:] {
		now := noon.AddDate(0, 0, i/2)
		s.Line(now, line)
		switch i {
		case 0:
			s.Arrival(m)
		case 3:
			s.Event(Event{Time: now, Kind: Completed, ID: m.ID})
		default:
			s.Delivery(m, attempt(m, "ann", now, osm.Deferred))
		}
		for range 400 {
			w.message(s, now)
		}
		flush(t, s, now)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openTest(t, cfg, now)
	}
	same(t, "lines", trace(t, s, m.ID).Lines, want)
}

// Blocks are as large as they should be, whatever the size of the flushes, and none is left in parts but the last.
func TestBlocks(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	w := newTraffic(21)
	w.line(s, noon, strings.Repeat("long ", maxLine))
	for i := range 300 {
		w.message(s, noon.Add(time.Duration(i%3)*-24*time.Hour))
		if i%10 == 0 {
			w.line(s, noon, strings.Repeat("x", 7000))
			flush(t, s, noon)
		}
		if i == 150 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openTest(t, cfg, noon)
		}
	}
	flush(t, s, noon)
	blocks, bytes := int64(0), int64(0)
	err := s.view(t.Context(), "read", func(v *view) error {
		for _, d := range v.days {
			rows, err := v.conn.QueryContext(t.Context(), d.sql("SELECT block, count(*) FROM line_DAY GROUP BY block ORDER BY block"))
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var block, parts int64
				if err := rows.Scan(&block, &parts); err != nil {
					return err
				}
				blocks++
				if parts > 1 && block != s.lines.block {
					t.Errorf("block %d is in %d parts", block, parts)
				}
			}
		}
		for block := int64(1); block <= blocks; block++ {
			text, err := v.block(dayOf(noon), block)
			if err != nil {
				return err
			}
			if block < blocks && (len(text) < blockSize || len(text) > blockSize+maxLine) {
				t.Errorf("block %d has %d bytes", block, len(text))
			}
			bytes += int64(len(text))
		}
		return nil
	})
	if want := w.bytes - 4*maxLine; err != nil || bytes != want {
		t.Errorf("%d bytes in %d blocks, %v; want %d", bytes, blocks, err, want)
	}
}
