package detect

import (
	"math/bits"

	"osm/window"
)

// likeness finds what several senders began to have in common within the last day: a subject, a network. It is a table of
// fixed size in which the entry longest unused makes room.
type likeness struct {
	cells []common
	dirty [likenessCells / likenessPage]bool
}

type common struct {
	hash   uint64
	last   window.Seconds
	owners uint64 // bit per hash of an owner: up to 64 are told apart roughly
}

const (
	likenessCells = 1 << 13
	likenessProbe = 8
	likenessPage  = 512
)

func newLikeness() likeness { return likeness{cells: make([]common, likenessCells)} }

// at finds the place of a hash, or makes one.
func (l *likeness) at(hash uint64, now window.Seconds) int {
	oldest := int(hash % likenessCells)
	for i := range likenessProbe {
		p := (int(hash%likenessCells) + i) % likenessCells
		if l.cells[p].hash == hash {
			return p
		}
		if l.cells[p].last < l.cells[oldest].last {
			oldest = p
		}
	}
	l.cells[oldest] = common{hash: hash, last: now}
	return oldest
}

// join notes that an owner came to it, and tells how many others did so within a day.
func (l *likeness) join(hash, owner uint64, now window.Seconds) (others int) {
	p := l.at(hash, now)
	c := &l.cells[p]
	l.dirty[p/likenessPage] = true
	if window.Elapsed(c.last, now) > day {
		c.owners = 0
	}
	c.last = window.Later(c.last, now)
	bit := uint64(1) << (window.Mix(owner) >> 58)
	others = bits.OnesCount64(c.owners &^ bit)
	c.owners |= bit
	return others
}

// changed hands out the pages that changed since the last call.
func (l *likeness) changed(fn func(page int, cells []common)) {
	for p, dirty := range l.dirty {
		if dirty {
			fn(p, l.cells[p*likenessPage:(p+1)*likenessPage])
			l.dirty[p] = false
		}
	}
}

func (l *likeness) restore(page int, c *codec) bool {
	var cells [likenessPage]common
	for i := range cells {
		cells[i].code(c)
	}
	if page < 0 || page >= len(l.dirty) || !c.whole() {
		return false
	}
	copy(l.cells[page*likenessPage:], cells[:])
	return true
}

func (c *common) code(to *codec) {
	to.u64(&c.hash)
	to.u32(&c.last)
	to.u64(&c.owners)
}
