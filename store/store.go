// Package store keeps the history: messages, deliveries, events, the raw lines behind them, hourly sums for reports, log
// positions and the learned state of detection, in one SQLite file. A writer (Store) belongs to the engine; any number
// of readers (Reader) may look at the same time, in this process or in another.
//
// It leaves to others what a message means: it neither parses lines nor decides. It never reads the clock.
package store

import (
	"errors"
	"log/slog"
	"time"

	"osm"
)

// maxDays bounds the number of day tables, and with it what a log full of invented dates can make.
const maxDays = 400

// Store is the writer. Its methods, except the Reader's and Health, belong to one goroutine.
type Store struct {
	*Reader
}

// Open opens or makes the database and brings its schema up to date. A damaged file is set aside under a name with the
// time now, and a new one is begun: see Health. Errors are of type *Error.
func Open(cfg Config, now time.Time, log *slog.Logger) (*Store, error) {
	return nil, errors.ErrUnsupported
}

// Close closes the database. What was not flushed is forgotten: its lines are read again, since their position was not
// saved either.
func (s *Store) Close() error { return errors.ErrUnsupported }

// Line adds one raw line. It must come before the Arrival, Delivery or Event that was read from it: they remember
// where their line is.
func (s *Store) Line(at time.Time, line string) {}

// Arrival adds a message to the batch. m is copied; its strings and slices must not be changed in place afterwards.
// A second arrival of the same id is ignored.
func (s *Store) Arrival(m *osm.Message) {}

// Delivery adds an attempt for one recipient of m, which may have arrived long ago or (cut-through, a log that begins in
// the middle) not yet. m and d are copied as in Arrival.
func (s *Store) Delivery(m *osm.Message, d *osm.Delivery) {}

// Event adds what happened to a message, or to none.
func (s *Store) Event(e Event) {}

// SaveState puts a blob into the batch under its key, in place of any earlier one; an empty blob removes the key.
// The blob belongs to the store afterwards.
func (s *Store) SaveState(key string, blob []byte) {}

// Pending is the number of messages, deliveries and events in the batch: flush at about 20,000, or after a second.
func (s *Store) Pending() int { return 0 }

// Flush writes the batch, the positions (all those of earlier flushes are replaced) and the state blobs in one
// transaction, then drops days that are past their time. On an error nothing was written, the batch stays, and Flush
// can be called again; with ErrDamaged the file was set aside: Close, Open and read the logs again.
func (s *Store) Flush(now time.Time, positions []osm.Position) error { return errors.ErrUnsupported }

// Positions are those of the last successful Flush.
func (s *Store) Positions() ([]osm.Position, error) { return nil, errors.ErrUnsupported }

// LoadState calls fn for each saved blob whose key begins with prefix, in the order of keys.
func (s *Store) LoadState(prefix string, fn func(key string, blob []byte) error) error {
	return errors.ErrUnsupported
}
