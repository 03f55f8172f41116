package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/hold"
	"osm/policy"
)

// What is done with held mail, in the audit trail.
const (
	Release policy.What = "release"
	Delete  policy.What = "delete"
)

// HeldOrder asks for the release or the deletion of held messages: those of IDs, or all that one of the others names.
type HeldOrder struct {
	What    policy.What  `json:"what"` // release or delete
	IDs     []string     `json:"ids,omitempty"`
	Verdict string       `json:"verdict,omitempty"` // of a message, or an incident: all that is held in it
	Key     osm.Key      `json:"key,omitzero"`
	All     bool         `json:"all,omitempty"`
	Token   string       `json:"token,omitempty"`   // the sender's own word for one message
	Once    bool         `json:"once,omitempty"`    // and forgive whom they are charged to
	Allow   bool         `json:"allow,omitempty"`   // and put them on the allow list
	For     osm.Duration `json:"for,omitzero"`      // for so long; 0: for good
	Now     bool         `json:"now,omitempty"`     // delete at once: it can't be taken back
	DryRun  bool         `json:"dry_run,omitempty"` // only tell what would be done
	Reason  string       `json:"reason,omitempty"`

	weighed bool // only what the detection held
	rule    string
}

// HeldAnswer tells what was ordered, and how far it has been carried out.
type HeldAnswer struct {
	What       policy.What   `json:"what"`
	Messages   int           `json:"messages"`
	Recipients int           `json:"recipients"`
	Keys       []osm.Key     `json:"keys"` // whom they are charged to, some of them
	IDs        []string      `json:"ids"`  // some of them
	Deed       string        `json:"deed"` // "" in a dry run, or when there was nothing to do
	Due        time.Time     `json:"due,omitzero"`
	Done       int           `json:"done"`   // carried out by the time of the answer, of IDs
	Failed     []string      `json:"failed"` // why some were not, of IDs
	DryRun     bool          `json:"dry_run"`
	More       []policy.Deed `json:"more"` // changes of the lists that came with it
}

const (
	mostNamed = 100              // messages and keys named in an answer
	mostWait  = 20 * time.Second // that an answer waits for Exim
)

// orderHeld carries out an order about held mail.
func (s *session) orderHeld(ctx context.Context, o HeldOrder, by string, now time.Time) (*HeldAnswer, error) {
	if s.holds.queue.Load() == nil {
		return nil, errNoQueue
	}
	by, err := s.checkHeld(&o, by, now)
	if err != nil {
		return nil, err
	}
	a := s.orderEach(o, by, now)
	if a.Messages == 0 && len(o.IDs) > 0 {
		return nil, fmt.Errorf("%s is not held (any more): osm held lists what is", strings.Join(o.IDs, " "))
	}
	if o.DryRun {
		return a, nil
	}
	for _, key := range a.Keys {
		s.mu.Lock()
		if o.Token == "" {
			s.holds.book.Looked(func(k osm.Key) bool { return k == key })
		}
		s.mu.Unlock()
		what := policy.Forgive
		if o.Allow {
			what = policy.Allow
		}
		if !o.Allow && !o.Once || key.Value == "" {
			continue
		}
		d, err := s.order(Order{What: what, Key: key, For: o.For, Reason: o.Reason}, by, now)
		if err != nil && o.Allow { // there may be nothing to forgive
			return a, err
		}
		if err == nil {
			a.More = append(a.More, d)
		}
	}
	s.holds.awake()
	s.await(ctx, a)
	return a, nil
}

// checkHeld makes an order's choice definite, and says who gives it.
func (s *session) checkHeld(o *HeldOrder, by string, now time.Time) (string, error) {
	ways := 0
	for _, named := range []bool{len(o.IDs) > 0, o.Verdict != "", o.Key != osm.Key{}, o.All, o.Token != ""} {
		if named {
			ways++
		}
	}
	if ways != 1 || o.What != Release && o.What != Delete {
		return by,
			fmt.Errorf("an order is to release or to delete, and names messages in one way: ids, a verdict, a key, all, or a token")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case o.Token != "":
		id, err := hold.Verify(s.holds.book.Secret(), o.Token, now)
		m, known := s.holds.book.Get(id)
		if err != nil || !known || o.What != Release {
			return by, hold.ErrToken
		}
		if !o.DryRun && !s.holds.book.Self(m.Key, now) {
			return by,
				fmt.Errorf("this sender can't release more mail itself today: the administrator can (osm release %s)", id)
		}
		o.IDs, o.Once, o.Allow = []string{id}, false, false
		return "its sender", nil
	case strings.HasPrefix(o.Verdict, "I"):
		i, ok := s.alarm.book.Get(o.Verdict)
		if !ok {
			return by, fmt.Errorf("there is no incident %s", o.Verdict)
		}
		o.Key, o.rule = i.Key, i.Rule
	case o.Key.Value != "":
		key, err := policy.CheckKey(o.Key)
		if err != nil {
			return by, err
		}
		o.Key = key
	}
	return by, nil
}

