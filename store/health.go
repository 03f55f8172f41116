package store

import (
	"context"
	"time"
)

// Health says how the store is doing, for osm doctor and the page.
type Health struct {
	Path     string
	Err      error     `json:"-"` // why the last flush failed; nil when it did not, and for a Reader
	Problem  string    // the same in words, for who gets this as JSON
	Since    time.Time // when it began to fail
	SetAside string    // where a damaged file was put in whose place this one was begun; "" when there is none
	Size     int64     // bytes of the file
	Used     int64     // bytes of it that are in use
	Days     int
	Oldest   time.Time // start of the oldest day
	Schema   int       // number of the last migration
}

// Health may be called from any goroutine. Where the file can't be read the error of the last flush is told alone.
func (s *Store) Health(ctx context.Context) Health {
	h, err := s.Reader.Health(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Err, h.Since = s.failure, s.failing
	if h.Err == nil {
		h.Err = err
	}
	if h.Err != nil {
		h.Problem = h.Err.Error()
	}
	return h
}

// report remembers how the last flush went, and since when it fails.
func (s *Store) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.failure == nil {
		s.failing = s.now
	}
	s.failure = err
	if err == nil {
		s.failing = time.Time{}
	}
}

// Health of a database that a daemon writes, as far as another process can see it.
func (r *Reader) Health(ctx context.Context) (Health, error) {
	h := Health{Path: r.path, SetAside: lastSetAside(r.path)}
	err := r.view(ctx, "read", func(v *view) error {
		var pages, free, size int64
		err := v.conn.QueryRowContext(ctx, `SELECT (SELECT page_count FROM pragma_page_count),
			(SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size),
			(SELECT user_version FROM pragma_user_version)`).Scan(&pages, &free, &size, &h.Schema)
		h.Size, h.Used, h.Days = pages*size, (pages-free)*size, len(v.days)
		if len(v.days) > 0 {
			h.Oldest = v.days[0].start()
		}
		return err
	})
	return h, err
}
