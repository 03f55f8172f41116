package hold

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"osm"
)

// Keys of the kept state.
const (
	messagePrefix = "message/"
	groupPrefix   = "group/"
	secretState   = "secret"
)

func messageKey(id string) string    { return messagePrefix + id }
func groupKey(key osm.Key) string    { return groupPrefix + key.String() }
func (b *Book) mark(key string)      { b.dirty[key] = true }
func (b *Book) Secret() []byte       { return b.secret }
func (b *Book) SetSecret(key []byte) { b.secret = key; b.mark(secretState) }

// Changed tells whether Dirty has something to hand out.
func (b *Book) Changed() bool { return len(b.dirty) > 0 }

// mostDirty bounds one call of Dirty: a walk that finds a million messages is saved in parts.
const mostDirty = 2_000

// Dirty hands out pieces of state that have changed, as many as can be saved at once; nil when one is gone.
func (b *Book) Dirty(fn func(key string, blob []byte)) error {
	n := 0
	for key := range b.dirty {
		if n++; n > mostDirty {
			break
		}
		blob, err := b.encode(key)
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		fn(key, blob)
		delete(b.dirty, key)
	}
	return nil
}

func (b *Book) encode(key string) ([]byte, error) {
	if key == secretState {
		return b.secret, nil
	}
	if id, ok := strings.CutPrefix(key, messagePrefix); ok {
		if m, ok := b.byID[id]; ok {
			return json.Marshal(m)
		}
		return nil, nil
	}
	kind, value, _ := strings.Cut(strings.TrimPrefix(key, groupPrefix), ":")
	var k osm.KeyKind
	if err := k.UnmarshalText([]byte(kind)); err != nil {
		return nil, err
	}
	if g, ok := b.groups[osm.Key{Kind: k, Value: value}]; ok {
		return json.Marshal(g)
	}
	return nil, nil
}

// Restore reads what Dirty has handed out. Orders that were being carried out are carried out again.
func (b *Book) Restore(key string, blob []byte) error {
	switch {
	case key == secretState:
		b.secret = blob
		return nil
	case strings.HasPrefix(key, messagePrefix):
		var m Message
		if err := json.Unmarshal(blob, &m); err != nil {
			return fmt.Errorf("read a held message: %w", err)
		}
		if m.ID == "" || messageKey(m.ID) != key || b.byID[m.ID] != nil {
			return fmt.Errorf("read a held message: %q is not what its key says", m.ID)
		}
		b.enter(&m)
		return nil
	case strings.HasPrefix(key, groupPrefix):
		var g Group
		if err := json.Unmarshal(blob, &g); err != nil {
			return fmt.Errorf("read a sender of held mail: %w", err)
		}
		old := b.group(g.Key)
		g.Held, g.known = old.Held, old.known
		*old = g
		return nil
	}
	return errors.New("unknown kind of state")
}
