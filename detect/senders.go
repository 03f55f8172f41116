package detect

import "osm/window"

// senders holds the state of all identities, up to a limit: then the one silent for longest among a few drawn makes room.
type senders struct {
	limit int
	index map[uint64]*sender
	ring  []*sender
	hand  int
	dirty []*sender
	gone  []string // keys of forgotten senders, until they are told to the store
}

func newSenders(limit int) senders {
	return senders{limit: max(limit, 16), index: map[uint64]*sender{}}
}

func (t *senders) find(hash uint64) *sender { return t.index[hash] }

// add makes room for a new sender.
func (t *senders) add(s *sender) {
	if len(t.ring) < t.limit {
		t.ring = append(t.ring, s)
	} else {
		at := t.victim()
		old := t.ring[at]
		delete(t.index, old.hash)
		t.gone = append(t.gone, old.name())
		old.dirty = false
		t.ring[at] = s
	}
	t.index[s.hash] = s
}

// victim looks at the next few senders in turn and picks the one silent for longest.
func (t *senders) victim() int {
	best := t.hand
	for range 16 {
		t.hand = (t.hand + 1) % len(t.ring)
		if t.ring[t.hand].last < t.ring[best].last {
			best = t.hand
		}
	}
	return best
}

// touch notes that a sender's state changed.
func (t *senders) touch(s *sender, now window.Seconds) {
	s.last = window.Later(s.last, now)
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, s)
	}
}

func (s *sender) name() string { return "sender/" + s.key.String() }
