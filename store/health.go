package store

import (
	"context"
	"errors"
	"time"
)

// Health says how the store is doing, for osm doctor and the page.
type Health struct {
	Path       string
	Err        error     // why the last flush failed; nil when it did not
	Since      time.Time // when it began to fail
	SetAside   string    // where a damaged file was put when this one was begun; "" when it was not
	Size, Used int64     // bytes of the file, and of those in use
	Days       int
	Oldest     time.Time // start of the oldest day
	Schema     int
}

// Health may be called from any goroutine.
func (s *Store) Health() Health { return Health{} }

// Health of a database that a daemon writes, as far as another process can see it.
func (r *Reader) Health(ctx context.Context) (Health, error) { return Health{}, errors.ErrUnsupported }
