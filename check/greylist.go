package check

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"time"

	"osm"
)

// GreylistConfig is the table [check.greylist].
type GreylistConfig struct {
	Common
	Delay    osm.Duration `toml:"delay" doc:"How long a stranger is kept waiting, 10s to 6h."`
	Window   osm.Duration `toml:"window" doc:"How long he may take to come again, up to 7d; after it he is a stranger again."`
	Keep     osm.Duration `toml:"keep" doc:"How long somebody who came again is known after his latest mail, 1d to 365d."`
	Remember int          `toml:"remember" doc:"Strangers and known ones that are remembered, 10000 to 10000000; some 60 bytes each."`
}

func defaultGreylist() GreylistConfig {
	c := GreylistConfig{Common: common(time.Second, osm.Relay, osm.Inbound, osm.Forward), Delay: osm.Duration(5 * time.Minute),
		Window: osm.Duration(48 * time.Hour), Keep: osm.Duration(35 * 24 * time.Hour), Remember: 200_000}
	c.Action = osm.Defer
	return c
}

func (c *GreylistConfig) check(report func(key, problem string)) {
	c.Common.check(report)
	for _, class := range c.Classes {
		if class != osm.Login && class != osm.Relay && class != osm.Inbound && class != osm.Forward && class != osm.Bounce {
			report("classes", class.String()+" can't be kept waiting: nobody would send it again")
		}
	}
	if c.Action != osm.Accept && c.Action != osm.Defer {
		report("action", "must be accept or defer")
	}
	between(report, "delay", c.Delay, 10*time.Second, 6*time.Hour)
	between(report, "window", c.Window, time.Duration(c.Delay)+time.Minute, 7*24*time.Hour)
	between(report, "keep", c.Keep, 24*time.Hour, 365*24*time.Hour)
	if c.Remember < 10_000 || c.Remember > 10_000_000 {
		report("remember", "must be between 10000 and 10000000")
	}
}

// What greylisting says of a message.
const (
	greyNew    = "new"
	greyEarly  = "early"
	greyPassed = "passed"
	greyKnown  = "known"
)

// greylist remembers who has asked to send what to whom. It is kept in pieces, so that little is written when little
// changes. A piece that is full forgets its oldest stranger first.
type greylist struct {
	cfg    GreylistConfig
	mu     sync.Mutex
	pieces [greyPieces]greyPiece
}

const greyPieces = 1024

type greyPiece struct {
	all   map[greyKey]greyEntry
	dirty bool
}

// greyKey is a hash: nobody can make two strangers share one.
type greyKey [16]byte

// greyEntry is a stranger (network, sender, recipient) or a known one (network, sender).
type greyEntry struct {
	first, last uint32 // unix seconds
	known       bool
}

func newGreylist(cfg GreylistConfig) *greylist { return &greylist{cfg: cfg} }

// mostGrey is how many recipients of one message are remembered: coming again for one of them is enough.
const mostGrey = 10

// row is its row of the table.
func (g *greylist) row(familiar func(m *osm.Message) bool, now func() time.Time) *one {
	k := &one{name: "greylist", settings: g.cfg.Common, from: AtRcpt}
	k.quick = func(r *Request, o *osm.Opinions) bool {
		m := r.Message
		if r.Taken || !m.Client.IsValid() || m.Client.IsLoopback() {
			return true
		}
		recipients := m.Recipients
		if r.Stage == AtRcpt {
			recipients = []string{r.Recipient}
		}
		network := greyNetwork(m.Client)
		o.Greylist = g.look(network, m.Sender, recipients, func() bool { return familiar != nil && familiar(m) }, now())
		if o.Greylist == greyNew || o.Greylist == greyEarly {
			k.speak(o, "greylisted", "greylisted: please try again in "+g.cfg.Delay.String(), osm.Key{Kind: osm.KeyNetwork, Value: network.String()})
		}
		return true
	}
	k.look = func(context.Context, *Request, *osm.Opinions) error { return nil } // quick never leaves anything open
	return k
}

// greyNetwork is what counts as one submitter: IPv4 /24, IPv6 /64.
func greyNetwork(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap()
	bits := 24
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil { // the bits fit: see above
		return netip.Prefix{}
	}
	return p
}

// greySender is a sender without what changes from message to message (VERP, bounce addresses with numbers).
func greySender(sender string) string {
	local, domain, _ := cutLast(strings.ToLower(sender), '@')
	var b strings.Builder
	for i := 0; i < len(local); i++ {
		if local[i] < '0' || local[i] > '9' {
			b.WriteByte(local[i])
		} else if i == 0 || local[i-1] < '0' || local[i-1] > '9' {
			b.WriteByte('#')
		}
	}
	return b.String() + "@" + domain
}

