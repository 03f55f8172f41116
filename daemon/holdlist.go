package daemon

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/access"
	"osm/exim"
	"osm/hold"
	"osm/web"
)

// heldGroup is a group in the making.
type heldGroup struct {
	web.HeldGroup
	ids []string // the first of its messages
}

const (
	mostGroups    = 50
	mostSamples   = 3 // of each group
	mostList      = 1000
	mostKinds     = 100_000 // groups that are counted
	sampleBody    = 4 << 10
	sampledGroups = 20
)

// ages are the groups of osm held --by age.
var ages = [...]struct {
	below time.Duration
	name  string
}{{time.Hour, "less than an hour"}, {24 * time.Hour, "less than a day"}, {3 * 24 * time.Hour, "1 to 3 days"},
	{7 * 24 * time.Hour, "3 to 7 days"}, {1 << 62, "more than 7 days"}}

// groupers say what a message's group is called.
var groupers = map[string]func(m *hold.Message, now time.Time) string{
	"key":    func(m *hold.Message, _ time.Time) string { return m.Key.String() },
	"sender": func(m *hold.Message, _ time.Time) string { return m.Sender },
	"reason": func(m *hold.Message, _ time.Time) string { return strings.Trim(m.Rule+": "+m.Reason, ": ") },
	"age": func(m *hold.Message, now time.Time) string {
		i := slices.IndexFunc(ages[:], func(a struct {
			below time.Duration
			name  string
		}) bool {
			return now.Sub(m.Since) < a.below
		})
		return ages[i].name
	},
}

// held answers what is held of a scope's mail.
func (s *session) held(q web.HeldQuery, now time.Time) (*web.Held, error) {
	h := &web.Held{By: cmp.Or(q.By, "key"), Groups: []web.HeldGroup{}, List: []web.HeldOne{}}
	name, ok := groupers[h.By]
	if !ok {
		return nil, fmt.Errorf("held mail can't be grouped by %q: want key, sender, reason or age", h.By)
	}
	if q.Count && q.Scope.All {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.Held, h.Others, h.Lost = s.holds.book.Size()
		return h, nil
	}
	list, mine := min(max(q.List, 0), mostList), 0
	groups := map[string]*heldGroup{}
	s.eachHeld(func(m *hold.Message) {
		if !q.Scope.Has(m.Account) {
			return
		}
		if m.State == hold.Held {
			mine++
		}
		if m.State != q.State || q.Key != (osm.Key{}) && !sameKey(m.Key, q.Key) {
			return
		}
		if len(h.List) < list {
			h.List = append(h.List, web.HeldOne{Message: *m})
		}
		g := groups[name(m, now)]
		if g == nil {
			if len(groups) >= mostKinds {
				h.More++
				return
			}
			g = &heldGroup{HeldGroup: web.HeldGroup{Name: name(m, now), Oldest: m.Since, Newest: m.Since, Samples: []hold.Sample{}}}
			if h.By == "key" {
				of, _ := s.holds.book.Group(m.Key)
				g.Automatic = of.Automatic
			}
			groups[g.Name] = g
		}
		g.add(m)
	})
	if h.Held = mine; q.Scope.All {
		s.mu.Lock()
		h.Held, h.Others, h.Lost = s.holds.book.Size()
		s.mu.Unlock()
	}
	s.largest(h, groups, min(max(q.Samples, 0), mostSamples))
	slices.SortFunc(h.List, func(a, b web.HeldOne) int { return b.Since.Compare(a.Since) })
	return h, nil
}

// largest puts the largest groups into an answer, with samples of the first of them.
func (s *session) largest(h *web.Held, groups map[string]*heldGroup, samples int) {
	all := slices.SortedFunc(maps.Values(groups), func(a, b *heldGroup) int {
		return cmp.Or(b.Messages-a.Messages, strings.Compare(a.Name, b.Name))
	})
	if len(all) > mostGroups {
		h.More += len(all) - mostGroups
		all = all[:mostGroups]
	}
	q := s.holds.queue.Load()
	for i, g := range all {
		if q != nil && i < sampledGroups {
			for _, id := range g.ids[:min(len(g.ids), samples)] {
				if sample := readSample(q, id); sample != nil {
					g.Samples = append(g.Samples, *sample)
				}
			}
		}
		h.Groups = append(h.Groups, g.HeldGroup)
	}
}

func (g *heldGroup) add(m *hold.Message) {
	g.Messages++
	g.Recipients += m.Recipients
	g.Bytes += m.Size
	if m.Since.Before(g.Oldest) {
		g.Oldest = m.Since
	}
	if m.Since.After(g.Newest) {
		g.Newest = m.Since
	}
	if len(g.ids) < mostSamples {
		g.ids = append(g.ids, m.ID)
	}
}

// readSample makes a sample of a message; nil when it is not in the queue or can't be read.
func readSample(q *exim.Queue, id string) *hold.Sample {
	m, err := q.Find(id)
	if err != nil {
		return nil
	}
	body, err := q.Body(m.Place, sampleBody)
	if err != nil {
		return nil
	}
	sample := hold.NewSample(id, m.Header("from"), m.Header("to"), m.Header("subject"), body)
	return &sample
}

// heldOne tells all about one message of a scope's mail.
func (s *session) heldOne(scope access.Scope, id string, now time.Time) (*web.HeldOne, error) {
	s.mu.Lock()
	m, ok := s.holds.book.Get(id)
	secret := s.holds.book.Secret()
	g, _ := s.holds.book.Group(m.Key)
	s.mu.Unlock()
	if !ok || !scope.Has(m.Account) {
		return nil, heldNotFound{id}
	}
	one := &web.HeldOne{Message: m, Automatic: g.Automatic}
	if q := s.holds.queue.Load(); q != nil && m.State.Live() {
		one.Sample = readSample(q, id)
		one.Token = hold.Sign(secret, id, now.Add(time.Duration(s.holds.cfg.Load().LinkFor)))
	}
	return one, nil
}

// heldNotFound says that a message is not held, and where to look.
type heldNotFound struct{ id string }

func (e heldNotFound) Error() string {
	return fmt.Sprintf("%q is not held, and was not lately: osm held --list shows what is", e.id)
}

// Is makes it the web's own kind of error.
func (e heldNotFound) Is(target error) bool { return target == web.ErrNotFound }
