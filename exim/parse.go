package exim

import (
	"strings"
	"time"
)

// Parser reads log lines, one after the other. It holds the zone of logs that bear local times and caches that spare
// work from line to line; it reads no clock and must not be shared between goroutines.
type Parser struct {
	// Tag is the name under which Exim writes to syslog (syslog_processname). "" accepts every name with "exim" in it.
	Tag string

	// Keep makes the strings of an arrival parts of a copy of its line, so that they can be kept.
	Keep bool
	// Skim reads of lines about a connection nothing but that they are.
	Skim bool

	clock clock
}

// NewParser makes a parser for logs whose times are local to zone; nil means UTC. Lines that bear a zone of their own
// keep it.
func NewParser(zone *time.Location) *Parser {
	if zone == nil {
		zone = time.UTC
	}
	return &Parser{clock: clock{zone: zone}}
}

// SetLatest says that no line is later than t, a file's time of change for instance. It is needed only for syslog files
// whose lines bear no year and no message id.
func (p *Parser) SetLatest(t time.Time) { p.clock.latest = t }

// Parse reads one line, without its newline, into e, which is reset first. It never fails: what is not understood has
// the kind Unknown. It does not allocate, except for the zone of a line that differs from that of the one before.
func (p *Parser) Parse(line string, e *Entry) {
	e.reset(line)
	var at stamp
	i := len(plainTime)
	when, plain := p.clock.plain(line)
	if !plain {
		if at, i = p.stamp(line, e); i == 0 {
			undated(line, e)
			return
		}
	}
	if i < len(line) && line[i] == '[' {
		i = pid(line, i, e)
	}
	id, end := i, i+idAt(line[i:])
	if end > id {
		i = after(line, end)
	}
	arrival := strings.HasPrefix(line[i:], "<= ")
	if arrival && p.Keep {
		line = strings.Clone(line)
		e.Line, e.Kept = line, true
	}
	e.ID, e.Text = line[id:end], line[i:]
	if e.Time = when; !plain {
		e.Millis = at.millis
		e.Time = p.clock.settle(&at, e.ID, arrival)
	}
	switch {
	case e.Piece > 1:
		e.Kind = Continuation
	case e.ID != "":
		ofMessage(line, i, e)
	case strings.HasPrefix(e.Text, cwd):
		e.Kind = Submission
		submission(line, i, e)
	case p.Skim && strings.HasPrefix(e.Text, connectionFrom):
		e.Kind = Connection
	default:
		remark(line, i, e)
	}
}

// stamp reads the time that a line begins with, Exim's own or syslog's. next is 0 where there is none.
func (p *Parser) stamp(line string, e *Entry) (at stamp, next int) {
	if at, next = p.clock.read(line); next > 0 {
		return at, next
	}
	if at, next = p.syslog(line, e); next == 0 {
		return at, 0
	}
	if own, n := p.clock.read(line[next:]); n > 0 {
		at, next = own, next+n
	}
	return at, next
}

// connectionFrom is how most lines begin that are about no message.
const connectionFrom = "SMTP connection from "

// pid reads "[1234] " at s[i:] and returns the index of what follows.
func pid(s string, i int, e *Entry) int {
	n, length := number(s[i+1:])
	end := i + 1 + length
	if length == 0 || end >= len(s) || s[end] != ']' || end+1 < len(s) && s[end+1] != ' ' {
		return i
	}
	e.PID, e.LoggedPID = n, true
	return after(s, end+1)
}

// ofMessage reads what follows a message id: a flag and its fields, or one of Exim's remarks about the message.
func ofMessage(s string, i int, e *Entry) {
	if i+3 <= len(s) && s[i+2] == ' ' {
		if e.Kind = flag(s[i], s[i+1]); e.Kind != Unknown {
			e.filled = true
			e.Additional = s[i] == '-'
			i += 3
			e.Text = s[i:]
			if e.Kind == Arrival || e.Kind == Fakereject {
				arrival(s, i, e)
				e.compare()
				return
			}
			delivery(s, i, e)
			return
		}
	}
	if e.Text == "Completed" || strings.HasPrefix(e.Text, "Completed ") {
		e.Kind = Completed
		return
	}
	remark(s, i, e)
}

// flag tells the kind of the line that bears one of Exim's two-character flags (specification, section "Logging message
// reception" and those after it).
func flag(a, b byte) Kind {
	switch {
	case a == '<' && b == '=':
		return Arrival
	case a == '(' && b == '=':
		return Fakereject
	case b == '>' && (a == '=' || a == '-'):
		return Delivery
	case a == '>' && b == '>':
		return Cutthrough
	case a == '*' && b == '>':
		return Suppressed
	case a == '=' && b == '=':
		return Deferral
	case a == '*' && b == '*':
		return Failure
	}
	return Unknown
}

// undated reads a line without a time: the rest of an entry that has several lines, as the rejectlog's with their
// headers, or something that Exim did not write at all.
func undated(line string, e *Entry) {
	e.Text = line
	if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "Envelope-") ||
		loggedHeader(line) {
		e.Kind = Continuation
	}
}

// loggedHeader recognises a header line of the rejectlog: "F From: ...", with the letter that Exim keeps for the header.
func loggedHeader(line string) bool {
	if len(line) < 4 || line[1] != ' ' || line[0] != '*' && (line[0] < 'A' || line[0] > 'Z') {
		return false
	}
	name, _, ok := strings.Cut(line[2:], ":")
	return ok && name != "" && !strings.ContainsAny(name, " \t")
}
