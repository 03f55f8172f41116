package detect

import (
	"iter"

	"osm/window"
)

// property is a kind of value that a sender uses.
type property uint8

const (
	networks property = iota
	wides             // neighbourhoods of networks, and their owners
	clients
	helos
	froms
	subjects
	countries
	properties
)

// values are those of a sender. Whoever can be invented has one of each: only who has more gets the room for all.
type values struct {
	few  [fewValues]attr
	more *[moreValues]attr
}

const fewValues, moreValues = 9, 42

// rooms is how many values of each property have a place among the few, and among the more.
var rooms = [properties][2]uint8{networks: {1, 7}, wides: {2, 4}, clients: {1, 7}, helos: {2, 4}, froms: {1, 7}, subjects: {1, 11},
	countries: {1, 2}}

// starts is where the places of each property begin.
var starts = func() (at [properties + 1][2]uint8) {
	for p, n := range rooms {
		at[p+1] = [2]uint8{at[p][0] + n[0], at[p][1] + n[1]}
	}
	return at
}()

// of gives the places of a property; more is nil where only few are needed yet.
func (v *values) of(p property) (few, more []attr) {
	few = v.few[starts[p][0]:starts[p+1][0]]
	if v.more != nil {
		more = v.more[starts[p][1]:starts[p+1][1]]
	}
	return few, more
}

// each gives the values of a property that are in use.
func (v *values) each(p property) iter.Seq[*attr] {
	return func(yield func(*attr) bool) {
		few, more := v.of(p)
		for _, list := range [...][]attr{few, more} {
			for i := range list {
				if list[i].hash != 0 && !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// find looks a value up and makes room for it where it is new: the least trusted value, and among these the one longest
// unused, is forgotten. recent is where it was found the last time, which saves most searches.
func (v *values) find(p property, recent *uint8, hash uint64, now window.Seconds) (a *attr, isNew bool) {
	if a = v.at(p, *recent); a.hash == hash {
		a.last = now
		return a, false
	}
	few, more := v.of(p)
	worst, at := &few[0], 0
	for n, list := range [...][]attr{few, more} {
		for i := range list {
			if a = &list[i]; a.hash == hash {
				a.last, *recent = now, uint8(n*len(few)+i)
				return a, false
			}
			if less(a, worst) {
				worst, at = a, n*len(few)+i
			}
		}
	}
	if more == nil && less(&attr{}, worst) {
		v.more = new([moreValues]attr)
		_, more = v.of(p)
		worst, at = &more[0], len(few)
	}
	*worst, *recent = attr{hash: hash, born: now, last: now}, uint8(at)
	return worst, true
}

// at is a property's place by its number: first those among the few.
func (v *values) at(p property, i uint8) *attr {
	if n := rooms[p][0]; i >= n {
		return &v.more[starts[p][1]+i-n]
	}
	return &v.few[starts[p][0]+i]
}

// recents are the places where find found each of a sender's values the last time.
type recents struct{ network, wide, provider, client, helo, private, from, subject, country uint8 }

// values writes those of a property that are in use.
func (c *codec) values(v *values, p property) {
	n := uint8(0)
	for range v.each(p) {
		n++
	}
	if c.u8(&n); !c.reading {
		for a := range v.each(p) {
			a.code(c)
		}
		return
	}
	if n > rooms[p][0]+rooms[p][1] {
		c.short = true
		return
	}
	if n > rooms[p][0] && v.more == nil {
		v.more = new([moreValues]attr)
	}
	for i := range n {
		v.at(p, i).code(c)
	}
}
