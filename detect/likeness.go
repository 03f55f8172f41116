package detect

import (
	"math/bits"

	"osm/window"
)

// likeness finds what several senders began to have in common within the last day: a subject, a network. It is a table of
// fixed size in which the entry longest unused makes room.
type likeness struct{ cells []common }

type common struct {
	hash   uint64
	last   window.Seconds
	owners uint64 // bit per hash of an owner: up to 64 are told apart roughly
}

const (
	likenessCells = 1 << 13
	likenessProbe = 8
)

func newLikeness() likeness { return likeness{make([]common, likenessCells)} }

// at finds the entry of a hash, or makes one.
func (l *likeness) at(hash uint64, now window.Seconds) *common {
	oldest := int(hash % likenessCells)
	for i := range likenessProbe {
		p := (int(hash%likenessCells) + i) % likenessCells
		c := &l.cells[p]
		if c.hash == hash {
			return c
		}
		if c.last < l.cells[oldest].last {
			oldest = p
		}
	}
	l.cells[oldest] = common{hash: hash, last: now}
	return &l.cells[oldest]
}

// join notes that an owner came to it, and tells how many others did so within a day.
func (l *likeness) join(hash, owner uint64, now window.Seconds) (others int) {
	c := l.at(hash, now)
	if window.Elapsed(c.last, now) > day {
		c.owners = 0
	}
	c.last = window.Later(c.last, now)
	bit := uint64(1) << (window.Mix(owner) >> 58)
	others = bits.OnesCount64(c.owners &^ bit)
	c.owners |= bit
	return others
}
