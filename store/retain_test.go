package store

import (
	"errors"
	"os"
	"testing"
	"time"

	"osm"
)

// fill writes so many messages on each of the days before now, oldest first, and gives the ids of the last of each.
func fill(t testing.TB, s *Store, w *traffic, days, messages int) []string {
	t.Helper()
	var ids []string
	for d := days - 1; d >= 0; d-- {
		at := noon.AddDate(0, 0, -d)
		var last string
		for range messages {
			last = w.message(s, at).ID
		}
		flush(t, s, at)
		ids = append(ids, last)
	}
	return ids
}

func TestOldDaysAreDropped(t *testing.T) {
	cfg := testConfig(t)
	cfg.Keep = osm.Duration(3 * 24 * time.Hour)
	s := openTest(t, cfg, noon.AddDate(0, 0, -9))
	ids := fill(t, s, newTraffic(10), 10, 20)
	for i, id := range ids {
		_, err := s.Trace(t.Context(), id)
		if kept := i >= 6; kept != (err == nil) || !kept && !errors.Is(err, ErrNotFound) {
			t.Errorf("message of %d days ago: %v", 9-i, err)
		}
	}
	if h := s.Health(t.Context()); h.Days != 4 || !h.Oldest.Equal(noon.AddDate(0, 0, -3).Truncate(24*time.Hour)) {
		t.Errorf("%d days since %v are kept, want 4", h.Days, h.Oldest)
	}
	var tables int
	err := s.conn.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master WHERE name GLOB '*_2026*'").Scan(&tables)
	if err != nil || tables%4 != 0 {
		t.Errorf("%d tables and indexes are left of 4 days, %v", tables, err)
	}
	// After a long time off, one day goes with each flush, and writing goes on.
	later := noon.AddDate(1, 0, 0)
	for range 5 {
		s.Arrival(example(1, later))
		flush(t, s, later)
	}
	if h := s.Health(t.Context()); h.Days != 1 || h.Err != nil {
		t.Errorf("%d days are kept a year later, %v", h.Days, h.Err)
	}
}

func TestSizeIsBounded(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxSize = 1 << 20
	s := openTest(t, cfg, noon.AddDate(0, 0, -19))
	w := newTraffic(11)
	ids := fill(t, s, w, 20, 200)
	h := s.Health(t.Context())
	if h.Used > 5<<18 || h.Days < 3 || h.Days > 15 {
		t.Errorf("%d bytes of %d days are kept", h.Used, h.Days)
	}
	if h.Size > 3<<19 {
		t.Errorf("the file has %d bytes, the pages of old days were not used again", h.Size)
	}
	for i, id := range ids {
		if _, err := s.Message(t.Context(), id); (err == nil) != (i >= 20-h.Days) {
			t.Errorf("message of %d days ago: %v", 19-i, err)
		}
	}
	// Today stays, however large.
	for range 5000 {
		w.message(s, noon)
	}
	for range 15 {
		flush(t, s, noon)
	}
	h = s.Health(t.Context())
	if h.Days != 1 || h.Err != nil || h.Used < 1<<20 {
		t.Errorf("%d days with %d bytes, %v", h.Days, h.Used, h.Err)
	}
}

// A file that is mostly empty becomes shorter, a little with each flush.
func TestFreePagesAreGivenBack(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	s.SaveState("large", make([]byte, 40<<20))
	flush(t, s, noon)
	s.SaveState("large", nil)
	flush(t, s, noon)
	h := s.Health(t.Context())
	if h.Size < 30<<20 || h.Used > 1<<20 {
		t.Fatalf("%d of %d bytes are used", h.Used, h.Size)
	}
	for size := h.Size; ; size = h.Size {
		flush(t, s, noon)
		if h = s.Health(t.Context()); h.Size == size {
			break
		}
		if size-h.Size > freeAtOnce*4200 {
			t.Errorf("%d bytes were given back at once", size-h.Size)
		}
	}
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.path); err != nil || info.Size() > 20<<20 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

// A reader that looks at a day while it is dropped sees it whole.
func TestDropBesideReader(t *testing.T) {
	cfg := testConfig(t)
	cfg.Keep = osm.Duration(24 * time.Hour)
	s := openTest(t, cfg, noon)
	id := newTraffic(13).message(s, noon).ID
	flush(t, s, noon)
	err := s.view(t.Context(), "read", func(v *view) error {
		flush(t, s, noon.AddDate(0, 0, 9))
		d, seq, err := v.locate(id)
		if err == nil {
			_, err = v.found(d, seq)
		}
		return err
	})
	if err != nil {
		t.Errorf("during the drop: %v", err)
	}
	if _, err := s.Message(t.Context(), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the drop: %v, want ErrNotFound", err)
	}
}
