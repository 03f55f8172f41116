package store

import (
	"os"
	"testing"
	"time"
)

// BenchmarkIngest fills a database with a day of mail, as serve does when it catches up.
func BenchmarkIngest(b *testing.B) {
	cfg := testConfig(b)
	s := openTest(b, cfg, noon)
	w := newTraffic(1)
	at := noon.Truncate(24 * time.Hour)
	var rows int
	var spent time.Duration
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
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(w.lines)/seconds, "lines/s")
	b.ReportMetric(float64(w.lines)/spent.Seconds(), "lines/s-flush")
	b.ReportMetric(float64(rows)/seconds, "rows/s")
	b.ReportMetric(float64(h.Used)/float64(w.n), "B/message")
	b.ReportMetric(float64(h.Used)/float64(w.bytes), "of-raw")
	if os.Getenv("OSM_KEEP") != "" {
		s.conn.ExecContext(b.Context(), "VACUUM INTO '"+os.Getenv("OSM_KEEP")+"'")
	}
}
