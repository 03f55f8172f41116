package exim

import "time"

// Glance is what a Forgery has to know of a piece of a log in which nothing speaks of one. It is collected line by line, on
// another processor if need be. The zero value is ready.
type Glance struct {
	suspect    bool // a line must be looked at together with those before it
	submission bool // there was one: what follows is of the last
	when       time.Time
	pid        int
	dir        string
	behind     int // lines since the last submission, or all where there was none
	arrivals   int // that bear a time
	logged     int // of these, with a pid
}

// Add takes the next line. What it keeps are parts of the line.
func (g *Glance) Add(e *Entry) {
	g.behind++
	switch {
	case e.Forged != NoSign, e.foreignTime, e.foreignPID, e.Time.IsZero() && hasMark(e.Line):
		g.suspect = true
	case e.Kind == Submission:
		g.submission, g.when, g.pid, g.dir, g.behind = true, e.Time, e.PID, e.Dir, 0
	case e.Kind == Arrival || e.Kind == Fakereject:
		g.arrivals++
		if e.LoggedPID {
			g.logged++
		}
	}
}

// Pass takes the lines of a glance together, as Look would one by one. It is false where they must be looked at one by one:
// then nothing has been done.
func (f *Forgery) Pass(g *Glance) bool {
	if g.suspect || f.torn || f.waiting {
		return false
	}
	if g.submission {
		f.seen, f.when, f.pid, f.behind = true, g.when, g.pid, 0
		f.dir = append(f.dir[:0], g.dir[:min(len(g.dir), dirKept)]...)
	}
	f.behind += g.behind
	f.times.kept += g.arrivals
	f.pids.kept += g.logged
	return true
}
