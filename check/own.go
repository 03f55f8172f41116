package check

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"osm"
)

// OwnConfig is the table [check.own].
type OwnConfig struct {
	Enabled   bool         `toml:"enabled" doc:"Look them up."`
	Addresses []string     `toml:"addresses" doc:"Addresses that mail leaves this server from, as receivers see them; those of [check.own_spf], or the public ones of its interfaces, when empty."`
	Lists     []string     `toml:"lists" doc:"Zones of the lists that are asked; those of [check.dnsbl] that list addresses when empty, or else zen.spamhaus.org, bl.spamcop.net, b.barracudacentral.org and psbl.surriel.com."`
	Every     osm.Duration `toml:"every" doc:"How often, 5m to 24h."`
	Jitter    osm.Duration `toml:"jitter" doc:"How much earlier or later by chance, so that not all servers of a site ask at once; at most half of every."`
	Suspects  osm.Duration `toml:"suspects" doc:"How long before a listing somebody must have sent something suspicious to be named with it, 1h to 7d."`
}

func defaultOwn() OwnConfig {
	return OwnConfig{Every: osm.Duration(time.Hour), Jitter: osm.Duration(5 * time.Minute), Suspects: osm.Duration(24 * time.Hour)}
}

func (c *OwnConfig) check(report func(key, problem string)) {
	checkPublic(c.Addresses, report)
	for _, zone := range c.Lists {
		(&ListConfig{Zone: zone}).check(func(_, problem string) { report("lists", problem) })
	}
	between(report, "every", c.Every, 5*time.Minute, 24*time.Hour)
	if c.Jitter > c.Every/2 {
		report("jitter", "must be at most half of every")
	}
	between(report, "suspects", c.Suspects, time.Hour, 7*24*time.Hour)
}

// usualLists are asked about our own addresses where nothing is configured.
func usualLists() []string {
	return []string{"zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "psbl.surriel.com"}
}

// Listed is one listing of one of this server's addresses: it is over when Until is set.
type Listed struct {
	Address  string    `json:"address"`
	List     string    `json:"list"`
	Code     string    `json:"code"`
	Name     string    `json:"name,omitempty"` // what the code means
	Since    time.Time `json:"since"`          // when it was first seen
	Until    time.Time `json:"until,omitzero"` // when it was seen to be over
	Suspects []Suspect `json:"suspects"`       // who sent something suspicious in the hours before
}

// Suspect is a sender that may have brought a listing about. Its texts are hostile.
type Suspect struct {
	Key      osm.Key   `json:"key"`
	Rule     string    `json:"rule"`
	Incident string    `json:"incident"` // its id
	Messages int64     `json:"messages"` // found
	Last     time.Time `json:"last"`
	Detail   string    `json:"detail"`
}

// own watches this server's addresses.
type own struct {
	cfg       OwnConfig
	addresses []netip.Addr
	lists     []*list
	now       func() time.Time

	mu      sync.Mutex
	all     []Listed // the latest last
	checked time.Time
	dirty   bool
}

const (
	ownState   = "own"
	ownHistory = 500 // listings kept
)

// newOwn takes the lists that messages are looked up in where it can: they share limits and breakers.
func (c *Checks) newOwn(cfg OwnConfig, machine []netip.Addr) *own {
	w := &own{cfg: cfg, now: c.now}
	if !cfg.Enabled {
		return w
	}
	configured := cfg.Addresses
	if len(configured) == 0 {
		configured = c.cfg.OwnSPF.Addresses
	}
	w.addresses = publicAddresses(configured, machine)
	zones := slices.Clone(cfg.Lists)
	if len(zones) == 0 {
		for _, l := range c.dnsbl.lists {
			if slices.Contains(l.Of, OfClient) {
				zones = append(zones, l.Zone)
			}
		}
	}
	if len(zones) == 0 {
		zones = usualLists()
	}
	for _, zone := range zones {
		i := slices.IndexFunc(c.dnsbl.lists, func(l *list) bool { return l.Zone == (ListConfig{Zone: zone}).complete().Zone })
		if i >= 0 {
			w.lists = append(w.lists, c.dnsbl.lists[i])
			continue
		}
		w.lists = append(w.lists, c.newList(ListConfig{Zone: zone, Of: []string{OfClient}}, ownDeadline))
	}
	return w
}

// ownDeadline is long: nobody waits for it.
const ownDeadline = 10 * time.Second

// Watches tells whether this server's own addresses are looked up.
func (c *Checks) Watches() bool { return c.watch.cfg.Enabled }

// Wait is how long to wait until the next LookOwn.
func (c *Checks) Wait() time.Duration {
	w, spread := &c.watch.cfg, int64(c.watch.cfg.Jitter)
	return time.Duration(w.Every) + time.Duration(rand.Int64N(2*spread+1)-spread)
}

// LookOwn looks this server's addresses up once. What has changed since is returned: new listings, and those that are over.
// A list that gives no answer changes nothing. Suspects names those who may have brought a listing about; it is called once for
// each new one.
func (c *Checks) LookOwn(ctx context.Context, suspects func(since time.Time) []Suspect) (changed []Listed) {
	w := c.watch
	for _, ip := range w.addresses {
		for _, l := range w.lists {
			found, err := l.look(ctx, reversed(ip))
			if ctx.Err() != nil {
				return changed
			}
			if err != nil {
				continue // its guard remembers, and Stats tells
			}
			changed = append(changed, w.note(ip.String(), l.Zone, found, suspects)...)
		}
	}
	w.mu.Lock()
	w.checked = w.now()
	w.mu.Unlock()
	return changed
}

// note compares what a list says with what it said before.
func (w *own) note(address, zone string, found []meaning, suspects func(since time.Time) []Suspect) (changed []Listed) {
	now := w.now()
	w.mu.Lock()
	live := slices.IndexFunc(w.all, func(l Listed) bool { return l.Address == address && l.List == zone && l.Until.IsZero() })
	if live >= 0 && len(found) == 0 {
		w.all[live].Until, w.dirty = now, true
		changed = append(changed, w.all[live])
	}
	w.mu.Unlock()
	if live >= 0 || len(found) == 0 {
		return changed
	}
	l := Listed{Address: address, List: zone, Code: found[0].code, Name: found[0].name, Since: now}
	l.Suspects = suspects(now.Add(-time.Duration(w.cfg.Suspects))) // it takes locks of others: not under this one
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all, w.dirty = append(w.all, l), true
	if len(w.all) > ownHistory {
		w.all = w.all[len(w.all)-ownHistory:]
	}
	return append(changed, l)
}

// Listings are the listings of this server's addresses, the live ones first, then the latest.
func (c *Checks) Listings() []Listed {
	w := c.watch
	w.mu.Lock()
	all := slices.Clone(w.all)
	w.mu.Unlock()
	slices.SortStableFunc(all, func(a, b Listed) int {
		if a.Until.IsZero() != b.Until.IsZero() {
			if a.Until.IsZero() {
				return -1
			}
			return 1
		}
		return b.Since.Compare(a.Since)
	})
	return all
}

func (w *own) save(fn func(key string, blob []byte)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dirty {
		return nil
	}
	blob, err := json.Marshal(w.all)
	if err == nil {
		w.dirty = false
		fn(ownState, blob)
	}
	return err
}

func (w *own) restore(blob []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return json.Unmarshal(blob, &w.all)
}

func (w *own) inherit(before *own) {
	before.mu.Lock()
	all, checked, dirty := slices.Clone(before.all), before.checked, before.dirty
	before.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all, w.checked, w.dirty = all, checked, dirty
}

func (w *own) changed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dirty
}
