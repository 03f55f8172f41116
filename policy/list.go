package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"osm"
)

// Entry is one line of the block or the allow list.
type Entry struct {
	ID     int64     `json:"id"`
	Allow  bool      `json:"allow"`          // lets through what the key names; otherwise it is refused
	Key    osm.Key   `json:"key"`            // networks in CIDR form; see CheckKey
	Until  time.Time `json:"until,omitzero"` // zero: for good
	Added  time.Time `json:"added"`
	Reason string    `json:"reason"`
	By     string    `json:"by"` // who entered it: a person's name, or osm
}

// Live tells whether the entry is in force; a zero Until never ends.
func (e Entry) Live(now time.Time) bool { return e.Until.IsZero() || now.Before(e.Until) }

// Lists holds the block and allow lists in memory. Readers never wait: Set swaps the whole.
type Lists struct {
	current atomic.Pointer[index]
}

// index finds the entry for a message without walking the lists.
type index struct {
	exact    map[osm.Key]Entry
	networks map[netip.Prefix]Entry
	bits4    []int // prefix lengths in use, longest first
	bits6    []int
	kinds    [2]map[osm.KeyKind]bool // kinds in use: block, allow
}

// Set replaces all entries. Where a key is on both lists, allowing wins.
func (l *Lists) Set(entries []Entry) {
	ix := &index{exact: map[osm.Key]Entry{}, networks: map[netip.Prefix]Entry{}}
	ix.kinds[0], ix.kinds[1] = map[osm.KeyKind]bool{}, map[osm.KeyKind]bool{}
	for _, e := range entries {
		ix.add(e)
	}
	slices.SortFunc(ix.bits4, func(a, b int) int { return b - a })
	slices.SortFunc(ix.bits6, func(a, b int) int { return b - a })
	l.current.Store(ix)
}

func (ix *index) add(e Entry) {
	ix.kinds[side(e.Allow)][e.Key.Kind] = true
	if e.Key.Kind != osm.KeyNetwork && e.Key.Kind != osm.KeyClient {
		if old, ok := ix.exact[e.Key]; !ok || !old.Allow {
			ix.exact[e.Key] = e
		}
		return
	}
	p, err := parseNetwork(e.Key.Value)
	if err != nil {
		return // CheckKey refused it at the door; a damaged store must not stop the others
	}
	if old, ok := ix.networks[p]; ok && old.Allow {
		return
	}
	ix.networks[p] = e
	bits := &ix.bits4
	if p.Addr().Is6() {
		bits = &ix.bits6
	}
	if !slices.Contains(*bits, p.Bits()) {
		*bits = append(*bits, p.Bits())
	}
}

func side(allow bool) int {
	if allow {
		return 1
	}
	return 0
}

// Match finds the entry that decides about a message at a time. An allowing entry wins over a blocking one, whatever
// the two are about. The recipient kinds match when any recipient does.
func (l *Lists) Match(m *osm.Message, now time.Time) (Entry, bool) {
	ix := l.current.Load()
	if ix == nil || len(ix.exact)+len(ix.networks) == 0 {
		return Entry{}, false
	}
	var block Entry
	var blocked bool
	for e := range ix.matches(m) {
		if !e.Live(now) {
			continue
		}
		if e.Allow {
			return e, true
		}
		if !blocked {
			block, blocked = e, true
		}
	}
	return block, blocked
}

func (ix *index) matches(m *osm.Message) func(func(Entry) bool) {
	return func(yield func(Entry) bool) {
		for kind := osm.NoKey + 1; kind <= osm.KeyHost; kind++ {
			if !ix.kinds[0][kind] && !ix.kinds[1][kind] {
				continue
			}
			for value := range Values(m, kind) {
				if e, ok := ix.exact[osm.Key{Kind: kind, Value: value}]; ok && !yield(e) {
					return
				}
			}
		}
		if !m.Client.IsValid() {
			return
		}
		addr, bits := m.Client.Unmap(), ix.bits4
		if addr.Is6() {
			bits = ix.bits6
		}
		for _, b := range bits {
			if p, err := addr.Prefix(b); err == nil {
				if e, ok := ix.networks[p]; ok && !yield(e) {
					return
				}
			}
		}
	}
}

// CheckKey brings the value of a list entry into the form that messages are compared in, or says what is wrong.
func CheckKey(k osm.Key) (osm.Key, error) {
	k.Value = strings.TrimSpace(k.Value)
	if k.Value == "" {
		return k, fmt.Errorf("%s needs a value", k.Kind)
	}
	switch k.Kind {
	case osm.KeyClient, osm.KeyNetwork:
		p, err := parseNetwork(k.Value)
		if err != nil {
			return k, fmt.Errorf("%s %q: want an address (192.0.2.7) or a network (192.0.2.0/24)", k.Kind, k.Value)
		}
		if p.Bits() == 0 {
			return k, fmt.Errorf("%s %q is the whole internet: refusing everybody is not what a list is for", k.Kind, k.Value)
		}
		k.Value = p.String()
		if p.IsSingleIP() {
			k.Value = p.Addr().String()
		}
	case osm.KeyASN:
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(k.Value), "AS"), 10, 32)
		if err != nil || n == 0 {
			return k, fmt.Errorf("asn %q: want a number such as 64500 or AS64500", k.Value)
		}
		k.Value = strconv.FormatUint(n, 10)
	case osm.KeyCountry:
		if len(k.Value) != 2 {
			return k, fmt.Errorf("country %q: want a two-letter code such as DE", k.Value)
		}
		k.Value = strings.ToUpper(k.Value)
	case osm.KeyScript, osm.KeySubject, osm.KeyUser, osm.KeyAccount:
	default:
		k.Value = strings.ToLower(k.Value)
	}
	return k, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}
