// Package exim holds everything that changes when Exim changes: the grammar of its log, its message ids, its queue
// commands and the snippets that make it ask osm. Exim's one-letter fields never leave this room. It reads one line at a
// time; to tie the lines of a message together is left to track, to follow the file to tail.
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
// wrote it: see Unescape), so an Entry lives as long as its line and costs no allocation. Which fields are set depends on Kind.
type Entry struct {
	Head
	Fields

	filled bool // Fields may hold something: half of all lines have none, which need not be wiped for the next
}

// Head is what is known of a line itself, and of a submission all that there is to know.
type Head struct {
	Kind       Kind
	Additional bool // "->": a further recipient of the transport's run that the "=>" before it tells of
	Remark     bool // text in no form of Exim's own, as ACLs write it with logwrite
	Millis     bool // Time has a fraction in the log
	Kept       bool // Line is a copy: see Parser.Keep
	LoggedPID  bool // PID is Exim's own +pid; otherwise it is syslog's
	Forged     Sign // a sign that Exim did not write this line: see Forgery

	foreignPID, foreignTime bool // the id of an arrival does not fit its line: see forged.go

	Piece  int // number of this piece of a record that syslog cut, from 1; 0 for a whole one
	Pieces int // how many pieces there are

	Time time.Time // zero when the line bears none
	PID  int       // with +pid or from the syslog tag; 0 when not logged
	ID   string    // message id; "" when the line has none
	Line string    // the whole line
	Text string    // what follows the flag, or the message of a line without one

	Dir  string // cwd= of a submission
	Args string // arguments of a submission
}

// Fields is what a line tells in Exim's fields, and around them.
type Fields struct {
	HasSender  bool // Sender was logged; it is "" for the null sender
	HasSubject bool // Subject was logged; it may be ""
	Temporary  bool // a rejection that the client may try again after

	// Addresses
	Sender     string // of an arrival; F=<...> of a delivery or a rejection
	Address    string // of a delivery: the final address; of a rejection: the refused recipient
	Parents    string // of a delivery with +all_parents: the "(...)" between, without the outer brackets
	Original   string // of a delivery: the <original recipient>; "" when equal
	ReturnPath string // of a delivery: P=<...>
	Recipients string // "for ..." of an arrival, unsplit: see EachRecipient

	// The other host: the client of an arrival or rejection, the receiver of a delivery
	Host      string // verified name
	Helo      string // name in round brackets
	IP        string // without brackets
	Port      uint16 // 0 when not logged
	LocalIP   string // I=: our own address
	LocalPort uint16 // I=: our own port

	Protocol  string // P= on an arrival
	Cipher    string // X=
	Auth      string // A= before the colon
	Login     string // A= after the colon
	User      string // U=
	Subject   string // T="..." between the quotes, escapes kept
	MessageID string // id=
	Parent    string // R= on an arrival: id of the message that this one is about
	Queue     string // Q=
	Size      int64  // S=, bytes
	Router    string // R= on a delivery
	Transport string // T= on a delivery
	Answer    string // C="..." between the quotes, or the error's text; the reason of a rejection
	Errno     int    // of a deferral: what is in the brackets of "defer (-44)", Exim's or the system's number
	Code      int    // SMTP reply code in Answer, 0 when there is none
	Enhanced  string // RFC 3463 status code in Answer ("5.1.1"), "" when there is none
	Phase     string // what a rejection refused (a constant, or part of the line): "RCPT", "MAIL", "DATA", "connection", ...
}

// reset makes e that of a line of which nothing is known yet.
func (e *Entry) reset(line string) {
	e.Head = Head{Line: line}
	if e.filled {
		e.Fields, e.filled = Fields{}, false
	}
}

// Sign is why a line is held to be forged. Its names are for reports.
type Sign uint8

const (
	NoSign      Sign = iota
	TornCwd          // a cwd line without its " N args: ", so the folder's name went on in the next line
	AfterTorn        // follows a torn cwd line and belongs to the folder's name
	ForeignPID       // the pid in the message id is not the one that wrote the line
	ForeignTime      // the time in the message id is far from the arrival's
	signs
)

var signNames = [signs]string{"", "torn-cwd", "after-torn-cwd", "foreign-pid", "foreign-time"}

func (s Sign) String() string { return signNames[s] }
