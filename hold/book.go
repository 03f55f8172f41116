package hold

import (
	"time"

	"osm"
)

// Book holds all held messages. One goroutine at a time may use it. No call but Release's and Delete's callers' loops
// over Each takes time that grows with the number of messages.
type Book struct {
	cfg    Config
	byID   map[string]*Message
	order  []*Message // in no order; see Each
	groups map[osm.Key]*Group
	held   int        // messages in the state Held
	ready  []*Message // orders to be carried out
	later  []*Message // deletions that wait for their time, the earliest first unless
	mixed  bool       // they were restored
	hand   int        // how far Sweep has come
	walk   uint32     // number of the current walk through the spool
	whole  uint32     // of the latest that saw all of it
	secret []byte
	dirty  map[string]bool // keys of the kept state
	lost   uint64
}

// NewBook makes an empty one.
func NewBook(cfg Config) *Book {
	return &Book{cfg: cfg, byID: map[string]*Message{}, groups: map[osm.Key]*Group{}, dirty: map[string]bool{}}
}

// Configure changes the settings; what is held keeps the end that it has.
func (b *Book) Configure(cfg Config) { b.cfg = cfg }

// Hold enters a message that is held from now on, with the score that the detection gave its sender (0: it was not
// the detection). One that is there already keeps what is known of it, unless it had left: then somebody has frozen
// it again. It reports false when the book is full.
func (b *Book) Hold(m Message, score float64, now time.Time) bool {
	old := b.byID[m.ID]
	switch {
	case old != nil && old.State.Live():
		if old.Rule == "" && m.Rule != "" {
			b.explain(old, m, score)
		}
		return true
	case old != nil:
		old.Expires = now.Add(time.Duration(b.cfg.Keep))
		b.turn(old, Held, "", now)
		return true
	case len(b.order) >= b.cfg.Most:
		b.lost++
		return false
	}
	m.State, m.Changed, m.Expires = Held, now, m.Since.Add(time.Duration(b.cfg.Keep))
	b.enter(&m)
	b.weigh(&m, score)
	b.mark(messageKey(m.ID))
	return true
}

// weigh notes the score that the detection gave a message's sender.
func (b *Book) weigh(m *Message, score float64) {
	if g := b.groups[m.Key]; m.Weighed && !m.Since.Before(g.Last) {
		g.Score, g.Last = score, m.Since
		b.mark(groupKey(m.Key))
	}
}

// explain adds to a message that was found in the spool, before the log told of it, why it is held and whom it is charged to.
func (b *Book) explain(old *Message, m Message, score float64) {
	m.tidy()
	held := 0
	if old.State == Held {
		held = 1
	}
	was := b.groups[old.Key]
	was.known, was.Held = was.known-1, was.Held-held
	old.Verdict, old.Key, old.Rule, old.Reason, old.Detail, old.Weighed = m.Verdict, m.Key, m.Rule, m.Reason, m.Detail, m.Weighed
	is := b.group(old.Key)
	is.known, is.Held = is.known+1, is.Held+held
	b.weigh(old, score)
	b.mark(messageKey(old.ID))
}

// enter puts a message into its places.
func (b *Book) enter(m *Message) {
	m.tidy()
	m.at, m.seen, m.checked = len(b.order), b.walk, b.walk
	b.order = append(b.order, m)
	b.byID[m.ID] = m
	g := b.group(m.Key)
	g.known++
	switch m.State {
	case Held:
		b.held++
		g.Held++
	case Releasing:
		b.ready = append(b.ready, m)
	case Deleting:
		b.later, b.mixed = append(b.later, m), true
	}
}

func (b *Book) group(key osm.Key) *Group {
	g := b.groups[key]
	if g == nil {
		g = &Group{Key: key}
		b.groups[key] = g
	}
	return g
}

// turn moves a message to another state, in which it has no error.
func (b *Book) turn(m *Message, s State, by string, now time.Time) {
	g := b.groups[m.Key]
	if m.State == Held {
		b.held--
		g.Held--
	}
	if s == Held {
		b.held++
		g.Held++
	}
	m.State, m.By, m.Changed, m.Error = s, by, now, ""
	b.mark(messageKey(m.ID))
}

// Empty tells whether the book has nothing at all.
func (b *Book) Empty() bool { return len(b.order) == 0 }

// Get finds a message by its id.
func (b *Book) Get(id string) (Message, bool) {
	m, ok := b.byID[id]
	if !ok {
		return Message{}, false
	}
	return *m, true
}

// Group finds what is known of a sender. It is valid until the book changes.
func (b *Book) Group(key osm.Key) (Group, bool) {
	g, ok := b.groups[key]
	if !ok {
		return Group{}, false
	}
	return *g, true
}

// Waiting are at most n of the senders that mail is held of and that may still be released by themselves, others each
// time.
func (b *Book) Waiting(n int) (keys []osm.Key) {
	for key, g := range b.groups {
		if len(keys) == n {
			break
		}
		if g.Held > 0 && g.Automatic < b.cfg.Automatic && !g.Stopped && g.Score > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// Size tells how many messages are held, how many are known besides, and how many did not fit.
func (b *Book) Size() (held, others int, lost uint64) { return b.held, len(b.order) - b.held, b.lost }

// All is the place at which Each begins.
func (b *Book) All() int { return len(b.order) }

// Each calls fn for at most n messages below a place, and returns the place to go on from: 0 when there are no more.
// Between two calls the book may change: what is there all the time is seen once, because what goes gives its place
// to the last.
func (b *Book) Each(below, n int, fn func(m *Message)) int {
	below = min(below, len(b.order))
	for end := max(below-n, 0); below > end; below-- {
		fn(b.order[below-1])
	}
	return below
}

// Stopped notes that a sender's mail is refused now.
func (b *Book) Stopped(key osm.Key) {
	if g := b.groups[key]; g != nil && !g.Stopped {
		g.Stopped = true
		b.mark(groupKey(key))
	}
}

// Looked notes that a person has looked at the senders for whom at says so: they may be released by themselves again.
func (b *Book) Looked(at func(key osm.Key) bool) {
	for key, g := range b.groups {
		if at(key) && (g.Stopped || g.Automatic > 0) {
			g.Stopped, g.Automatic = false, 0
			b.mark(groupKey(key))
		}
	}
}

// Automatic counts a release of a sender's mail by itself.
func (b *Book) Automatic(key osm.Key) {
	b.group(key).Automatic++
	b.mark(groupKey(key))
}

// Told tells whether a sender may be told about held mail now: once a day. It counts as told then.
func (b *Book) Told(key osm.Key, now time.Time) bool {
	g := b.group(key)
	if !g.MayTell(now) {
		return false
	}
	g.Told = now
	b.mark(groupKey(key))
	return true
}

// Self tells whether a sender may release one more message itself, and counts it.
func (b *Book) Self(key osm.Key, now time.Time) bool {
	g := b.group(key)
	if now.Sub(g.SelfDay) >= time.Duration(day) {
		g.Self, g.SelfDay = 0, now
	}
	if g.Stopped || g.Self >= b.cfg.SelfRelease {
		return false
	}
	g.Self++
	b.mark(groupKey(key))
	return true
}
