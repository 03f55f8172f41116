package store

import (
	"context"
	"errors"
	"time"

	"osm"
)

// Reader answers questions about the history. It may be used by many goroutines at once.
type Reader struct{}

// OpenReader opens the database of a daemon, running or not, read-only. It fails with ErrNotFound when there is none.
func OpenReader(path string) (*Reader, error) { return nil, errors.ErrUnsupported }

// Close closes the connections.
func (r *Reader) Close() error { return errors.ErrUnsupported }

// Message is the stored message of this id, or ErrNotFound. MessageID is not kept apart (the raw line has it).
// Recipients are the envelope's as logged at arrival.
func (r *Reader) Message(ctx context.Context, id string) (*osm.Message, error) {
	return nil, errors.ErrUnsupported
}

// Counts are sums over messages (by their arrival) and over deliveries (by the time of the attempt).
type Counts struct {
	Messages   int64
	Recipients int64 // envelope recipients; where Exim does not log them, those delivered or failed
	Bytes      int64
	Stopped    int64 // messages that a verdict did not let go their way
	Delivered  int64
	Remote     int64 // of Delivered, those that left this server
	Deferred   int64 // attempts
	Failed     int64
	Refusals   [osm.Other + 1]int64 // deferrals and failures, indexed by osm.Refusal
}

// Top is one line of a ranking.
type Top struct {
	Value string // hostile: escape it
	Counts
}

// ReportQuery says what to sum up.
type ReportQuery struct {
	Since, Until time.Time   // widened to whole hours
	Limit        int         // lines per ranking; 0 means 20
	Classes      []osm.Class // empty: all but inbound and bounce in the rankings
}

// Report is the sum of a time span.
type Report struct {
	Since, Until time.Time
	Total        Counts                // of the classes asked for
	Classes      map[osm.Class]Counts  // every class
	Events       map[EventKind]int64   // by kind
	Hours        []Hour                // one per hour, empty ones too
	Top          map[osm.KeyKind][]Top // account, login, user, script, client, sender-domain, subject; most messages first
}

// Hour is a point of the series for pictures.
type Hour struct {
	Start time.Time
	Counts
}

// Report sums up the hours of a time span.
func (r *Reader) Report(ctx context.Context, q ReportQuery) (*Report, error) {
	return nil, errors.ErrUnsupported
}

// Filter says which messages are wanted: all that is set must hold. Texts are compared without regard to ASCII case; a `*` at
// the start or end stands for anything.
type Filter struct {
	Sender, Recipient, Login, Account, User, Client, Script string
	Subject                                                 string // found anywhere in the subject
	ID                                                      string
	Since, Until                                            time.Time    // of the arrival; Until is not included
	Class                                                   osm.Class    // NoClass: any
	Outcome                                                 *osm.Outcome // at least one recipient with this outcome
	Refusal                                                 osm.Refusal  // at least one delivery refused so
	Action                                                  *osm.Action  // of the verdict
	Limit                                                   int          // 0 means 50
	After                                                   Cursor       // continue after this one: see Page.Next
}

// Cursor is a place in the list of messages: newest first. The zero value is the start.
type Cursor struct{ day, seq int64 }

// Page is a part of an answer.
type Page struct {
	Messages []Found
	Next     Cursor // for Filter.After
	More     bool   // there is a next page
}

// Found is a message with what became of it so far.
type Found struct {
	osm.Message
	Delivered, Deferred, Failed, Suppressed int // attempts by outcome
	Completed                               time.Time
	NoArrival                               bool // only deliveries were seen: the arrival was before the log's beginning
}

// Search lists messages, newest first.
func (r *Reader) Search(ctx context.Context, f Filter) (*Page, error) {
	return nil, errors.ErrUnsupported
}

// Trace is one message with all that is known.
type Trace struct {
	Found
	Deliveries []osm.Delivery // in the order of the log
	Events     []Event
	Lines      []string // raw, in the order of the log
}

// Trace tells the story of one message, or ErrNotFound.
func (r *Reader) Trace(ctx context.Context, id string) (*Trace, error) {
	return nil, errors.ErrUnsupported
}

// Verdict finds the message that a verdict was about, or ErrNotFound.
func (r *Reader) Verdict(ctx context.Context, verdict string) (*Found, error) {
	return nil, errors.ErrUnsupported
}

// Samples are the newest events of a kind (unknown and forged lines for osm doctor, rejections, failed logins).
func (r *Reader) Samples(ctx context.Context, kind EventKind, limit int) ([]Event, error) {
	return nil, errors.ErrUnsupported
}
