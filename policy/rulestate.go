package policy

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"osm"
	"osm/window"
)

// The state of rules is kept as one piece for each rule's hits and one for each key of a limit. Their names hold a hash of
// what the rule is about or what it counts: a rule that means something else begins anew.
const (
	hitsKey  = "hits/"
	countKey = "count/"
)

// RuleStats is what one rule has done. Reloads and restarts keep it as long as the rule is about the same mail.
type RuleStats struct {
	Name    string    `json:"name"`
	Since   time.Time `json:"since,omitzero"`    // arrival of the first message that it was asked about
	Hits    uint64    `json:"hits"`              // messages that it decided about, on trial or not
	Last    time.Time `json:"last,omitzero"`     // arrival of the latest of them
	Message string    `json:"message,omitempty"` // Exim's id of that one
}

// hits counts them.
type hits struct {
	RuleStats
	message []byte // stands for that of the stats: its room is used again
	changed bool   // since they were saved
}

func (h *hits) note(m *osm.Message, hit bool) {
	if h.Since.IsZero() {
		h.Since, h.changed = m.Time, true
	}
	if hit {
		h.Hits++
		h.Last, h.message, h.changed = m.Time, append(h.message[:0], m.ID...), true
	}
}

// stats are those of the rule, for others to keep.
func (r *rule) stats() RuleStats {
	s := r.hits.RuleStats
	s.Name, s.Message = r.Name, string(r.hits.message)
	return s
}

// RuleStats are those of every rule, in their order.
func (p *Policy) RuleStats() []RuleStats {
	all := make([]RuleStats, len(p.rules))
	for i, r := range p.rules {
		all[i] = r.stats()
	}
	return all
}

// takeOver keeps what an earlier rule has counted, as far as it is the same.
func (r *rule) takeOver(old *rule) {
	if r.hitsKey == old.hitsKey {
		r.hits = old.hits
	}
	if r.counters != nil && old.counters != nil && r.countKey == old.countKey {
		r.counters = old.counters
	}
}

// name gives the pieces of a rule's state their names: that of the hits says what the rule is about, as what is done about it
// may change; that of the counters what is counted.
func (r *rule) name() {
	about := r.Rule
	about.Action, about.Text, about.Shadow, about.Off = osm.Accept, "", false, false
	r.hitsKey = hitsKey + strconv.FormatUint(window.Hash(0, fmt.Sprintf("%+v", about)), 16)
	r.countKey = countKey + strconv.FormatUint(window.Hash(0, fmt.Sprintf("%q %s %s %s", r.Name, r.Key, r.Count, r.Window)), 16) + "/"
}

// leave notes the state of rules that are no longer there.
func (p *Policy) leave(next []*rule) {
	if !p.keep {
		return
	}
	for _, old := range p.rules {
		if key := old.hitsKey; !slices.ContainsFunc(next, func(r *rule) bool { return r.hitsKey == key }) {
			p.gone = append(p.gone, key)
		}
		if old.counters == nil || slices.ContainsFunc(next, func(r *rule) bool { return r.counters == old.counters }) {
			continue
		}
		for _, cells := range []map[uint64]*cell{old.counters.current, old.counters.previous} {
			for key := range cells {
				p.gone = append(p.gone, old.countKey+strconv.FormatUint(key, 16))
			}
		}
	}
}

// changes are the cells that were counted in, or forgotten, since they were saved.
type changes struct {
	keep    bool
	cells   map[uint64]*cell
	dropped []uint64
}

func (c *changes) note(key uint64, k *cell) {
	if c.keep && !k.changed {
		if c.cells == nil {
			c.cells = map[uint64]*cell{}
		}
		k.changed, c.cells[key] = true, k
	}
}

func (c *changes) forget(cells map[uint64]*cell) {
	if !c.keep {
		return
	}
	for key := range cells {
		delete(c.cells, key)
		c.dropped = append(c.dropped, key)
	}
}

// Dirty hands out every piece of the rules' state that changed since the last call; nil when it is gone. The blob is only
// valid during the call of fn.
func (p *Policy) Dirty(fn func(key string, blob []byte)) {
	for _, key := range p.gone {
		fn(key, nil)
	}
	p.gone = nil
	var buf []byte
	for _, r := range p.rules {
		if r.hits.changed {
			r.hits.changed = false
			fn(r.hitsKey, encode(r.stats()))
		}
		if r.counters == nil {
			continue
		}
		prefix, c := r.countKey, &r.counters.changes
		for _, key := range c.dropped {
			fn(prefix+strconv.FormatUint(key, 16), nil)
		}
		for key, k := range c.cells {
			buf = k.appendState(buf[:0])
			k.changed = false
			fn(prefix+strconv.FormatUint(key, 16), buf)
		}
		clear(c.cells)
		c.dropped = nil
	}
}

var errDamaged = errors.New("the saved state of a rule is damaged")

// Restore reads one piece of state that Dirty has handed out. What belongs to no rule is handed out again, as gone. A damaged
// piece is an error and changes nothing.
func (p *Policy) Restore(key string, blob []byte) error {
	for _, r := range p.rules {
		if key == r.hitsKey {
			err := json.Unmarshal(blob, &r.hits.RuleStats)
			r.hits.message = []byte(r.hits.Message)
			return err
		}
		if r.counters == nil {
			continue
		}
		name, ours := strings.CutPrefix(key, r.countKey)
		if !ours {
			continue
		}
		hash, err := strconv.ParseUint(name, 16, 64)
		k := r.counters.empty()
		if err != nil || !k.loadState(blob) {
			return errDamaged
		}
		r.counters.current[hash] = k
		return nil
	}
	if p.keep {
		p.gone = append(p.gone, key)
	}
	return nil
}

func (k *cell) appendState(b []byte) []byte {
	if k.seen == nil {
		return k.sum.AppendState(b)
	}
	for hash, last := range k.seen {
		b = binary.AppendVarint(binary.LittleEndian.AppendUint64(b, hash), last.UnixNano())
	}
	return b
}

func (k *cell) loadState(b []byte) bool {
	if k.seen == nil {
		return k.sum.LoadState(b)
	}
	for len(b) > 8 {
		last, n := binary.Varint(b[8:])
		if n <= 0 {
			return false
		}
		k.seen[binary.LittleEndian.Uint64(b)] = time.Unix(0, last)
		b = b[8+n:]
	}
	return len(b) == 0
}
