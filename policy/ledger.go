package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/window"
)

// Deed is one change that a person or osm made, for the audit trail. Its texts are hostile.
type Deed struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	What   What      `json:"what"`
	Key    osm.Key   `json:"key"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Before *Entry    `json:"before,omitempty"` // the list entry that was changed or removed
	After  *Entry    `json:"after,omitempty"`  // the one that is there now
	Undoes string    `json:"undoes,omitempty"` // id of the deed that this one takes back
	Undone string    `json:"undone,omitempty"` // id of the deed that took this one back

	Rule       string `json:"rule,omitempty"`        // name of the rule that was changed
	RuleBefore *Rule  `json:"rule_before,omitempty"` // as it was
	RuleAfter  *Rule  `json:"rule_after,omitempty"`  // and as it is now
}

// What is the kind of a deed.
type What string

const (
	Block   What = "block"
	Allow   What = "allow"
	Unlist  What = "unlist"
	Expire  What = "expire"  // a list entry's time was over
	Forgive What = "forgive" // a sender's score was cleared
	Undo    What = "undo"
)

// Ledger holds the list entries and the audit trail of everything that changed them. One goroutine at a time may use it.
type Ledger struct {
	entries map[osm.Key]Entry // one for each key: the later word counts
	deeds   []Deed            // oldest first
	dirty   map[string][]byte // by key of the kept state
	next    int64
}

// What the ledger holds at most: entries beyond are refused, the oldest deeds are forgotten.
const (
	mostEntries = 1_000_000
	mostDeeds   = 20_000
)

// NewLedger makes an empty one.
func NewLedger() *Ledger {
	return &Ledger{entries: map[osm.Key]Entry{}, dirty: map[string][]byte{}, next: 1}
}

// Put enters a key into the block or the allow list. An entry that is there for the same key gives way; a time that is
// over, or a key that can't be, is an error.
func (l *Ledger) Put(e Entry, now time.Time) (Deed, error) {
	key, err := CheckKey(e.Key)
	if err != nil {
		return Deed{}, err
	}
	if !e.Until.IsZero() && !e.Until.After(now) {
		return Deed{}, fmt.Errorf("%s: its end %s is over already", key, e.Until.Format(time.RFC3339))
	}
	before, known := l.entries[key]
	if !known && len(l.entries) >= mostEntries {
		return Deed{}, fmt.Errorf("%s: the lists are full (%d entries): name a network or a domain instead", key, mostEntries)
	}
	e.Key, e.Added, e.ID = key, now, l.next
	d := Deed{What: Block, Key: key, Reason: e.Reason, Until: e.Until, By: e.By, Time: now, After: &e}
	if e.Allow {
		d.What = Allow
	}
	if known {
		d.Before = &before
	}
	l.entries[key] = e
	return l.record(d), nil
}

// Remove takes a key off the lists.
func (l *Ledger) Remove(key osm.Key, by, reason string, now time.Time) (Deed, error) {
	key, err := CheckKey(key)
	if err != nil {
		return Deed{}, err
	}
	before, known := l.entries[key]
	if !known {
		return Deed{}, fmt.Errorf("%s is on no list", key)
	}
	delete(l.entries, key)
	return l.record(Deed{What: Unlist, Key: key, Reason: reason, By: by, Time: now, Before: &before}), nil
}

// Note records a deed that is not about the lists. The one that it undoes is marked.
func (l *Ledger) Note(d Deed) Deed {
	d = l.record(d)
	if i := slices.IndexFunc(l.deeds, func(o Deed) bool { return o.ID == d.Undoes }); d.Undoes != "" && i >= 0 {
		l.deeds[i].Undone = d.ID
		l.keep(l.deeds[i])
	}
	return d
}

// Listed tells whether a key is on a list.
func (l *Ledger) Listed(key osm.Key) bool {
	_, ok := l.entries[key]
	return ok
}

// Deed finds a deed by its id.
func (l *Ledger) Deed(id string) (Deed, bool) {
	i := slices.IndexFunc(l.deeds, func(d Deed) bool { return d.ID == id })
	if i < 0 {
		return Deed{}, false
	}
	return l.deeds[i], true
}

// Undo takes a deed about the lists back: what was there before it is there again.
func (l *Ledger) Undo(id, by string, now time.Time) (Deed, error) {
	i := slices.IndexFunc(l.deeds, func(d Deed) bool { return d.ID == id })
	if i < 0 {
		return Deed{}, fmt.Errorf("there is no deed %s: osm audit lists them", id)
	}
	d := &l.deeds[i]
	switch {
	case d.Undone != "":
		return Deed{}, fmt.Errorf("%s has been undone already by %s", id, d.Undone)
	case d.Before == nil && d.After == nil:
		return Deed{}, fmt.Errorf("%s can't be undone: %s changed nothing that could be put back", id, d.What)
	}
	now0, known := l.entries[d.Key]
	if d.After != nil && (!known || now0.ID != d.After.ID) || d.After == nil && known {
		return Deed{}, fmt.Errorf("%s can't be undone: %s has been changed since", id, d.Key)
	}
	if d.Before != nil {
		l.entries[d.Key] = *d.Before
	} else {
		delete(l.entries, d.Key)
	}
	back := l.record(Deed{What: Undo, Key: d.Key, By: by, Time: now, Before: d.After, After: d.Before, Undoes: id})
	d = &l.deeds[slices.IndexFunc(l.deeds, func(d Deed) bool { return d.ID == id })]
	d.Undone = back.ID
	l.keep(*d)
	return back, nil
}

// Tick removes entries whose time is over and tells which.
func (l *Ledger) Tick(now time.Time) []Deed {
	var over []Deed
	for key, e := range l.entries {
		if !e.Live(now) {
			delete(l.entries, key)
			over = append(over, l.record(Deed{What: Expire, Key: key, By: "osm", Time: now, Before: &e}))
		}
	}
	return over
}

// Entries lists what is on the lists, the latest first.
func (l *Ledger) Entries() []Entry {
	all := make([]Entry, 0, len(l.entries))
	for _, e := range l.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return int(b.ID - a.ID) })
	return all
}

// Size is how many entries each list has.
func (l *Ledger) Size() (blocked, allowed int) {
	for _, e := range l.entries {
		if e.Allow {
			allowed++
		}
	}
	return len(l.entries) - allowed, allowed
}

// Deeds lists the audit trail, the latest first.
func (l *Ledger) Deeds() []Deed {
	all := slices.Clone(l.deeds)
	slices.Reverse(all)
	return all
}

func (l *Ledger) record(d Deed) Deed {
	d.ID = "D" + osm.ShortID(window.Pair(window.Mix(uint64(d.Time.UnixNano())), window.Hash(uint64(l.next), d.Key.String())))
	l.next++
	if len(l.deeds) >= mostDeeds {
		l.dirty[deedKey(l.deeds[0])] = nil
		l.deeds = slices.Delete(l.deeds, 0, 1)
	}
	l.deeds = append(l.deeds, d)
	l.keep(d)
	if d.Before != nil || d.After != nil {
		l.keepEntry(d.Key)
	}
	return d
}

// deedKey sorts by time, so that the trail is read back in order.
func deedKey(d Deed) string { return fmt.Sprintf("deed/%016x-%s", d.Time.UnixNano(), d.ID) }

func (l *Ledger) keep(d Deed) { l.dirty[deedKey(d)] = encode(d) }

func (l *Ledger) keepEntry(key osm.Key) {
	var blob []byte
	if e, ok := l.entries[key]; ok {
		blob = encode(e)
	}
	l.dirty["entry/"+key.String()] = blob
}

// encode writes what has only strings, numbers and times: it can't fail.
func encode(v any) []byte {
	blob, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return blob
}

// Changed tells whether Dirty has something to hand out.
func (l *Ledger) Changed() bool { return len(l.dirty) > 0 }

// Dirty hands out every piece of state that changed since the last call; nil when it is gone.
func (l *Ledger) Dirty(fn func(key string, blob []byte)) {
	for key, blob := range l.dirty {
		fn(key, blob)
	}
	clear(l.dirty)
}

// Restore reads what Dirty has handed out, in the order of the keys.
func (l *Ledger) Restore(key string, blob []byte) error {
	if strings.HasPrefix(key, "deed/") {
		var d Deed
		if err := json.Unmarshal(blob, &d); err != nil {
			return fmt.Errorf("read a deed: %w", err)
		}
		if d.ID == "" {
			return fmt.Errorf("read a deed: %q has no id", blob)
		}
		l.deeds = append(l.deeds, d)
		l.next++
		return nil
	}
	var e Entry
	if err := json.Unmarshal(blob, &e); err != nil {
		return fmt.Errorf("read a list entry: %w", err)
	}
	if e.Key.Kind == osm.NoKey {
		return fmt.Errorf("read a list entry: %q has no key", blob)
	}
	l.entries[e.Key] = e
	l.next = max(l.next, e.ID+1)
	return nil
}
