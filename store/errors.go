package store

import "errors"

// What can be wrong with the database. Use errors.Is.
var (
	ErrFull     = errors.New("the disk is full")
	ErrLocked   = errors.New("another program holds the database locked")
	ErrDamaged  = errors.New("the database is damaged")
	ErrAccess   = errors.New("the database may not be written here")
	ErrNewer    = errors.New("the database was made by a newer osm")
	ErrNotFound = errors.New("not found")
)

// Error is a failure with its kind (one of the above, or nil) and what to do.
type Error struct {
	Op   string // what was tried: open, flush, report
	Path string
	Kind error
	Err  error // SQLite's own words
}

func (e *Error) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }

func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }
