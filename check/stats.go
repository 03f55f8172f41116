package check

import (
	"slices"
	"strings"
	"time"
)

// Stats is how the checks are doing since the start.
type Stats struct {
	Checks     []Stat       `json:"checks"` // and each block list
	Servers    []ServerStat `json:"servers"`
	Remembered int          `json:"remembered"` // answers of name servers
	Hits       uint64       `json:"hits"`       // questions answered from memory
	Misses     uint64       `json:"misses"`
	Watched    []string     `json:"watched,omitempty"` // our own addresses that are looked up
	Checked    time.Time    `json:"checked,omitzero"`  // when they last were
	Notices    []string     `json:"notices,omitempty"` // what can't work as it is configured
}

// Stats may be asked at any time.
func (c *Checks) Stats() Stats {
	s := Stats{Checks: []Stat{}, Servers: []ServerStat{}, Remembered: c.resolver.memory.len(), Hits: c.resolver.memory.hits.Load(),
		Misses: c.resolver.memory.miss.Load()}
	for _, k := range c.table {
		s.Checks = append(s.Checks, k.guard.stat())
	}
	lists := c.watch.lists
	if c.cfg.DNSBL.Enabled {
		for _, l := range c.dnsbl.lists {
			if !slices.Contains(lists, l) {
				lists = append(slices.Clip(lists), l)
			}
		}
	}
	for _, l := range lists {
		s.Checks = append(s.Checks, l.guard.stat())
	}
	for _, server := range c.resolver.servers {
		s.Servers = append(s.Servers, server.told())
	}
	for _, ip := range c.watch.addresses {
		s.Watched = append(s.Watched, ip.String())
	}
	c.watch.mu.Lock()
	s.Checked = c.watch.checked
	c.watch.mu.Unlock()
	s.Notices = c.notices()
	return s
}

// notices are what no setting's own check can see.
func (c *Checks) notices() (all []string) {
	if c.cfg.OwnSPF.Enabled && len(c.own.addresses) == 0 {
		all = append(all, "check.own_spf asks nothing: this machine has no public address; name the outer ones in check.own_spf.addresses")
	}
	if c.watch.cfg.Enabled && len(c.watch.addresses) == 0 {
		all = append(all, "check.own looks nothing up: this machine has no public address; name the outer ones in check.own.addresses")
	}
	return all
}

// Changed tells whether there is something to save.
func (c *Checks) Changed() bool { return c.grey.changed() || c.watch.changed() }

// Dirty hands out what has changed since the last call, to be kept over a restart.
func (c *Checks) Dirty(fn func(key string, blob []byte)) error {
	c.grey.save(fn)
	return c.watch.save(fn)
}

// Inherit takes over what the checks of another configuration remember and would hand out.
func (c *Checks) Inherit(before *Checks) {
	c.grey.inherit(before.grey)
	c.watch.inherit(before.watch)
}

// Restore reads what Dirty has handed out.
func (c *Checks) Restore(key string, blob []byte) error {
	if strings.HasPrefix(key, greyState) {
		return c.grey.restore(blob, c.now())
	}
	if key == ownState {
		return c.watch.restore(blob)
	}
	return nil
}