func greyHash(parts ...string) (k greyKey) {
	h := sha256.New()
	for _, p := range parts {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	copy(k[:], h.Sum(nil))
	return k
}

// look notes a message and tells what is known of its submitter.
func (g *greylist) look(network netip.Prefix, sender string, recipients []string, familiar func() bool, now time.Time) string {
	sender = greySender(sender)
	pair := greyHash(network.String(), sender)
	if g.knows(pair, now) {
		return greyKnown
	}
	if familiar() { // it takes locks of others: not under this one
		return greyKnown
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	said := greyNew
	for _, to := range recipients[:min(len(recipients), mostGrey)] {
		key := greyHash(network.String(), sender, strings.ToLower(to))
		p := g.piece(key)
		e, ok := p.all[key]
		switch {
		case !ok || g.over(e, now):
			g.put(key, greyEntry{first: stamp(now), last: stamp(now)}, now)
		case now.Sub(e.began()) < time.Duration(g.cfg.Delay):
			said = greyEarly
		default:
			delete(p.all, key)
			p.dirty = true
			g.put(pair, greyEntry{first: stamp(now), last: stamp(now), known: true}, now)
			return greyPassed
		}
	}
	return said
}

func stamp(t time.Time) uint32 { return uint32(max(t.Unix(), 0)) }

func (e greyEntry) began() time.Time { return time.Unix(int64(e.first), 0) }

// fresh is how old a known one's latest mail may be before a newer one is written down.
const fresh = time.Hour

func (g *greylist) knows(pair greyKey, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.piece(pair)
	e, ok := p.all[pair]
	if !ok || g.over(e, now) {
		return false
	}
	if now.Sub(time.Unix(int64(e.last), 0)) > fresh {
		e.last = stamp(now)
		p.all[pair] = e
		p.dirty = true
	}
	return true
}

// over tells whether an entry's time is over.
func (g *greylist) over(e greyEntry, now time.Time) bool {
	if e.known {
		return now.Sub(time.Unix(int64(e.last), 0)) > time.Duration(g.cfg.Keep)
	}
	return now.Sub(e.began()) > time.Duration(g.cfg.Window)
}

func (g *greylist) piece(key greyKey) *greyPiece {
	return &g.pieces[binary.BigEndian.Uint16(key[:])%greyPieces]
}

// put writes an entry down, and makes room for it: what is over goes first, then the oldest stranger, then the one who has not
// been here for the longest time.
func (g *greylist) put(key greyKey, e greyEntry, now time.Time) {
	p := g.piece(key)
	if p.all == nil {
		p.all = map[greyKey]greyEntry{}
	}
	p.dirty = true
	if _, ok := p.all[key]; !ok && len(p.all) >= max(g.cfg.Remember/greyPieces, 1) {
		p.makeRoom(func(e greyEntry) bool { return g.over(e, now) })
	}
	p.all[key] = e
}

func (p *greyPiece) makeRoom(over func(greyEntry) bool) {
	var worst greyKey
	var of greyEntry
	for key, e := range p.all {
		if over(e) {
			delete(p.all, key)
			continue
		}
		if worst == (greyKey{}) || of.known && !e.known || of.known == e.known && e.last < of.last {
			worst, of = key, e
		}
	}
	delete(p.all, worst) // also where something was over: it is but one
}

const greyState = "grey/"

func (g *greylist) inherit(before *greylist) {
	before.mu.Lock()
	defer before.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range before.pieces {
		g.pieces[i] = greyPiece{all: maps.Clone(before.pieces[i].all), dirty: before.pieces[i].dirty}
	}
}

// changed tells whether there is something to save.
func (g *greylist) changed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.pieces {
		if g.pieces[i].dirty {
			return true
		}
	}
	return false
}

const greyRecord = 16 + 4 + 4 + 1

// save hands out the pieces that have changed. An empty one is no more.
func (g *greylist) save(fn func(key string, blob []byte)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.pieces {
		p := &g.pieces[i]
		if !p.dirty {
			continue
		}
		p.dirty = false
		var blob []byte
		for key, e := range p.all {
			blob = append(blob, key[:]...)
			blob = binary.BigEndian.AppendUint32(blob, e.first)
			blob = binary.BigEndian.AppendUint32(blob, e.last)
			known := byte(0)
			if e.known {
				known = 1
			}
			blob = append(blob, known)
		}
		fn(fmt.Sprintf("%s%03x", greyState, i), blob)
	}
}

var errTorn = errors.New("a piece of the greylist is torn")

// restore reads one piece. Its entries find their place by themselves.
func (g *greylist) restore(blob []byte, now time.Time) error {
	if len(blob)%greyRecord != 0 {
		return errTorn
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for ; len(blob) > 0; blob = blob[greyRecord:] {
		e := greyEntry{first: binary.BigEndian.Uint32(blob[16:]), last: binary.BigEndian.Uint32(blob[20:]), known: blob[24] == 1}
		if key := greyKey(blob[:16]); !g.over(e, now) {
			g.put(key, e, now)
			g.piece(key).dirty = false
		}
	}
	return nil
}
