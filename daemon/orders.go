package daemon

import (
	"fmt"
	"time"

	"osm"
	"osm/access"
	"osm/incident"
	"osm/policy"
	"osm/web"
)

func (s *session) entries() []policy.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Entries()
}

func (s *session) audit() []policy.Deed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Deeds()
}

// incidents copies those of a scope's mail: the book goes on changing what it holds.
func (s *session) incidents(scope access.Scope) []incident.Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []incident.Incident{}
	for _, i := range s.alarm.book.All() {
		if scope.Has(i.Account) {
			all = append(all, i.Clone())
		}
	}
	return all
}

func (s *session) incident(scope access.Scope, id string) (incident.Incident, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.alarm.book.Get(id)
	if !ok || !scope.Has(i.Account) {
		return incident.Incident{}, false
	}
	return i.Clone(), true
}

// closeIncident ends an incident on a person's word.
func (s *session) closeIncident(id, reason, by string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.alarm.book.Close(id, by, reason, now); err != nil {
		return err
	}
	i, _ := s.alarm.book.Get(id)
	s.ledger.Note(policy.Deed{What: web.Close, Key: i.Key, Reason: id + reasonText(reason), By: by, Time: now})
	return nil
}

// sendAgain puts a letter on its way once more.
func (s *session) sendAgain(id, by string, now time.Time) error {
	defer s.alarm.awake()
	if err := s.alarm.outbox.Again(id, now); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.Note(policy.Deed{What: web.SendAgain, Reason: id, By: by, Time: now})
	return nil
}

// baseline is what the detection knows of a sender, where the scope has the account that owns it.
func (s *session) baseline(scope access.Scope, key osm.Key, now time.Time) *web.Baseline {
	if !scope.All && !scope.Has(s.owner(key)) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, known := s.engine.Detect.Explain(key, now)
	if !known {
		return nil
	}
	return web.BaselineOf(b, s.cfg.Detect)
}

// order carries out one order and puts it into the audit trail.
func (s *session) order(o web.Order, by string, now time.Time) (d policy.Deed, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.What {
	case policy.Block, policy.Allow:
		e := policy.Entry{Allow: o.What == policy.Allow, Key: o.Key, Reason: o.Reason, By: by}
		if o.For > 0 {
			e.Until = now.Add(time.Duration(o.For))
		}
		if d, err = s.ledger.Put(e, now); err == nil && e.Allow {
			s.engine.Detect.Release(d.Key, now)
		}
	case policy.Unlist:
		d, err = s.ledger.Remove(o.Key, by, o.Reason, now)
	case policy.Forgive:
		if !s.engine.Detect.Release(o.Key, now) {
			return d, fmt.Errorf("nothing is known of %s: there is nothing to forgive", o.Key)
		}
		d = s.ledger.Note(policy.Deed{What: policy.Forgive, Key: o.Key, Reason: o.Reason, By: by, Time: now})
	default:
		return d, fmt.Errorf("unknown order %q: want block, allow, unlist or forgive", o.What)
	}
	if err == nil && (o.What == policy.Allow || o.What == policy.Forgive) {
		s.holds.looked(d.Key)
	}
	s.engine.Policy.Lists.Set(s.ledger.Entries())
	return d, err
}

func (s *session) undo(id, by string, now time.Time) (policy.Deed, error) {
	s.mu.Lock()
	d, _ := s.ledger.Deed(id)
	s.mu.Unlock()
	switch d.What {
	case web.Delete:
		return s.takeBack(d, by, now)
	case web.Suspend:
		return s.unsuspend(d, by, now)
	case web.SaveRule, web.RemoveRule:
		return s.undoRule(d, by, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.ledger.Undo(id, by, now)
	s.engine.Policy.Lists.Set(s.ledger.Entries())
	return d, err
}
