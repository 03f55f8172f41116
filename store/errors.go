package store

import (
	"errors"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with the database. Use errors.Is.
var (
	ErrFull     = errors.New("the disk is full: free some space, writing goes on by itself")
	ErrLocked   = errors.New("another program holds the database locked")
	ErrDamaged  = errors.New("the database is damaged")
	ErrAccess   = errors.New("the database cannot be used here: check that its folder exists and may be written")
	ErrNewer    = errors.New("the database was made by a newer osm: install that one")
	ErrForeign  = errors.New("the database belongs to another program: choose another store.path")
	ErrNotFound = errors.New("not found")
)

// Error is a failure with its kind: one of the above, or nil.
type Error struct {
	Op   string // what was tried: open, flush, report
	Path string
	Kind error
	Err  error // SQLite's own words, or nil
}

func (e *Error) Error() string {
	text := e.Op + " " + e.Path
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			text += ": " + err.Error()
		}
	}
	return text
}

// Unwrap gives errors.Is both the kind and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// failed makes an Error of err, unless it is nil or one already.
func failed(op, path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Path: path, Kind: kindOf(err), Err: err}
}

// kindOf sorts SQLite's result codes (https://sqlite.org/rescode.html; the low byte is the primary code).
func kindOf(err error) error {
	var code *sqlite.Error
	var file *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return ErrFull
	case errors.As(err, &file):
		return ErrAccess
	case !errors.As(err, &code):
		return nil
	}
	switch code.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrLocked
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrDamaged
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR:
		return ErrAccess
	}
	return nil
}

// isConflict tells a row that is there already.
func isConflict(err error) bool {
	var code *sqlite.Error
	return errors.As(err, &code) && code.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}
