package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"osm"
)

// Readers ask while the writer writes, days come and go, and the store is closed under them.
func TestReadersBesideWriter(t *testing.T) {
	cfg := testConfig(t)
	cfg.Keep = osm.Duration(2 * 24 * time.Hour)
	s := openTest(t, cfg, noon)
	w := newTraffic(40)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 6 {
		asking.Go(func() {
			for ctx.Err() == nil {
				page, err := s.Search(ctx, Filter{Sender: "info1@*", Limit: 3})
				if err == nil && len(page.Messages) > 0 {
					_, err = s.Trace(ctx, page.Messages[0].ID)
				}
				if err == nil {
					_, err = s.Report(ctx, ReportQuery{Since: noon, Until: noon.AddDate(0, 0, 1)})
				}
				if h := s.Health(ctx); err == nil {
					err = h.Err
				}
				// Its day may be dropped between search and trace.
				if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
					t.Errorf("a reader: %v", err)
					return
				}
			}
		})
	}
	for n := range 30 {
		now := noon.Add(time.Duration(n) * 6 * time.Hour)
		for range 20 {
			w.message(s, now)
		}
		flush(t, s, now)
	}
	stop()
	asking.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Search(t.Context(), Filter{}); err == nil {
		t.Error("a closed store answers")
	}
}
