package store

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"osm"
)

// BenchmarkIngest fills a database with a day of mail, as serve does when it catches up.
func BenchmarkIngest(b *testing.B) {
	cfg := testConfig(b)
	s := openTest(b, cfg, noon)
	w := newTraffic(1)
	at := noon.Truncate(24 * time.Hour)
	var rows int
	var spent time.Duration
	before := cpuTime(b)
	for b.Loop() {
		at = at.Add(80 * time.Millisecond)
		w.message(s, at)
		if s.Pending() >= BatchSize {
			rows += len(s.batch.messages) + len(s.batch.deliveries)
			start := time.Now()
			flush(b, s, noon)
			spent += time.Since(start)
		}
	}
	rows += len(s.batch.messages) + len(s.batch.deliveries)
	flush(b, s, noon)
	b.StopTimer()
	h := s.Health(b.Context())
	if h.Err != nil {
		b.Fatal(h.Err)
	}
	seconds, busy := b.Elapsed().Seconds(), (cpuTime(b) - before).Seconds()
	b.ReportMetric(float64(w.lines)/seconds, "lines/s")
	b.ReportMetric(float64(w.lines)/busy, "lines/cpu-s")
	b.ReportMetric(float64(w.lines)/spent.Seconds(), "lines/s-flush")
	b.ReportMetric(float64(rows)/seconds, "rows/s")
	b.ReportMetric(float64(h.Used)/float64(w.n), "B/message")
	b.ReportMetric(float64(h.Used)/float64(w.bytes), "of-raw")
	if os.Getenv("OSM_KEEP") != "" {
		s.conn.ExecContext(b.Context(), "VACUUM INTO '"+os.Getenv("OSM_KEEP")+"'")
	}
}

// BenchmarkQueries asks a database of a million messages in one day, and of as many in a month.
func BenchmarkQueries(b *testing.B) {
	for name, days := range map[string]int{"day": 1, "month": 30} {
		b.Run(name, func(b *testing.B) {
			const messages = 1_000_000
			s := openTest(b, testConfig(b), noon)
			w := newTraffic(2)
			step := time.Duration(days) * 24 * time.Hour / messages
			at := noon.AddDate(0, 0, -days)
			id := ""
			for range messages {
				at = at.Add(step)
				m := w.message(s, at)
				if w.n == messages/2 {
					id = m.ID
				}
				if s.Pending() >= BatchSize {
					flush(b, s, noon)
				}
			}
			flush(b, s, noon)
			queries(b, s, days, id)
		})
	}
}

func queries(b *testing.B, s *Store, days int, id string) {
	run := func(name string, ask func() error) {
		b.Run(name, func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
	search := func(f Filter) func() error {
		return func() error {
			_, err := s.Search(b.Context(), f)
			return err
		}
	}
	run("report", func() error {
		_, err := s.Report(b.Context(), ReportQuery{Since: noon.AddDate(0, 0, -days), Until: noon})
		return err
	})
	run("newest", search(Filter{}))
	run("rare-sender", search(Filter{Sender: "nobody@nowhere.example"}))
	run("login", search(Filter{Login: "info0@shop77.example"}))
	run("recipient", search(Filter{Recipient: "customer4711@mail47.example"}))
	run("recipient-domain", search(Filter{Recipient: "*@mail47.example", Outcome: new(osm.Failed)}))
	run("subject", search(Filter{Subject: "order #77777"}))
	run("message", func() error {
		_, err := s.Message(b.Context(), id)
		return err
	})
	run("trace", func() error {
		_, err := s.Trace(b.Context(), id)
		return err
	})
	pageQueries(b, s, run)
}

// pageQueries are what pages ask of the last day: for everybody, and within one account.
func pageQueries(b *testing.B, s *Store, run func(name string, ask func() error)) {
	day := noon.Add(-24 * time.Hour)
	for name, r := range map[string]*Reader{"everybody": s.Reader, "account": s.Within([]string{"user77"})} {
		run("page-minutes-"+name, func() error {
			_, err := r.Minutes(b.Context(), noon.Add(-time.Hour))
			return err
		})
		run("page-report-"+name, func() error {
			_, err := r.Report(b.Context(), ReportQuery{Since: day, Until: noon})
			return err
		})
		run("page-answers-"+name, func() error {
			_, err := r.Answers(b.Context(), day, noon, 100)
			return err
		})
		run("page-hits-"+name, func() error {
			_, err := r.Hits(b.Context(), day)
			return err
		})
		run("page-verdicts-"+name, func() error {
			_, err := r.Search(b.Context(), Filter{Judged: true, Since: day})
			return err
		})
		for kind, value := range map[osm.KeyKind]string{osm.KeyAccount: "user77", osm.KeyLogin: "info0@shop77.example", osm.KeySenderDomain: "shop77.example"} {
			run("page-sender-"+kind.String()+"-"+name, func() error {
				_, err := r.Sender(b.Context(), SenderQuery{Key: osm.Key{Kind: kind, Value: value}, Since: day, Until: noon})
				if errors.Is(err, ErrNotFound) {
					err = nil
				}
				return err
			})
		}
	}
}

// cpuTime is what this process has used of all processors: on a shared machine it tells more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
