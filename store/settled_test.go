package store

import (
	"testing"
	"time"

	"osm"
)

// What is noted down of a day that is over goes when something comes late to it, as far as that changes it, and comes again an hour later.
func TestSettledDay(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	s.pieces = smallPieces
	yesterday := noon.AddDate(0, 0, -1)
	first := example(1, yesterday)
	s.Arrival(first)
	s.Delivery(first, attempt(first, "ann@far.example", yesterday, osm.Failed))
	flush(t, s, yesterday)
	s.Arrival(example(2, noon))
	flush(t, s, noon)
	notes := func(when string, want int) {
		t.Helper()
		var n int
		if err := s.conn.QueryRowContext(t.Context(), dayOf(yesterday).sql("SELECT count(*) FROM settled_DAY")).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d notes, %v; want %d", when, n, err, want)
		}
	}
	notes("before", 0)
	settle(t, s, yesterday.Add(settleAfter-time.Second))
	notes("soon after the last message", 0)
	settle(t, s, noon)
	all := 1 + len(rankings)
	notes("settled", all)
	s.Delivery(first, attempt(first, "ann@far.example", noon, osm.Failed)) // counts for today, but among the answers to yesterday's mail
	flush(t, s, noon)
	notes("after an attempt of today", all-1)
	settle(t, s, noon.Add(settleAfter-time.Second))
	notes("soon after", all-1)
	settle(t, s, noon.Add(settleAfter))
	notes("an hour later", all)
	s.Arrival(example(3, yesterday))
	flush(t, s, noon)
	notes("after a late message", 0)
	report, err := s.Report(t.Context(), ReportQuery{Since: yesterday.Truncate(24 * time.Hour), Until: noon.Truncate(24 * time.Hour)})
	if err != nil || report.Top[osm.KeyAccount][0].Messages != 2 {
		t.Errorf("%+v, %v; want 2 messages", report.Top[osm.KeyAccount], err)
	}
	settle(t, s, noon.Add(2*settleAfter))
	notes("settled again", all)
	if report, err = s.Report(t.Context(), ReportQuery{Since: report.Since, Until: report.Until}); err != nil || report.Top[osm.KeyAccount][0].Messages != 2 {
		t.Errorf("from notes: %+v, %v; want 2 messages", report.Top[osm.KeyAccount], err)
	}
}

func TestPostingLists(t *testing.T) {
	lists := map[uint64][]uint64{1: {5}, 2: {3, 4, 900}, 9: {1 << 30}, 1 << 31: {1, 1<<30 + 1}}
	var l postingList
	for _, value := range []uint64{1, 2, 9, 1 << 31} {
		l.add(value, lists[value])
	}
	for value := range uint64(12) {
		got := postingsIn(l.data, value, nil)
		if len(got) != len(lists[value]) {
			t.Errorf("%d has %v, want %v", value, got, lists[value])
		}
		for i := range got {
			if uint64(got[i]) != lists[value][i] {
				t.Errorf("%d has %v, want %v", value, got, lists[value])
			}
		}
	}
	if got := postingsIn(l.data, 1<<31, nil); len(got) != 2 || got[1] != 1<<30+1 {
		t.Errorf("the last has %v", got)
	}
	for cut := range len(l.data) { // what is damaged ends
		postingsIn(l.data[:cut], 1<<31, nil)
	}
}
