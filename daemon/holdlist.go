package daemon

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"osm"
	"osm/exim"
	"osm/hold"
	"osm/policy"
)

// Held is what is held, in groups.
type Held struct {
	Held   int         `json:"held"`   // messages
	Others int         `json:"others"` // that are leaving or have left, of the last day
	Lost   uint64      `json:"lost"`   // times that the book was full
	By     string      `json:"by"`
	Groups []HeldGroup `json:"groups"` // the largest first
	More   int         `json:"more"`   // groups that are not listed
	List   []HeldOne   `json:"list"`   // single messages, where they were asked for
}

// HeldGroup is held mail that has something in common.
type HeldGroup struct {
	Name       string        `json:"name"`
	Messages   int           `json:"messages"`
	Recipients int           `json:"recipients"`
	Bytes      int64         `json:"bytes"`
	Oldest     time.Time     `json:"oldest"`
	Newest     time.Time     `json:"newest"`
	Automatic  int           `json:"automatic"` // releases by itself, of groups by key
	Samples    []hold.Sample `json:"samples"`

	ids []string
}

// HeldOne is one message; Sample is nil where it was not asked for, or is no longer there.
type HeldOne struct {
	hold.Message
	Sample    *hold.Sample `json:"sample,omitempty"`
	Automatic int          `json:"automatic"`       // releases of its sender's mail by itself since a person looked
	Token     string       `json:"token,omitempty"` // with which its sender can release it
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

// held answers what is held. The query's by, state, kind and value, list and samples choose.
func (s *session) held(query url.Values, now time.Time) (*Held, error) {
	h := &Held{By: cmp.Or(query.Get("by"), "key"), Groups: []HeldGroup{}, List: []HeldOne{}}
	name, ok := groupers[h.By]
	if !ok {
		return nil, fmt.Errorf("held mail can't be grouped by %q: want key, sender, reason or age", h.By)
	}
	of, list, samples, err := heldChoice(query)
	if err != nil {
		return nil, err
	}
	groups := map[string]*HeldGroup{}
	s.eachHeld(func(m *hold.Message) {
		if !of(m) {
			return
		}
		if len(h.List) < list {
			h.List = append(h.List, HeldOne{Message: *m})
		}
		g := groups[name(m, now)]
		if g == nil {
			if len(groups) >= mostKinds {
				h.More++
				return
			}
			g = &HeldGroup{Name: name(m, now), Oldest: m.Since, Newest: m.Since, Samples: []hold.Sample{}}
			if h.By == "key" {
				of, _ := s.holds.book.Group(m.Key)
				g.Automatic = of.Automatic
			}
			groups[g.Name] = g
		}
		g.add(m)
	})
	s.mu.Lock()
	h.Held, h.Others, h.Lost = s.holds.book.Size()
	s.mu.Unlock()
	for _, g := range groups {
		h.Groups = append(h.Groups, *g)
	}
	slices.SortFunc(h.Groups, func(a, b HeldGroup) int {
		return cmp.Or(b.Messages-a.Messages, strings.Compare(a.Name,
			b.Name))
	})
	slices.SortFunc(h.List, func(a, b HeldOne) int { return b.Since.Compare(a.Since) })
	if len(h.Groups) > mostGroups {
		h.More += len(h.Groups) - mostGroups
		h.Groups = h.Groups[:mostGroups]
	}
	s.addSamples(h, samples)
	return h, nil
}

func (g *HeldGroup) add(m *hold.Message) {
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

// heldChoice reads which messages are asked about, and how many of them are listed and sampled.
func heldChoice(query url.Values) (of func(*hold.Message) bool, list, samples int, err error) {
	number := func(name string, most int) int {
		n, bad := strconv.Atoi(cmp.Or(query.Get(name), "0"))
		if bad != nil {
			err = fmt.Errorf("%s=%q is not a number", name, query.Get(name))
		}
		return min(max(n, 0), most)
	}
	list, samples = number("list", mostList), number("samples", mostSamples)
	var state hold.State
	if text := query.Get("state"); text != "" && err == nil {
		err = state.UnmarshalText([]byte(text))
	}
	var key osm.Key
	if kind := query.Get("kind"); kind != "" && err == nil {
		if key.Kind, err = osm.ParseKeyKind(kind); err == nil {
			key, err = policy.CheckKey(osm.Key{Kind: key.Kind, Value: query.Get("value")})
		}
	}
	return func(m *hold.Message) bool { return m.State == state && (key == osm.Key{} || sameKey(m.Key, key)) }, list,
		samples, err
}

// addSamples reads from the spool what people judge by.
func (s *session) addSamples(h *Held, samples int) {
	q := s.holds.queue.Load()
	if q == nil || samples == 0 {
		return
	}
	for i := range h.Groups[:min(len(h.Groups), sampledGroups)] {
		g := &h.Groups[i]
		for _, id := range g.ids[:min(len(g.ids), samples)] {
			if sample := readSample(q, id); sample != nil {
				g.Samples = append(g.Samples, *sample)
			}
		}
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

// heldOne tells all about one message.
func (s *session) heldOne(id string, now time.Time) (*HeldOne, error) {
	s.mu.Lock()
	m, ok := s.holds.book.Get(id)
	secret := s.holds.book.Secret()
	g, _ := s.holds.book.Group(m.Key)
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%q is not held, and was not lately: osm held --list shows what is", id)
	}
	one := &HeldOne{Message: m, Automatic: g.Automatic}
	if q := s.holds.queue.Load(); q != nil && m.State.Live() {
		one.Sample = readSample(q, id)
		one.Token = hold.Sign(secret, id, now.Add(time.Duration(s.holds.cfg.LinkFor)))
	}
	return one, nil
}
