package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/window"
)

// Config is the table [incident].
type Config struct {
	CloseAfter  osm.Duration `toml:"close_after" doc:"How long a sender must be quiet before its incident is closed."`
	ReopenUntil osm.Duration `toml:"reopen_until" doc:"How long after its closing an incident is reopened when the sender starts again, instead of a new one being made."`
	Keep        osm.Duration `toml:"keep" doc:"How long closed incidents are kept."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	const day = osm.Duration(24 * time.Hour)
	return Config{CloseAfter: day / 4, ReopenUntil: 7 * day, Keep: 90 * day}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if c.CloseAfter < osm.Duration(time.Minute) {
		report("close_after", "must be at least 1m")
	}
	if c.ReopenUntil < 0 || c.Keep < c.ReopenUntil {
		report("keep", "must not be shorter than reopen_until")
	}
}

// Book holds all incidents. One goroutine at a time may use it.
type Book struct {
	cfg   Config
	byKey map[subject]*Incident
	found map[osm.Key]*Incident // the latest that something was found about: what is refused because of it belongs to it
	byID  map[string]*Incident
	dirty map[string]bool
	lost  uint64
}

// subject is what makes two findings belong together.
type subject struct {
	key  osm.Key
	rule string
}

// most bounds the book: past it, closed incidents go first, then what would be new is only counted.
const most = 20_000

// NewBook makes an empty one.
func NewBook(cfg Config) *Book {
	return &Book{cfg: cfg, byKey: map[subject]*Incident{}, found: map[osm.Key]*Incident{}, byID: map[string]*Incident{}, dirty: map[string]bool{}}
}

// Configure puts other settings into force.
func (b *Book) Configure(cfg Config) { b.cfg = cfg }

// Note files a message whose verdict is not to accept. What a person's block refuses is filed under what was found about the same
// key, and under nothing when that is over. It returns its incident, which is valid until the book changes,
// and whether that is new or has entered a new state; nil for a message that nothing was found about.
func (b *Book) Note(m *osm.Message) (i *Incident, turned bool) {
	v := &m.Verdict
	if v.Action == osm.Accept || v.Shadow || v.Key.Value == "" {
		return nil, false
	}
	return b.file(m)
}

// Lost counts the messages that were not filed since the start: the book was full of live incidents.
func (b *Book) Lost() uint64 { return b.lost }

// Complain files a message that a recipient complained about, as its verdict tells. What it returns is as with Note.
func (b *Book) Complain(m *osm.Message) (i *Incident, turned bool) { return b.file(m) }

func (b *Book) file(m *osm.Message) (i *Incident, turned bool) {
	v := &m.Verdict
	at := subject{v.Key, v.Rule}
	i = b.byKey[at]
	if before := b.found[v.Key]; before != nil && v.Rule == osm.RuleBlockList {
		if !before.Live() {
			return nil, false // it was dealt with, and the block goes on
		}
		i = before
	}
	if i != nil && !i.Live() && m.Time.Sub(i.Closed) > time.Duration(b.cfg.ReopenUntil) {
		i = nil
	}
	if i == nil {
		if len(b.byID) >= most && !b.makeRoom() {
			b.lost++
			return nil, false
		}
		i = open(m)
		b.byKey[subject{i.Key, i.Rule}], b.byID[i.ID] = i, i
		turned = true
	}
	if i.Rule != osm.RuleBlockList {
		b.found[i.Key] = i
	}
	b.dirty[i.ID] = true
	return i, i.note(m) || turned
}

func open(m *osm.Message) *Incident {
	v := &m.Verdict
	i := &Incident{Key: osm.Key{Kind: v.Key.Kind, Value: strings.Clone(v.Key.Value)}, Rule: strings.Clone(v.Rule), Opened: m.Time}
	i.ID = "I" + osm.ShortID(window.Pair(window.Hash(uint64(m.Time.UnixNano()), v.Key.String()), window.Hash(2, v.Rule)))
	i.turn(m.Time, Open, v.Detail)
	return i
}

// makeRoom forgets the oldest closed incident.
func (b *Book) makeRoom() bool {
	var oldest *Incident
	for _, i := range b.byID {
		if !i.Live() && (oldest == nil || i.Closed.Before(oldest.Closed)) {
			oldest = i
		}
	}
	if oldest != nil {
		b.forget(oldest)
	}
	return oldest != nil
}

func (b *Book) forget(i *Incident) {
	delete(b.byID, i.ID)
	if at := (subject{i.Key, i.Rule}); b.byKey[at] == i {
		delete(b.byKey, at)
	}
	if b.found[i.Key] == i {
		delete(b.found, i.Key)
	}
	b.dirty[i.ID] = true
}

// Tick closes incidents that have been quiet, and forgets those that are past their time. It returns the closed ones.
func (b *Book) Tick(now time.Time) (closed []*Incident) {
	for _, i := range b.byID {
		switch {
		case i.Live() && now.Sub(i.Updated) >= time.Duration(b.cfg.CloseAfter):
			b.close(i, now, fmt.Sprintf("nothing was found for %s", b.cfg.CloseAfter))
			closed = append(closed, i)
		case !i.Live() && now.Sub(i.Closed) > time.Duration(b.cfg.Keep):
			b.forget(i)
		}
	}
	return closed
}

// Close ends an incident on a person's word.
func (b *Book) Close(id, by, reason string, now time.Time) error {
	i := b.byID[id]
	if i == nil {
		return fmt.Errorf("there is no incident %s", id)
	}
	if !i.Live() {
		return fmt.Errorf("incident %s is closed already", id)
	}
	b.close(i, now, "closed by "+by+": "+reason)
	return nil
}

func (b *Book) close(i *Incident, now time.Time, text string) {
	i.Closed = now
	i.turn(now, Closed, text)
	b.dirty[i.ID] = true
}

// Get finds an incident by its id.
func (b *Book) Get(id string) (*Incident, bool) {
	i, ok := b.byID[id]
	return i, ok
}

// All lists the incidents, live ones and then the latest first.
func (b *Book) All() []*Incident {
	all := make([]*Incident, 0, len(b.byID))
	for _, i := range b.byID {
		all = append(all, i)
	}
	Sort(all)
	return all
}

// Sort puts live incidents first, then the latest.
func Sort(all []*Incident) {
	slices.SortFunc(all, func(x, y *Incident) int {
		if x.Live() != y.Live() {
			if x.Live() {
				return -1
			}
			return 1
		}
		if c := y.Updated.Compare(x.Updated); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
}

// Live counts the incidents that are not over.
func (b *Book) Live() (n int) {
	for _, i := range b.byID {
		if i.Live() {
			n++
		}
	}
	return n
}

// Changed tells whether Dirty has something to hand out.
func (b *Book) Changed() bool { return len(b.dirty) > 0 }

// Dirty hands out every incident that changed since the last call, as JSON; nil when it is forgotten.
func (b *Book) Dirty(fn func(id string, blob []byte)) error {
	for id := range b.dirty {
		var blob []byte
		if i, ok := b.byID[id]; ok {
			var err error
			if blob, err = json.Marshal(i); err != nil {
				return fmt.Errorf("write incident %s: %w", id, err)
			}
		}
		fn(id, blob)
	}
	clear(b.dirty)
	return nil
}

// Restore reads what Dirty has handed out.
func (b *Book) Restore(blob []byte) error {
	var i Incident
	if err := json.Unmarshal(blob, &i); err != nil {
		return fmt.Errorf("read an incident: %w", err)
	}
	if i.ID == "" {
		return fmt.Errorf("read an incident: it has no id")
	}
	b.byID[i.ID] = &i
	at := subject{i.Key, i.Rule}
	if old := b.byKey[at]; old == nil || old.Updated.Before(i.Updated) {
		b.byKey[at] = &i
	}
	if old := b.found[i.Key]; i.Rule != osm.RuleBlockList && (old == nil || old.Updated.Before(i.Updated)) {
		b.found[i.Key] = &i
	}
	return nil
}
