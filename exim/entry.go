// Package exim holds everything that changes when Exim changes: the grammar of its log, its message ids, its queue
// commands and the snippets that make it ask osm. Exim's one-letter fields never leave this room.
package exim

import "time"

// Kind is what a log line tells. Its names are those of osm parse.
type Kind uint8

const (
	Unknown     Kind = iota // not understood: counted and kept for inspection
	Arrival                 // <=
	Fakereject              // (= : accepted, but the client was told it was refused; an arrival
	Delivery                // => and ->
	Cutthrough              // >>
	Suppressed              // *>
	Deferral                // ==
	Failure                 // **
	Completed               // Completed
	Submission              // a cwd= line
	Rejection               // rejected RCPT, MAIL, DATA, HELO, connection ...
	AuthFailure             // authenticator failed
	Frozen
	Thawed
	Removed    // removed, cancelled
	Connection // SMTP connection from, closed, lost ...
	TLS
	Daemon       // start, queue runs, stop
	Notice       // understood and of no use
	Continuation // belongs to the line before
	kinds
)

var kindNames = [kinds]string{"unknown", "arrival", "arrival", "delivery", "cutthrough", "suppressed", "deferral",
	"failure", "completed", "submission", "rejection", "auth-failure", "frozen", "thawed", "removed", "connection", "tls",
	"daemon", "notice", "notice"}

func (k Kind) String() string { return kindNames[k] }

// Entry is one log line as understood. Every string is a part of the line given to Parse (still escaped as Exim
// wrote it), so an Entry lives as long as its line and costs no allocation. Which fields are set depends on Kind.
type Entry struct {
	Kind   Kind
	Forged bool      // bears a sign that it was not written by Exim (EXIM.md section 5)
	Time   time.Time // zero when the line bears none
	PID    int       // with +pid or from the syslog tag; 0 when not logged
	ID     string    // message id; "" when the line has none
	Line   string    // the whole line
	Text   string    // what follows the flag, or the message of a line without one

	// Addresses
	Sender     string // <= sender ("" for <>), or F=<...> of a delivery
	HasSender  bool
	Address    string // of a delivery: the final address
	Original   string // of a delivery: the <original recipient>; "" when equal
	Recipients string // "for ..." of an arrival, unsplit: see EachRecipient

	// The other host: the client of an arrival or rejection, the receiver of a delivery
	Host      string // verified name
	Helo      string // name in round brackets
	IP        string // without brackets
	Port      string
	Local     string // I=: our own address ("[127.0.0.1]:25"), LocalPort apart
	LocalIP   string
	LocalPort string

	Protocol   string // P= on an arrival
	Cipher     string // X=
	Auth       string // A= before the colon
	Login      string // A= after the colon
	User       string // U=
	Subject    string // T="..." between the quotes, escapes kept
	HasSubject bool
	MessageID  string // id=
	Parent     string // R= on an arrival
	Queue      string // Q=
	Size       int64  // S=
	Router     string // R= on a delivery
	Transport  string // T= on a delivery
	Answer     string // C="..." between the quotes, or the error's text after the colon
	Dir        string // cwd= of a submission
	Args       string // arguments of a submission
}
