package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/access"
	"osm/hold"
	"osm/policy"
	"osm/web"
)

// heldOrder is an order with what it turned out to be about.
type heldOrder struct {
	web.HeldOrder
	weighed bool   // only what the detection held
	rule    string // only what this rule held
}

const (
	mostNamed = 100              // messages and keys named in an answer
	mostWait  = 20 * time.Second // that an answer waits for Exim
)

// orderHeld carries out an order about held mail.
func (s *session) orderHeld(ctx context.Context, order web.HeldOrder, by string, now time.Time) (*web.HeldAnswer, error) {
	o := heldOrder{HeldOrder: order}
	if s.holds.queue.Load() == nil {
		return nil, errNoQueue
	}
	by, err := s.checkHeld(&o, by, now)
	if err != nil {
		return nil, err
	}
	a := s.orderEach(o, by, now)
	if a.Messages == 0 && len(a.Failed) == 0 && len(o.IDs) > 0 {
		return nil, fmt.Errorf("%s is not held (any more): osm held lists what is", strings.Join(o.IDs, " "))
	}
	if o.DryRun || a.Messages == 0 {
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
		d, err := s.order(web.Order{What: what, Key: key, For: o.For, Reason: o.Reason}, by, now)
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
func (s *session) checkHeld(o *heldOrder, by string, now time.Time) (string, error) {
	ways := 0
	for _, named := range []bool{len(o.IDs) > 0, o.Verdict != "", o.Key != osm.Key{}, o.All, o.Token != ""} {
		if named {
			ways++
		}
	}
	if ways != 1 || o.What != web.Release && o.What != web.Delete {
		return by,
			fmt.Errorf("an order is to release or to delete, and names messages in one way: ids, a verdict, a key, all, or a token")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case o.Token != "":
		id, err := hold.Verify(s.holds.book.Secret(), o.Token, now)
		m, known := s.holds.book.Get(id)
		if err != nil || !known || o.What != web.Release {
			return by, hold.ErrToken
		}
		if !o.DryRun && !s.holds.book.Self(m.Key, now) {
			return by,
				fmt.Errorf("this sender can't release more mail itself today: the administrator can (osm release %s)", id)
		}
		o.IDs, o.Once, o.Allow, o.Scope = []string{id}, false, false, access.Scope{All: true}
		return "its sender", nil
	case strings.HasPrefix(o.Verdict, "I"):
		i, ok := s.alarm.book.Get(o.Verdict)
		if !ok || !o.Scope.Has(i.Account) {
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
func (o *heldOrder) about(m *hold.Message) bool {
	switch {
	case !o.Scope.Has(m.Account), o.weighed && !m.Weighed, o.rule != "" && m.Rule != o.rule:
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
func (s *session) orderEach(o heldOrder, by string, now time.Time) *web.HeldAnswer {
	a := &web.HeldAnswer{What: o.What, DryRun: o.DryRun, Keys: []osm.Key{}, IDs: []string{}, Failed: []string{},
		More: []policy.Deed{}}
	if o.What == web.Delete && !o.Now {
		a.Due = now.Add(time.Duration(s.holds.cfg.Load().Grace))
	}
	if len(o.IDs) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range o.IDs {
			if m, ok := s.holds.book.Get(id); ok && o.Scope.Has(m.Account) {
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
func (s *session) orderOne(o *heldOrder, a *web.HeldAnswer, m *hold.Message, by string, now time.Time) {
	to, can := hold.Releasing, m.State == hold.Held || m.State == hold.Deleting
	if o.What == web.Delete {
		to, can = hold.Deleting, m.State == hold.Held
	}
	if !can {
		return
	}
	if !o.DryRun {
		if o.Self && !s.holds.book.Self(m.Key, now) {
			a.Failed = append(a.Failed, m.ID+": its owner can't release more mail of this sender today")
			return
		}
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
func (o *heldOrder) deedKey(m *hold.Message) osm.Key {
	if o.All || len(o.IDs) > 1 {
		return osm.Key{}
	}
	return m.Key
}

// words say what an order was about, for the audit trail.
func (o *heldOrder) words() string {
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
func (s *session) await(ctx context.Context, a *web.HeldAnswer) {
	if a.Due.After(time.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	refused := a.Failed
	for {
		open := 0
		a.Done, a.Failed = 0, slices.Clone(refused)
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