// about tells whether an order is about a message.
func (o *HeldOrder) about(m *hold.Message) bool {
	switch {
	case o.weighed && !m.Weighed, o.rule != "" && m.Rule != o.rule:
		return false
	case o.Key != osm.Key{}:
		return sameKey(m.Key, o.Key)
	case o.Verdict != "":
		return m.Verdict == o.Verdict
	}
	return o.All || slices.Contains(o.IDs, m.ID)
}

// sameKey tells whether a key is the one that a person named, in the form of lists: the detection keeps a login as it
// was written.
func sameKey(key, named osm.Key) bool {
	if key == named {
		return true
	}
	checked, err := policy.CheckKey(key)
	return err == nil && checked == named
}

// orderEach enters an order for every message that it is about, some at a time.
func (s *session) orderEach(o HeldOrder, by string, now time.Time) *HeldAnswer {
	a := &HeldAnswer{What: o.What, DryRun: o.DryRun, Keys: []osm.Key{}, IDs: []string{}, Failed: []string{},
		More: []policy.Deed{}}
	if o.What == Delete && !o.Now {
		a.Due = now.Add(time.Duration(s.holds.cfg.Grace))
	}
	if len(o.IDs) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range o.IDs {
			if m, ok := s.holds.book.Get(id); ok {
				s.orderOne(&o, a, &m, by, now)
			}
		}
		return a
	}
	s.eachHeld(func(m *hold.Message) {
		if o.about(m) {
			s.orderOne(&o, a, m, by, now)
		}
	})
	s.holds.awake()
	return a
}

// orderOne enters an order for one message. The first one makes the deed.
func (s *session) orderOne(o *HeldOrder, a *HeldAnswer, m *hold.Message, by string, now time.Time) {
	to, can := hold.Releasing, m.State == hold.Held || m.State == hold.Deleting
	if o.What == Delete {
		to, can = hold.Deleting, m.State == hold.Held
	}
	if !can {
		return
	}
	if !o.DryRun {
		if a.Deed == "" {
			d := s.ledger.Note(policy.Deed{What: o.What, Key: o.deedKey(m), Reason: o.words(), By: by, Time: now,
				Until: a.Due})
			a.Deed = d.ID
		}
		if !s.holds.book.Order(m.ID, to, by, a.Deed, a.Due, now) {
			return
		}
	}
	a.Messages++
	a.Recipients += m.Recipients
	if len(a.IDs) < mostNamed {
		a.IDs = append(a.IDs, m.ID)
	}
	if len(a.Keys) < mostNamed && !slices.Contains(a.Keys, m.Key) {
		a.Keys = append(a.Keys, m.Key)
	}
}

// deedKey is whom the audit trail names: all of an order's messages are charged to the same, or it is about many.
func (o *HeldOrder) deedKey(m *hold.Message) osm.Key {
	if o.All || len(o.IDs) > 1 {
		return osm.Key{}
	}
	return m.Key
}

// words say what an order was about, for the audit trail.
func (o *HeldOrder) words() string {
	about := strings.Join(o.IDs[:min(len(o.IDs), 5)], " ")
	switch {
	case o.All:
		about = "all held mail"
	case o.Verdict != "":
		about = "held under " + o.Verdict
	case o.Key != osm.Key{}:
		about = "all that is held of it"
	}
	if o.Reason != "" {
		about += ": " + o.Reason
	}
	return about
}

// await waits until the messages that an answer names have been released or deleted, and says which were not.
func (s *session) await(ctx context.Context, a *HeldAnswer) {
	if a.Due.After(time.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	for {
		open := 0
		a.Done, a.Failed = 0, []string{}
		s.mu.Lock()
		changed := s.holds.changed
		for _, id := range a.IDs {
			switch m, _ := s.holds.book.Get(id); {
			case m.State == hold.Releasing || m.State == hold.Deleting:
				open++
			case m.Error != "":
				a.Failed = append(a.Failed, id+": "+m.Error)
			default:
				a.Done++
			}
		}
		s.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// takeBack makes a deletion undone that has not begun.
func (s *session) takeBack(d policy.Deed, by string, now time.Time) (policy.Deed, error) {
	taken := 0
	s.eachHeld(func(m *hold.Message) {
		if m.Deed == d.ID && s.holds.book.TakeBack(m.ID, now) {
			taken++
		}
	})
	if taken == 0 {
		return policy.Deed{}, fmt.Errorf("%s can't be undone: what was to be deleted is gone", d.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Note(policy.Deed{What: policy.Undo, Key: d.Key, By: by, Time: now, Undoes: d.ID,
		Reason: fmt.Sprintf("%d messages are held on", taken)}), nil
}
