package daemon

import (
	"cmp"
	"slices"
	"time"

	"osm"
	"osm/window"
)

// Summary is what a replay found, for people: who would have been stopped, when and why, and what of it looks wanted.
// Its memory is bounded: see maxStopped and maxFamiliar.
type Summary struct {
	First      time.Time        `json:"first"` // arrival
	Last       time.Time        `json:"last"`
	Messages   int64            `json:"messages"`
	Recipients int64            `json:"recipients"`
	Classes    map[string]int64 `json:"classes"` // messages
	Actions    map[string]int64 `json:"actions"` // messages
	Stopped    []*Stopped       `json:"stopped"` // in the order of their first stop
	More       int64            `json:"more"`    // messages of senders that did not fit into Stopped
	stops      map[stopKey]*Stopped
	familiar   map[uint64]struct{} // sender and recipient of accepted messages
}

// Stopped is one sender that would have been stopped by one rule.
type Stopped struct {
	Key        string     `json:"key"`
	Rule       string     `json:"rule"`
	Action     osm.Action `json:"action"` // the most severe one
	Shadow     bool       `json:"shadow,omitempty"`
	First      time.Time  `json:"first"`
	Last       time.Time  `json:"last"`
	Messages   int64      `json:"messages"`
	Recipients int64      `json:"recipients"`
	Familiar   int64      `json:"familiar"` // messages to nobody but people this sender had written to before: they look wanted
	Reason     string     `json:"reason"`   // of the first
	Detail     string     `json:"detail"`
	Verdict    string     `json:"verdict"`
	Samples    []Sample   `json:"samples"`
}

// Sample is one message that would have been stopped.
type Sample struct {
	Time       time.Time `json:"time"`
	ID         string    `json:"id"`
	Sender     string    `json:"sender"`
	Recipient  string    `json:"recipient"` // the first of Recipients
	Recipients int       `json:"recipients"`
	Subject    string    `json:"subject"`
}

type stopKey struct {
	key  osm.Key
	rule string
}

const (
	maxStopped  = 10_000
	maxFamiliar = 4_000_000 // pairs, about 40 bytes each
	samples     = 3
)

// NewSummary makes an empty one.
func NewSummary() *Summary {
	return &Summary{Classes: map[string]int64{}, Actions: map[string]int64{}, Stopped: []*Stopped{},
		stops: map[stopKey]*Stopped{}, familiar: map[uint64]struct{}{}}
}

// Add counts one arriving message with its verdict.
func (s *Summary) Add(m *osm.Message) {
	if s.First.IsZero() {
		s.First = m.Time
	}
	s.Last = m.Time
	s.Messages++
	s.Recipients += int64(len(m.Recipients))
	s.Classes[m.Class.String()]++
	s.Actions[m.Verdict.Action.String()]++
	if m.Verdict.Action == osm.Accept {
		s.learn(m)
	} else {
		s.stop(m)
	}
}

func (s *Summary) learn(m *osm.Message) {
	who := submitter(m)
	for _, r := range m.Recipients {
		if len(s.familiar) < maxFamiliar {
			s.familiar[window.Hash(who, r)] = struct{}{}
		}
	}
}

func (s *Summary) stop(m *osm.Message) {
	v := &m.Verdict
	k := stopKey{v.Key, v.Rule}
	one := s.stops[k]
	if one == nil {
		if len(s.stops) >= maxStopped {
			s.More++
			return
		}
		one = &Stopped{Key: v.Key.String(), Rule: v.Rule, Action: v.Action, Shadow: v.Shadow, First: m.Time,
			Reason: v.Reason, Detail: v.Detail, Verdict: v.ID}
		s.stops[k] = one
		s.Stopped = append(s.Stopped, one)
	}
	one.Last = m.Time
	one.Messages++
	one.Recipients += int64(len(m.Recipients))
	if v.Action.Severity() > one.Action.Severity() {
		one.Action = v.Action
	}
	if s.knows(m) {
		one.Familiar++
	}
	if len(one.Samples) < samples {
		sample := Sample{Time: m.Time, ID: m.ID, Sender: m.Sender, Recipients: len(m.Recipients), Subject: m.Subject}
		if len(m.Recipients) > 0 {
			sample.Recipient = m.Recipients[0]
		}
		one.Samples = append(one.Samples, sample)
	}
}

// knows tells whether all recipients of a message are people its submitter had written to before.
func (s *Summary) knows(m *osm.Message) bool {
	who := submitter(m)
	for _, r := range m.Recipients {
		if _, known := s.familiar[window.Hash(who, r)]; !known {
			return false
		}
	}
	return len(m.Recipients) > 0
}

func submitter(m *osm.Message) uint64 {
	return window.Hash(window.Hash(uint64(m.Class), m.Login), m.Account+m.Sender)
}

// Worst are the stopped senders with most messages first.
func (s *Summary) Worst() []*Stopped {
	worst := slices.Clone(s.Stopped)
	slices.SortStableFunc(worst, func(a, b *Stopped) int { return cmp.Compare(b.Messages, a.Messages) })
	return worst
}
