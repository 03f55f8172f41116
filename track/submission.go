package track

import (
	"slices"
	"strings"

	"osm"
	"osm/exim"
)

const (
	maxSubmissions = 64 // cwd= lines that wait for their arrival
	maxWait        = 60 // seconds that one without a pid waits; under load 2 s were seen between the two lines
)

// submission is a cwd= line whose arrival has not come yet.
type submission struct {
	dir    string // "" when the folder can't be named (a forged line)
	parent string // the message that a bounce or an automatic reply is about: Exim's own option -E
	smtp   bool   // -bs or -bS: any number of arrivals may follow
	pid    int    // 0 when the log bears none
	at     int64  // log time
	shared bool   // one of several, some of which earlier arrivals have used up
}

// submissions are the cwd= lines that wait, oldest first. A cwd= line names no message id. With +pid the arrival bears
// the same pid. Without it the lines of parallel submissions are mixed, and what is left is elimination: by what is no
// submission at all, by the protocol, by the option -E and by the folder's owner.
type submissions struct {
	list []submission
	fits []int // scratch of byElimination
	used int   // arrivals that belong to some of those that are shared
}

// add keeps a cwd= line that an arrival may follow.
func (s *submissions) add(c submission, now int64) {
	c.dir, c.parent, c.at = strings.Clone(c.dir), strings.Clone(c.parent), now
	s.push(c)
}

// addNameless keeps the fact that somebody submits from a folder that can't be told.
func (s *submissions) addNameless(e *exim.Entry, now int64) {
	s.push(submission{pid: e.PID, at: now})
}

func (s *submissions) push(c submission) {
	if c.pid != 0 { // pids come again: the older process has ended
		s.list = slices.DeleteFunc(s.list, func(old submission) bool { return old.pid == c.pid })
	}
	if len(s.list) == maxSubmissions {
		s.list = slices.Delete(s.list, 0, 1)
	}
	s.list = append(s.list, c)
}

// take finds the folder from which a local arrival (or a rejected local submission) was made.
func (s *submissions) take(m *osm.Message, pid int, now int64) osm.Script {
	if len(s.list) == 0 {
		return osm.Script{}
	}
	for i := range s.list {
		if c := s.list[i]; c.pid != 0 && c.pid == pid {
			if !c.smtp {
				s.list = slices.Delete(s.list, i, i+1)
			}
			return c.script(osm.Exact)
		}
	}
	s.list = slices.DeleteFunc(s.list, func(c submission) bool { return c.pid == 0 && now-c.at > maxWait })
	return s.byElimination(m)
}

func (c *submission) script(sure osm.Confidence) osm.Script {
	if c.dir == "" {
		return osm.Script{}
	}
	return osm.Script{Path: c.dir, Sure: sure}
}

// byElimination finds the line that an arrival without a pid belongs to. Where lines of several folders can be meant it
// says nothing rather than guess, and remembers that one of them is used up.
func (s *submissions) byElimination(m *osm.Message) osm.Script {
	s.find(m)
	if len(s.fits) == 0 {
		return osm.Script{}
	}
	first, sure := s.list[s.fits[0]], true
	for _, i := range s.fits {
		sure = sure && s.list[i].dir == first.dir && !s.list[i].shared
	}
	if first.smtp { // its line stays
		if sure {
			return first.script(osm.Probable)
		}
		return osm.Script{}
	}
	if sure {
		s.list = slices.Delete(s.list, s.fits[0], s.fits[0]+1)
		return first.script(osm.Probable)
	}
	for _, i := range s.fits {
		s.list[i].shared = true
	}
	s.used++
	s.settle()
	return osm.Script{}
}

// find sets fits to the lines that an arrival can belong to: those of folders that bear its user's name, if there are
// any.
func (s *submissions) find(m *osm.Message) {
	// P= is "local" for a message read from standard input, "local-smtp" and the like for -bs and -bS; a rejection
	// has none.
	smtp := strings.HasPrefix(m.Protocol, "local-")
	s.fits = s.fits[:0]
	owned := false
	for i := range s.list {
		c := &s.list[i]
		if c.pid != 0 || c.smtp != smtp || c.parent != m.Parent {
			continue
		}
		mine := hasFolder(c.dir, m.User)
		if mine && !owned {
			owned, s.fits = true, s.fits[:0]
		}
		if mine == owned {
			s.fits = append(s.fits, i)
		}
	}
}

// settle drops the shared lines when as many arrivals came as there are lines.
func (s *submissions) settle() {
	shared := 0
	for i := range s.list {
		if s.list[i].shared {
			shared++
		}
	}
	if s.used >= shared {
		s.list = slices.DeleteFunc(s.list, func(c submission) bool { return c.shared })
		s.used = 0
	}
}

// hasFolder tells whether one of the folders in a path is called name.
func hasFolder(path, name string) bool {
	if name == "" {
		return false
	}
	for {
		i := strings.Index(path, name)
		if i < 0 {
			return false
		}
		end := i + len(name)
		if i > 0 && path[i-1] == '/' && (end == len(path) || path[end] == '/') {
			return true
		}
		path = path[i+1:]
	}
}

// readArgs reads the command line of an Exim process; ok is false when it submits no message: queue runs, deliveries,
// the daemon, and everything that only asks (spec 5.2). Among the modes -b only -bm, -bs and -bS submit. The
// arguments are the caller's words: where a quoted one begins the rest can't be told apart, and it is taken for a
// submission.
func readArgs(args string) (c submission, ok bool) {
	if i := strings.IndexByte(args, ' '); i >= 0 && strings.HasPrefix(args[i:], " -M") {
		return c, false // most are: a delivery
	}
	program, rest, _ := strings.Cut(args, " ")
	switch program[strings.LastIndexByte(program, '/')+1:] {
	case "mailq", "newaliases", "runq":
		return c, false
	}
	for rest != "" {
		var arg string
		arg, rest, _ = strings.Cut(rest, " ")
		if len(arg) < 2 || arg[0] != '-' {
			if strings.HasPrefix(arg, `"`) {
				break
			}
			continue
		}
		switch arg[1] {
		case 'M', 'q', 'R', 'S':
			return c, false
		case 'b':
			switch arg {
			case "-bs", "-bS":
				c.smtp = true
			case "-bm":
			default:
				return c, false
			}
		case 'f', 'F', 'r':
			if len(arg) == 2 { // the next one is its value, whatever it looks like
				_, rest, _ = strings.Cut(rest, " ")
			}
		case 'E':
			c.parent = arg[2:]
		}
	}
	return c, true
}
