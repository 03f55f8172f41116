package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"slices"
	"sync"

	"osm"
)

// readers is how many questions are answered at the same time.
const readers = 4

// Reader answers questions about the history. It may be used by many goroutines at once. Its errors are of type *Error.
type Reader struct {
	path   string
	db     *sql.DB
	busy   *sync.RWMutex // held by every question: Close waits
	within *scope        // nil: everything
}

func newReader(path string) *Reader { return &Reader{path: path, busy: new(sync.RWMutex)} }

// OpenReader opens the database of a daemon, running or not, read-only. It fails with ErrNotFound when there is none.
func OpenReader(path string) (*Reader, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, &Error{Op: "open", Path: path, Kind: ErrNotFound}
	}
	r := newReader(path)
	if err := r.open(); err != nil {
		return nil, failed("open", path, errors.Join(err, r.Close()))
	}
	return r, nil
}

// open fails when the file cannot be read. Without a daemon a user who may not write in the folder cannot make the WAL
// index that readers share; but then nothing changes, and the file can be read as it is.
func (r *Reader) open() error {
	err := r.connect(nil)
	if errors.Is(kindOf(err), ErrAccess) {
		if info, e := os.Stat(r.path + "-wal"); e != nil || info.Size() == 0 {
			r.db.Close()
			err = r.connect(url.Values{"immutable": {"1"}})
		}
	}
	return err
}

func (r *Reader) connect(more url.Values) (err error) {
	if r.db, err = sql.Open("sqlite", readerURL(r.path, more)); err != nil {
		return err
	}
	r.db.SetMaxOpenConns(readers)
	r.db.SetMaxIdleConns(readers)
	var version int
	if err = r.db.QueryRow("SELECT user_version FROM pragma_user_version").Scan(&version); err != nil {
		return err
	}
	known, err := loadMigrations(migrations)
	if err == nil && version > len(known) {
		err = ErrNewer
	}
	return err
}

// Close closes the connections, when all questions are answered.
func (r *Reader) Close() error {
	r.busy.Lock()
	defer r.busy.Unlock()
	if r.db == nil {
		return nil
	}
	return r.db.Close()
}

// view is the database at one moment: days cannot vanish between two queries.
type view struct {
	ctx    context.Context
	conn   *sql.Conn
	days   []day // the oldest first
	within *scope
	mine   map[day]chosen // the messages of the scope: see condition
}

// view runs fn on one connection in a read transaction.
func (r *Reader) view(ctx context.Context, op string, fn func(*view) error) error {
	r.busy.RLock()
	defer r.busy.RUnlock()
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return failed(op, r.path, err)
	}
	defer conn.Close()
	if err = execAll(ctx, conn, "BEGIN"); err != nil {
		return failed(op, r.path, err)
	}
	// Also when ctx is done: the connection goes back to the pool.
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	v := &view{ctx: ctx, conn: conn, within: r.within, mine: map[day]chosen{}}
	if v.days, err = listDays(ctx, conn); err == nil {
		err = fn(v)
	}
	if errors.Is(err, ErrNotFound) {
		return err
	}
	return failed(op, r.path, err)
}

// each runs a query and calls scan for each row.
func (v *view) each(scan func(rows *sql.Rows) error, query string, args ...any) error {
	return eachRow(v.ctx, v.conn, scan, query, args...)
}

func eachRow(ctx context.Context, db queryer, scan func(rows *sql.Rows) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// locate finds the row of a message by Exim's id.
func (v *view) locate(id string) (d day, seq int64, err error) {
	try := func(d day, key int64) (found bool) {
		if _, exists := slices.BinarySearch(v.days, d); !exists || err != nil {
			return false
		}
		var mine chosen
		if mine, err = v.condition(d); err != nil {
			return false
		}
		err = v.conn.QueryRowContext(v.ctx, d.sql("SELECT seq FROM message_DAY WHERE key = ? AND "+mine.sql), key).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
			return false
		}
		return err == nil
	}
	if e, ok := parseID(id); ok {
		for _, d := range e.days() {
			if key, _ := e.keyIn(d); try(d, key) {
				return d, seq, nil
			}
		}
	}
	for _, d := range slices.Backward(v.days) {
		if try(d, strayKey(id)) {
			return d, seq, nil
		}
	}
	if err == nil {
		err = ErrNotFound
	}
	return 0, 0, err
}

// Message is the stored message of this id, or ErrNotFound; what is not flushed yet is not found. MessageID is not kept
// (the raw line has it). Recipients are the envelope's as logged at arrival.
func (r *Reader) Message(ctx context.Context, id string) (*osm.Message, error) {
	var found *Found
	err := r.view(ctx, "look up a message in", func(v *view) (err error) {
		d, seq, err := v.locate(id)
		if err == nil {
			found, err = v.found(d, seq)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &found.Message, nil
}

// Verdict finds the message that a verdict was about, or ErrNotFound.
func (r *Reader) Verdict(ctx context.Context, verdict string) (*Found, error) {
	var found *Found
	err := r.view(ctx, "look up a verdict in", func(v *view) error {
		for _, d := range slices.Backward(v.days) {
			var seq int64
			mine, err := v.condition(d)
			if err != nil {
				return err
			}
			err = v.conn.QueryRowContext(ctx, d.sql(`SELECT seq FROM verdict_DAY JOIN message_DAY USING (seq)
				WHERE id = ? AND `+mine.sql+` ORDER BY seq DESC LIMIT 1`), clean(verdict)).Scan(&seq)
			if err == nil {
				found, err = v.found(d, seq)
				return err
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		return ErrNotFound
	})
	return found, err
}
