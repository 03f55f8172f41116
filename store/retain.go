package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// freeAtLeast pages may lie unused before the file is made shorter, and no less than a quarter of it: new days
	// need them again.
	freeAtLeast = 16 << 20 / 4096
	// freeAtOnce pages are given back at a time, so that no flush waits long.
	freeAtOnce = 1000
)

// Limit sets how long history is kept and how large it may become; the rest of the settings is not looked at. It may be called at
// any time.
func (s *Store) Limit(cfg Config) {
	s.keep.Store(int64(time.Duration(cfg.Keep) / (24 * time.Hour)))
	s.maxSize.Store(int64(cfg.MaxSize))
}

// retain drops at most one day that is past its time or, when the database is too large, the oldest but today. DROP
// TABLE only puts pages on the free list; a VACUUM would write the whole file anew.
func (s *Store) retain() error {
	ctx := context.Background()
	var pages, free, size int64
	err := s.conn.QueryRowContext(ctx, `SELECT (SELECT page_count FROM pragma_page_count),
		(SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size)`).
		Scan(&pages, &free, &size)
	if err != nil {
		return failed("retain", s.path, err)
	}
	if free > freeAtLeast && free > pages/4 {
		if _, err := s.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", freeAtOnce)); err != nil {
			return failed("shorten", s.path, err)
		}
	}
	if len(s.days) == 0 {
		return nil
	}
	oldest, today := s.days[0], s.today()
	tooOld := oldest < today-day(s.keep.Load())
	tooLarge := (pages-free)*size > s.maxSize.Load() && oldest < today
	if !tooOld && !tooLarge {
		return nil
	}
	s.log.Info("a day of history is dropped", "day", oldest.start().Format("2006-01-02"), "too_large", tooLarge)
	return failed("drop a day from", s.path, s.drop(ctx, oldest))
}

// drop removes the tables of a day. Its line blocks may still be growing when its time is over at once: a new one begins.
func (s *Store) drop(ctx context.Context, d day) error {
	if w, ok := s.open[d]; ok {
		w.close()
		delete(s.open, d)
	}
	err := transaction(ctx, s.conn, func() error {
		for _, table := range dayTables {
			if err := execAll(ctx, s.conn, "DROP TABLE "+table+"_"+d.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.days = slices.DeleteFunc(s.days, func(other day) bool { return other == d })
	delete(s.strays, d)
	delete(s.due, d)
	if s.lines.day == d {
		s.lines = lineLog{block: s.lines.block}
		s.lineDay = 0
	}
	return nil
}
