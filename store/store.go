// Package store keeps the history: messages, deliveries, events, the raw lines behind them, hourly sums for reports, log
// positions and the learned state of detection, in one SQLite file. A writer (Store) belongs to the engine; any number
// of readers (Reader) may look at the same time, in this process or in another.
//
// It leaves to others what a message means: it neither parses lines nor decides. It never reads the clock.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"osm"
)

// Store is the writer. Its methods, except the Reader's and Health, belong to one goroutine.
type Store struct {
	*Reader

	log        *slog.Logger
	lock       *os.File // held so that no other process writes: what is known of the tables would go stale
	db         *sql.DB
	conn       *sql.Conn // the only connection of db
	encoder    *zstd.Encoder
	migrations []migration
	pieces     pieces

	keep    atomic.Int64 // how many days before today are kept
	maxSize atomic.Int64
	now     time.Time // of the last flush
	clock   time.Time // of the last line
	flushes int64
	batch   batch
	careful bool // look for every message before it is written
	damaged bool // Close sets the file aside

	days    []day // that have tables
	open    map[day]*dayWriter
	strays  map[day]bool      // days with messages whose id does not tell the day
	due     map[day]time.Time // when a day is to be settled; absent: at once
	lines   lineLog
	lineDay day // of the newest line

	mu      sync.Mutex
	failure error     // of the last flush
	failing time.Time // since when
}

// Open opens or makes the database and brings its schema up to date. A damaged file is set aside under a name with the
// time now, and a new one is begun: see Health. Errors are of type *Error. Without a logger nothing is logged.
func Open(cfg Config, now time.Time, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{log: log, now: now, clock: now, pieces: usualPieces(), batch: newBatch(), open: map[day]*dayWriter{}, strays: map[day]bool{}, due: map[day]time.Time{}}
	s.Limit(cfg)
	s.Reader = newReader(cfg.Path)
	err := s.begin()
	if errors.Is(kindOf(err), ErrDamaged) {
		s.damaged = true
		if err = s.Close(); err == nil {
			s.Reader = newReader(cfg.Path)
			err = s.begin()
		}
	}
	if err != nil {
		return nil, failed("open", cfg.Path, errors.Join(err, s.Close()))
	}
	return s, nil
}

// begin takes the lock, opens the connections and reads where things stand.
func (s *Store) begin() (err error) {
	ctx := context.Background()
	if s.migrations, err = loadMigrations(migrations); err != nil {
		return err
	}
	if s.encoder, err = newEncoder(zstd.SpeedDefault); err != nil {
		return err
	}
	if s.lock, err = takeLock(s.path + ".lock"); err != nil {
		return err
	}
	if s.db, err = sql.Open("sqlite", writerURL(s.path)); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if err = migrate(ctx, s.conn, s.migrations); err != nil {
		return err
	}
	if err = s.load(ctx); err != nil {
		return err
	}
	return s.Reader.open()
}

// load reads what the writer has to know.
func (s *Store) load(ctx context.Context) (err error) {
	if s.days, err = listDays(ctx, s.conn); err != nil {
		return err
	}
	for _, d := range s.days {
		var stray bool
		err = s.conn.QueryRowContext(ctx, d.sql("SELECT EXISTS (SELECT 1 FROM message_DAY WHERE key < 0)")).Scan(&stray)
		if err != nil {
			return err
		}
		if stray {
			s.strays[d] = true
		}
	}
	s.lines, err = resume(ctx, s.conn, s.days)
	s.lineDay = s.lines.day
	return err
}

// Close closes the database. What was not flushed is forgotten: its lines are read again, since their position was not
// saved either. A damaged file is set aside.
func (s *Store) Close() error {
	s.closeDays(0)
	errs := []error{s.Reader.Close()}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	s.conn, s.db = nil, nil
	if s.damaged {
		errs = append(errs, s.setAside())
		s.damaged = false
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// closeDays closes all but the days that were used last.
func (s *Store) closeDays(keep int) {
	if len(s.open) <= keep {
		return
	}
	writers := slices.SortedFunc(maps.Values(s.open), func(a, b *dayWriter) int { return cmp.Compare(b.used, a.used) })
	for _, w := range writers[keep:] {
		w.close()
		delete(s.open, w.day)
	}
}

// Positions are those of the last successful Flush.
func (s *Store) Positions() ([]osm.Position, error) {
	all, err := positions(context.Background(), s.conn)
	return all, failed("read", s.path, err)
}
