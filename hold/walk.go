package hold

import (
	"time"
)

// recheck is about how many spool files of messages that are known are read again in one walk.
const recheck = 10_000

// BeginWalk begins a walk through the spool.
func (b *Book) BeginWalk() { b.walk++ }

// EndWalk notes that the walk has seen all of the spool.
func (b *Book) EndWalk() { b.whole = b.walk }

// Saw notes that a message is in the spool, in a named queue or the default one, and tells whether its spool file is to
// be read: it is not known, or not where it was, or its turn has come.
func (b *Book) Saw(id, queue string) (read bool) {
	m := b.byID[id]
	if m == nil {
		return true
	}
	m.seen = b.walk
	if !m.State.Live() && m.State != Gone {
		return false // on its way out
	}
	turn := uint32(1 + len(b.order)/recheck)
	if queue == m.Queue && b.walk-m.checked < turn {
		return false
	}
	m.checked = b.walk
	return true
}

// Moved notes that a held message is in another queue now.
func (b *Book) Moved(id, queue string) {
	if m := b.byID[id]; m != nil && m.Queue != queue {
		m.Queue = queue
		b.mark(messageKey(id))
	}
}

// Missing looks at the n messages below a place, like Each, after a walk that began at a time and was through all of
// the spool: it names those that were held before and were not seen.
func (b *Book) Missing(below, n int, began time.Time) (ids []string, next int) {
	next = b.Each(below, n, func(m *Message) {
		if m.seen != b.walk && m.State.Live() && m.Changed.Before(began) {
			ids = append(ids, m.ID)
		}
	})
	return ids, next
}
