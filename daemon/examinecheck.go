package daemon

import (
	"fmt"
	"strings"
	"time"

	"osm"
	"osm/check"
	"osm/web"
)

// examineChecks tells how the outside checks are doing, and whether this server's own addresses are on a list. None: there are
// no checks.
func examineChecks(o *web.Opinions) (all []web.Finding) {
	if o == nil {
		return nil
	}
	for _, text := range o.Notices {
		all = append(all, web.Finding{About: "checks", State: web.Problem, Text: text})
	}
	for i := range o.Servers {
		all = append(all, examineResolver(&o.Servers[i])...)
	}
	for i := range o.Checks {
		all = append(all, examineCheck(&o.Checks[i]))
	}
	live := 0
	for i := range o.Listings {
		if l := &o.Listings[i]; l.Until.IsZero() {
			live++
			all = append(all, examineListed(l))
		}
	}
	if live == 0 && len(o.Watched) > 0 && !o.Checked.IsZero() {
		all = append(all, web.Finding{About: "own addresses", State: web.Good,
			Text: fmt.Sprintf("%s: on no list, as of %s", strings.Join(o.Watched, ", "), o.Checked.Format(time.DateTime))})
	}
	return all
}

// examineResolver tells what is wrong with a name server.
func examineResolver(s *check.ServerStat) []web.Finding {
	f := web.Finding{About: "resolver", State: web.Notice}
	switch {
	case s.Dead:
		f.State, f.Do = web.Problem, "is it running? check.dns.servers names the resolvers"
		f.Text = fmt.Sprintf("%s does not answer, the last time at %s: %s", s.Server, s.Last.Format(time.DateTime), s.Error)
	case often(s.Slow, s.Asked):
		f.Do = "a resolver on this machine (unbound, for example) is faster"
		f.Text = fmt.Sprintf("%s is slow: %d of %d answers took long", s.Server, s.Slow, s.Asked)
	case often(s.Failed, s.Asked):
		f.Text = fmt.Sprintf("%s: %d of %d questions failed, the last: %s", s.Server, s.Failed, s.Asked, s.Error)
	default:
		return nil
	}
	return []web.Finding{f}
}

// examineCheck tells how one check, or one list, is doing.
func examineCheck(s *check.Stat) web.Finding {
	f := web.Finding{About: "check " + s.Name, State: web.Notice}
	asked := s.Asked - s.Cached
	switch {
	case s.Open:
		f.State, f.Do = web.Problem, "until it answers again mail is treated as the check's on_failure says"
		f.Text = "is not asked for a while, it has failed again and again: " + s.Error
	case s.Failing || often(s.Failed, asked) || s.Passed > 0:
		f.Text = fmt.Sprintf("%d of %d questions failed, %d were not put; the last at %s: %s", s.Failed, asked, s.Passed, s.Last.Format(time.DateTime), s.Error)
	case often(s.Slow, asked):
		f.Text = fmt.Sprintf("is slow: %d of %d answers took more than half of the deadline", s.Slow, asked)
	default:
		f.State, f.Text = web.Good, fmt.Sprintf("asked %s, %d answered from memory", osm.Count(s.Asked, "time"), s.Cached)
	}
	return f
}

// often tells whether something is more than an accident: a tenth of at least 20.
func often(n, of uint64) bool { return of >= 20 && n*10 >= of }

// examineListed tells of one of our own addresses on a list.
func examineListed(l *check.Listed) web.Finding {
	f := web.Finding{About: "own addresses", State: web.Problem, Do: "stop the cause, then ask the list to remove the address: its web site says how",
		Text: fmt.Sprintf("%s is on %s (%s) since %s", l.Address, l.List, strings.TrimSpace(l.Code+" "+l.Name), l.Since.Format(time.DateTime))}
	for _, who := range l.Suspects {
		f.Lines = append(f.Lines, fmt.Sprintf("suspect: %s, %s, %s, incident %s", who.Key, who.Rule, osm.Count(who.Messages, "message"), who.Incident))
	}
	return f
}
