package exim

import (
	"strings"
	"time"
)

// What is forged. With +arguments Exim logs the working folder of whoever calls it as it is, newlines included, so any
// local user can put whole lines of his own into the log by calling sendmail in a folder with such a name. (All else that
// strangers write is escaped before Exim logs it.) A line is held to be forged when one of these rules says so:
//
//	torn-cwd        a cwd line has no " N args: ". Exim always writes it on the same line, so the folder's name goes on in
//	                the next. Folders with a newline in their name have no other use: this sign is certain.
//	after-torn-cwd  the lines that follow a torn cwd line, up to and including the first with " N args: ". Exim writes
//	                a record in one piece, so no other process's line can be among them.
//	foreign-pid     the message id of an arrival names another process than +pid does. The one that writes the line
//	                is the one that made the id. (syslog's pid does not count: it may be of another pid namespace.)
//	foreign-time    the time in the message id of an arrival is more than a day from the line's. Exim makes the id when it
//	                begins to read the message. Less would accuse a server whose time zone osm was told wrongly.
//	                Deliveries come days after their id and say nothing.
//
// The last two hold only in a log whose arrivals keep to them: at least consistent of them did, and more than did not. So
// a log whose ids were made up, or that was edited to hide them, accuses nobody.
//
// What the rules cannot see: a forger who writes " 2 args: " into the folder's name himself, and then lines with the
// right pid and time. They then end in a line without a time that bears the real " N args: ", which Forgery reports
// afterwards, unless the name ends like a cwd line. To mark more lines on suspicion would be worse: whoever sent spam from
// such a folder would hide it.
const (
	foreignAfter = 24 * 3600 // seconds
	consistent   = 3
)

// compare tells whether an arrival's id fits the line's pid and time.
func (e *Entry) compare() {
	apart := e.Time.Unix() - idSeconds(e.ID)
	e.foreignTime = apart > foreignAfter || apart < -foreignAfter
	e.foreignPID = e.LoggedPID && e.PID != idPID(e.ID)
}

// tally counts how many arrivals kept to a rule and how many did not.
type tally struct{ kept, broken int }

// breaks counts an arrival and tells whether it stands out by breaking the rule.
func (t *tally) breaks(foreign bool) bool {
	if !foreign {
		t.kept++
		return false
	}
	t.broken++
	return t.kept >= consistent && t.kept > t.broken
}

// Attempt is one forgery: a folder whose name wrote lines into the log.
type Attempt struct {
	Time  time.Time // of the submission
	PID   int       // of the submitting process, 0 when not logged
	Dir   string    // the folder's name up to its first newline, at most 256 bytes
	Lines int       // false lines
	User  string    // unix user who did it; "" when not known
	Sure  bool      // User is tied to it by the pid; otherwise he is the next who submitted mail
	Late  bool      // recognised only behind the last false line, so that they were not marked
}

// Forgery finds what one line alone does not tell. It looks at all lines of one log in their order and must not be shared
// between goroutines. The zero value is ready.
type Forgery struct {
	torn   bool      // the lines are those of a torn record
	seen   bool      // there was a submission
	when   time.Time // of the last submission
	pid    int
	dir    []byte
	behind int // lines since the last submission

	times, pids tally

	waiting bool // attempt waits for its user
	attempt Attempt
	waited  int // lines
}

const (
	dirKept     = 256  // bytes of a folder's name
	waitForUser = 1000 // lines
)

// Look marks e as forged if the lines before it say so. It returns an attempt once its user is known, or will not become
// known any more.
func (f *Forgery) Look(e *Entry) (Attempt, bool) {
	ended, ok := Attempt{}, false
	if f.waiting {
		ended, ok = f.await(e)
	}
	switch {
	case f.torn:
		f.behind++
		if e.Forged == NoSign {
			e.Forged = AfterTorn
		}
		if hasMark(e.Line) {
			f.torn = false
			return f.begin(false, ended, ok)
		}
	case e.Kind == Submission:
		f.seen, f.torn, f.behind = true, e.Forged == TornCwd, 0
		f.when, f.pid = e.Time, e.PID
		f.dir = append(f.dir[:0], e.Dir[:min(len(e.Dir), dirKept)]...)
	case e.Time.IsZero() && f.seen && hasMark(e.Line):
		return f.begin(true, ended, ok)
	default:
		f.behind++
		if e.Kind == Arrival || e.Kind == Fakereject {
			f.arrival(e)
		}
	}
	return ended, ok
}

// arrival marks an arrival whose id does not fit its line.
func (f *Forgery) arrival(e *Entry) {
	if e.ID == "" || e.Time.IsZero() {
		return
	}
	if f.times.breaks(e.foreignTime) {
		e.Forged = ForeignTime
	}
	if e.LoggedPID && f.pids.breaks(e.foreignPID) {
		e.Forged = ForeignPID
	}
}

// Rest returns the attempt that still waits for its user, at the end of a log.
func (f *Forgery) Rest() (Attempt, bool) {
	waiting := f.waiting
	f.waiting = false
	return f.attempt, waiting
}

// begin starts to wait for the user of the attempt whose last line was just read. An older one that still waits is ended;
// otherwise ended and ok are passed on.
func (f *Forgery) begin(late bool, ended Attempt, ok bool) (Attempt, bool) {
	if f.waiting {
		ended, ok = f.attempt, true
	}
	f.attempt = Attempt{Time: f.when, PID: f.pid, Dir: string(f.dir), Lines: f.behind, Late: late}
	f.waiting, f.waited, f.seen = true, 0, false
	return ended, ok
}

// await looks for the arrival of the message that was submitted from the folder: it names the user.
func (f *Forgery) await(e *Entry) (Attempt, bool) {
	f.waited++
	if e.Kind == Arrival && e.User != "" && e.IP == "" && e.Forged == NoSign && !f.torn {
		sure := e.PID != 0 && e.PID == f.attempt.PID
		if sure || e.PID == 0 || f.attempt.PID == 0 {
			f.attempt.User, f.attempt.Sure, f.waiting = strings.Clone(e.User), sure, false
			return f.attempt, true
		}
	}
	if f.waited < waitForUser {
		return Attempt{}, false
	}
	return f.Rest()
}

// hasMark tells whether a line holds the " N args: " that ends a submission's folder.
func hasMark(line string) bool {
	_, ok := nextMark(line, 0, 0)
	return ok
}
