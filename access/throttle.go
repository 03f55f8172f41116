package access

import (
	"net/netip"
	"sync"
	"time"
)

// What wrong passwords and codes are let through before one must wait, in span. A stranger must not be able to lock a user out
// from everywhere, so that the number for a user from all networks is much higher than that for one network.
const (
	triesSpan    = 15 * time.Minute
	triesPair    = 5   // for one user from one network
	triesNetwork = 30  // for all users from one network
	triesUser    = 100 // for one user from all networks
	triesMost    = 20_000
)

// throttle counts what failed, bounded in memory whatever strangers try.
type throttle struct {
	mu     sync.Mutex
	counts map[string]failures
}

// failures of one user, one network or a pair of them.
type failures struct {
	count int
	since time.Time // the first of them
}

func newThrottle() *throttle { return &throttle{counts: map[string]failures{}} }

// networkOf is what one customer of a provider usually has: an IPv4 address, or 64 bits of an IPv6 address.
func networkOf(from netip.Addr) string {
	from = from.Unmap()
	if from.Is6() {
		if p, err := from.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return from.String()
}

func keysOf(user string, from netip.Addr) [3]string {
	network, user := networkOf(from), user[:min(len(user), 64)] // no user has a longer name
	return [3]string{"p " + user + " " + network, "n " + network, "u " + user}
}

// try counts a try and tells whether it may be made. What turns out right is taken back by succeeded: so many tries at once
// are not more than one after the other.
func (t *throttle) try(user string, from netip.Addr, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := keysOf(user, from)
	for i, most := range [...]int{triesPair, triesNetwork, triesUser} {
		if f := t.counts[keys[i]]; f.count >= most && now.Sub(f.since) < triesSpan {
			return false
		}
	}
	if len(t.counts)+len(keys) > triesMost {
		t.forget(now)
	}
	for _, key := range keys {
		f := t.counts[key]
		if now.Sub(f.since) >= triesSpan {
			f = failures{since: now}
		}
		f.count++
		t.counts[key] = f
	}
	return true
}

// succeeded takes a user's tries from a network back, and this one of the others.
func (t *throttle) succeeded(user string, from netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := keysOf(user, from)
	delete(t.counts, keys[0])
	for _, key := range keys[1:] {
		if f, ok := t.counts[key]; ok && f.count > 1 {
			f.count--
			t.counts[key] = f
		} else {
			delete(t.counts, key)
		}
	}
}

// forget makes room: what is over goes, and when that is not enough, what counted least.
func (t *throttle) forget(now time.Time) {
	for key, f := range t.counts {
		if now.Sub(f.since) >= triesSpan {
			delete(t.counts, key)
		}
	}
	for least := 1; len(t.counts) > triesMost/2; least++ {
		for key, f := range t.counts {
			if f.count <= least && len(t.counts) > triesMost/2 {
				delete(t.counts, key)
			}
		}
	}
}
