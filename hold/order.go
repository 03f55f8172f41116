package hold

import (
	"slices"
	"time"
)

// ByExpiry is who orders what is done with a message whose time is over.
const ByExpiry = "expiry"

// Order says that a message is to be released (Releasing) or deleted (Deleting), by whom, and under which deed of the
// audit trail. It waits for Due. It reports false for a message that is not held, or is leaving already; a
// release takes the place of a deletion that has not begun.
func (b *Book) Order(id string, to State, by, deed string, due, now time.Time) bool {
	m := b.byID[id]
	if m == nil || m.working || m.State != Held && !(m.State == Deleting && to == Releasing) {
		return false
	}
	b.turn(m, to, by, now)
	m.Deed, m.Due = deed, due
	if due.After(now) {
		b.later = append(b.later, m)
	} else {
		b.ready = append(b.ready, m)
	}
	return true
}

// TakeBack makes a deletion undone that has not begun.
func (b *Book) TakeBack(id string, now time.Time) bool {
	m := b.byID[id]
	if m == nil || m.State != Deleting || m.working {
		return false
	}
	b.turn(m, Held, "", now)
	m.Due, m.Deed = time.Time{}, ""
	return true
}

// Work hands out at most n messages that are to be released or deleted now. Done must follow for each.
func (b *Book) Work(n int, now time.Time) (all []Message) {
	b.sortLater()
	for len(b.later) > 0 && !b.later[0].Due.After(now) {
		b.ready = append(b.ready, b.later[0])
		b.later = b.later[1:]
	}
	for len(b.ready) > 0 && len(all) < n {
		m := b.ready[0]
		b.ready = b.ready[1:]
		due := m.State == Releasing || m.State == Deleting && !m.Due.After(now)
		if !due || m.working || b.byID[m.ID] != m { // it was taken back, ordered again, or has left
			continue
		}
		m.working = true
		all = append(all, *m)
	}
	return all
}

// Next is when the next order is due; zero when none waits.
func (b *Book) Next() time.Time {
	b.sortLater()
	if len(b.later) == 0 {
		return time.Time{}
	}
	return b.later[0].Due
}

// sortLater brings restored deletions into their order: those that are ordered come in it.
func (b *Book) sortLater() {
	if b.mixed {
		slices.SortFunc(b.later, func(x, y *Message) int { return x.Due.Compare(y.Due) })
		b.mixed = false
	}
}

// Done tells how the order about a message went. After an error it is held as before, and the error is kept.
func (b *Book) Done(id string, err error, now time.Time) (Message, bool) {
	m := b.byID[id]
	if m == nil || !m.working {
		return Message{}, false
	}
	m.working = false
	by, deed := m.By, m.Deed
	switch {
	case err != nil:
		b.turn(m, Held, "", now)
		m.Error = clip(err.Error(), mostText)
		return *m, true
	case m.By == ByExpiry:
		b.turn(m, Expired, by, now)
	case m.State == Releasing:
		b.turn(m, Released, by, now)
	case m.State == Deleting:
		b.turn(m, Deleted, by, now)
	}
	m.Deed = deed
	return *m, true
}

// Left notes what the log or the spool tells: the message is no longer held. What osm is doing with it is no news.
func (b *Book) Left(id, how string, now time.Time) {
	m := b.byID[id]
	if m == nil || !m.State.Live() || m.working || m.State == Releasing {
		return
	}
	b.turn(m, Gone, how, now)
}

// forgetAfter is how long a message that has left is remembered at least, to tell people what became of it. While it is in
// the spool it is not forgotten: Exim asks about mail that is held by rewriting, and was released, at every attempt.
const forgetAfter = 24 * time.Hour

// Sweep looks at the next n messages: those whose time is over are ordered to go, those that left long ago are
// forgotten. It reports true when it has been through all.
func (b *Book) Sweep(n int, now time.Time) (round bool) {
	if b.hand <= 0 || b.hand > len(b.order) {
		b.hand = len(b.order)
	}
	b.hand = b.Each(b.hand, n, func(m *Message) {
		switch {
		case m.State == Held && !now.Before(m.Expires):
			to := Deleting
			if b.cfg.Expire == ExpireRelease {
				to = Releasing
			}
			b.Order(m.ID, to, ByExpiry, "", now, now)
		case !m.State.Live() && now.Sub(m.Changed) > forgetAfter && m.seen < b.whole:
			b.forget(m)
		}
	})
	return b.hand == 0
}

// forget takes a message out; the last of the book takes its place.
func (b *Book) forget(m *Message) {
	last := b.order[len(b.order)-1]
	last.at, b.order[m.at] = m.at, last
	b.order[len(b.order)-1] = nil
	b.order = b.order[:len(b.order)-1]
	delete(b.byID, m.ID)
	b.groups[m.Key].known--
	b.mark(messageKey(m.ID))
}

// SweepGroups forgets senders of whom nothing is held and nothing was for a while.
func (b *Book) SweepGroups(now time.Time) {
	for key, g := range b.groups {
		latest := g.Last
		for _, t := range []time.Time{g.Told, g.SelfDay} {
			if t.After(latest) {
				latest = t
			}
		}
		if g.known == 0 && now.Sub(latest) > time.Duration(b.cfg.Keep)+forgetAfter {
			delete(b.groups, key)
			b.mark(groupKey(key))
		}
	}
}
