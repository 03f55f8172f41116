package daemon

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/action"
	"osm/check"
	"osm/incident"
)

// watchOwn looks this server's own addresses up in block lists until ctx is done, and tells of what has changed. Other settings
// have them looked up at once.
func (s *session) watchOwn(ctx context.Context) {
	for ctx.Err() == nil {
		checks, again := s.checks.Load(), (<-chan time.Time)(nil)
		if checks.Watches() {
			for _, l := range checks.LookOwn(ctx, s.suspects) {
				s.tellListed(l)
			}
			again = time.After(checks.Wait())
		}
		select {
		case <-ctx.Done():
		case <-s.rechecked:
		case <-again:
		}
	}
}

// mostSuspects is how many are named with one listing.
const mostSuspects = 10

// suspects are those about whom something has been found since a time, those with the most mail first. What was refused
// before it left this server can't have brought a listing about and comes last.
func (s *session) suspects(since time.Time) []check.Suspect {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []*incident.Incident{}
	for _, i := range s.alarm.book.All() {
		if i.Updated.After(since) {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b *incident.Incident) int {
		if a.State != b.State && (a.State == incident.Stopped || b.State == incident.Stopped) {
			if a.State == incident.Stopped {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.Messages, a.Messages)
	})
	named := []check.Suspect{}
	for _, i := range all[:min(len(all), mostSuspects)] {
		named = append(named, check.Suspect{Key: i.Key, Rule: i.Rule, Incident: i.ID, Messages: i.Messages, Last: i.Updated, Detail: i.Detail})
	}
	return named
}

// tellListed tells the administrator that an address has come onto a list, or is off it again.
func (s *session) tellListed(l check.Listed) {
	text := listedText(l)
	headline, _, _ := strings.Cut(text, "\n")
	s.options.Logger.Warn(osm.Printable(headline), "address", l.Address, "list", l.List, "code", l.Code)
	h := fnv.New64a()
	fmt.Fprint(h, l.Address, l.List, l.Since.UnixNano(), l.Until.UnixNano())
	s.alarm.announce("L"+osm.ShortID(h.Sum64()), text, time.Now())
}

// listedText says it in words; the first line is the headline.
func listedText(l check.Listed) string {
	if !l.Until.IsZero() {
		return fmt.Sprintf("this server's address %s is off the block list %s again, after %s", l.Address, l.List,
			osm.Duration(l.Until.Sub(l.Since).Round(time.Minute)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "this server's address %s is on the block list %s\n\n", l.Address, l.List)
	fmt.Fprintf(&b, "Seen first at %s, the answer was %s", l.Since.Format(time.DateTime), l.Code)
	if l.Name != "" {
		fmt.Fprintf(&b, " (%s)", l.Name)
	}
	b.WriteString(".\n")
	if len(l.Suspects) == 0 {
		b.WriteString("Nobody was found to have sent anything suspicious in the hours before: osm incidents, osm top and osm report show more.\n")
	} else {
		b.WriteString("In the hours before, something was found about these senders:\n\n")
	}
	for _, who := range l.Suspects {
		fmt.Fprintf(&b, "  %s: %s, %s, the last at %s (incident %s)\n", who.Key, who.Rule, osm.Count(who.Messages, "message"), who.Last.Format(time.DateTime), who.Incident)
	}
	b.WriteString("\nStop the cause first, then ask the list to remove the address: its web site says how.\n")
	return b.String()
}

// announce sends the administrator a notice that is about no incident, by all ways that alerts go.
func (a *alarm) announce(id, text string, now time.Time) {
	to := a.told.Load()
	var names []string
	for _, w := range to.ways {
		names = append(names, w.Name)
	}
	a.outbox.Put(action.Alert{ID: id, Host: to.host, Time: now, Notice: text}, names)
	a.awake()
}
