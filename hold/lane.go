package hold

import (
	"time"

	"osm"
	"osm/window"
)

// Lane is the fast lane: a few messages an hour to single recipients go out, one-time passwords above all, while their
// sender is only suspected. It is bounded in memory.
type Lane struct {
	most  int
	turns map[uint64]*turn // by key
	swept time.Time        // when hours that are over were looked for last
}

// turn is what one sender has used of the current hour.
type turn struct {
	since time.Time
	used  int
	shut  bool // it is not an ordinary sender: not asked again in this hour
}

// mostTurns bounds the senders in the lane at once: past it nobody new gets in within the hour.
const mostTurns = 10_000

// NewLane makes a lane for so many messages per sender and hour.
func NewLane(perHour int) *Lane { return &Lane{most: perHour, turns: map[uint64]*turn{}} }

// Allow changes how many messages those are; what was used of the current hour stays used.
func (l *Lane) Allow(perHour int) { l.most = perHour }

// Open tells whether a message goes by the fast lane, and counts it: it has one recipient, the detection only
// suspects its sender, the sender is an ordinary one, and this hour's number is not used up. ordinary is asked once
// an hour at most after it said no. A nil lane is closed.
func (l *Lane) Open(m *osm.Message, found osm.Verdict, ordinary func(osm.Key) bool) bool {
	if l == nil || l.most == 0 || found.Action != osm.Hold || len(m.Recipients) != 1 || found.Key.Value == "" {
		return false
	}
	hash := window.Hash(uint64(found.Key.Kind), found.Key.Value)
	t := l.turns[hash]
	if t == nil {
		if len(l.turns) >= mostTurns && !l.sweep(m.Time) {
			return false
		}
		t = &turn{since: m.Time}
		l.turns[hash] = t
	}
	if m.Time.Sub(t.since) >= time.Hour {
		*t = turn{since: m.Time}
	}
	if t.shut || t.used >= l.most {
		return false
	}
	if !ordinary(found.Key) {
		t.shut = true
		return false
	}
	t.used++
	return true
}

// sweep forgets hours that are over, at most once a minute, and tells whether there is room.
func (l *Lane) sweep(now time.Time) bool {
	if pause := now.Sub(l.swept); pause >= 0 && pause < time.Minute {
		return false
	}
	l.swept = now
	for hash, t := range l.turns {
		if now.Sub(t.since) >= time.Hour {
			delete(l.turns, hash)
		}
	}
	return len(l.turns) < mostTurns
}
