// Package access is who may come in: users with their passwords, second factors and roles, sessions that outlive a
// restart, tokens for programs, tickets for panels and links for customers, in one SQLite file of its own; and the trail of
// every change to them. The daemon and the osm command may use the file at the same time. It leaves to others what each
// role may do, and everything about HTTP but the session store (web).
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

//go:embed schema.sql
var schema string

// version is the number of the schema; a file with a higher one is not touched.
const version = 1

// Errors that callers tell apart. The words of the first three are for whoever tries to come in, and say no more than they must.
var (
	ErrDenied    = errors.New("name or password is wrong")
	ErrThrottled = errors.New("too many tries: wait a while")
	ErrFactor    = errors.New("the code is wrong, or was used already")
	ErrNotFound  = errors.New("there is no such user, token or session")
	ErrExists    = errors.New("there is a user of this name already")
	ErrOver      = errors.New("this is not valid, or no longer")
)

// Options are what an Access is told. Path and Now are needed.
type Options struct {
	Path   string           // of the database file; it is made when it is missing
	Now    func() time.Time // the clock
	Cost   Cost             // of new passwords' hashes; the zero value is the default
	Logger *slog.Logger
}

// Access is the file. It may be used by many goroutines at once. Nothing is opened before it is needed: whoever has a
// damaged file can still watch mail.
type Access struct {
	options Options
	tries   *throttle
	hashing chan struct{} // one at a time: each takes some megabytes and a core

	mu sync.Mutex
	db *sql.DB
}

// New makes one. It neither opens nor checks the file.
func New(o Options) *Access {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost()
	}
	return &Access{options: o, tries: newThrottle(), hashing: make(chan struct{}, 1)}
}

// Path is where the file of users lies that belongs to a history.
func Path(history string) string { return filepath.Join(filepath.Dir(history), "access.db") }

// Close closes the file.
func (a *Access) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.db == nil {
		return nil
	}
	db := a.db
	a.db = nil
	return db.Close()
}

func (a *Access) now() time.Time { return a.options.Now() }

// open opens the file, when that has not been done.
func (a *Access) open() (*sql.DB, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.db != nil {
		return a.db, nil
	}
	if err := a.make(); err != nil {
		return nil, fmt.Errorf("make the file of users %s: %w", a.options.Path, err)
	}
	query := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)",
		"secure_delete(on)"}, "_txlock": {"immediate"}}
	where := url.URL{Scheme: "file", Path: a.options.Path, RawQuery: query.Encode()}
	if !filepath.IsAbs(a.options.Path) {
		where.Path, where.Opaque = "", url.PathEscape(a.options.Path)
	}
	db, err := sql.Open("sqlite", where.String())
	if err == nil {
		db.SetMaxOpenConns(4)
		err = migrate(db)
	}
	if err != nil {
		if db != nil {
			db.Close()
		}
		return nil, fmt.Errorf("open the file of users %s: %w", a.options.Path, err)
	}
	a.db = db
	return db, nil
}

// make makes an empty file that only its owner may read. Where root makes it, it belongs to whom the folder belongs: the
// daemon must be able to write it.
func (a *Access) make() error {
	f, err := os.OpenFile(a.options.Path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	folder, err := os.Stat(filepath.Dir(a.options.Path))
	if err != nil {
		return err
	}
	if owner, ok := folder.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		return f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return nil
}

// migrate brings an empty file to the schema.
func migrate(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	var have int
	if err := tx.QueryRow("SELECT user_version FROM pragma_user_version").Scan(&have); err != nil {
		return err
	}
	switch {
	case have > version:
		return errors.New("it was made by a newer osm: install that one")
	case have == version:
		return nil
	}
	if _, err := tx.Exec(schema + fmt.Sprintf("; PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// Change is one change of users or of how they come in. Its texts are hostile.
type Change struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	By   string    `json:"by"`
	What string    `json:"what"` // add-user, change-user, remove-user, password, second-factor, token, ticket, link, sign-in ...
	Whom string    `json:"whom"` // the user
	Text string    `json:"text"`
}

// mostChanges are kept of the trail; the oldest are forgotten.
const mostChanges = 20_000

// write runs fn in a transaction and puts what was done into the trail with it.
func (a *Access) write(ctx context.Context, fn func(tx *sql.Tx, note func(c Change) error) error) error {
	db, err := a.open()
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the file of users: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	note := func(c Change) error {
		_, err := tx.Exec(`INSERT INTO trail (id, time, by, what, whom, text) VALUES (?, ?, ?, ?, ?, ?)`, "A"+randomText(5),
			a.now().UnixMilli(), c.By, c.What, c.Whom, c.Text)
		if err == nil {
			_, err = tx.Exec("DELETE FROM trail WHERE seq <= (SELECT max(seq) FROM trail) - ?", mostChanges)
		}
		return err
	}
	if err := fn(tx, note); err != nil {
		return err
	}
	return tx.Commit()
}

// Changes is the trail, the latest first.
func (a *Access) Changes(ctx context.Context, limit int) (all []Change, err error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT id, time, by, what, whom, text FROM trail ORDER BY seq DESC LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("read the file of users: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var c Change
		var at int64
		if err := rows.Scan(&c.ID, &at, &c.By, &c.What, &c.Whom, &c.Text); err != nil {
			return nil, err
		}
		c.Time = time.UnixMilli(at)
		all = append(all, c)
	}
	return all, rows.Err()
}

// randomText is n random bytes in letters that need no escaping.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// secretBytes is the length of tokens and tickets.
const secretBytes = 32

// hashOf is what is kept of a random secret: nobody can guess it, so that one round of SHA-256 is enough.
func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
