package gateway

import (
	"net/netip"
	"sync"
	"time"
)

// limiter counts connections: all of them, and by network, at once and in the last minute.
type limiter struct {
	limit Limits
	now   func() time.Time
	free  networks // not counted by network

	mu       sync.Mutex
	all      int
	networks map[netip.Prefix]int // at once; those with none are left out
	rate     map[netip.Prefix]int // in this minute
	minute   time.Time            // when it began
}

// rateMost bounds what is remembered of a minute: beyond it new networks are not counted, and the number of connections
// at once still holds.
const rateMost = 100_000

func newLimiter(limit Limits, free networks, now func() time.Time) *limiter {
	return &limiter{limit: limit, now: now, free: free, networks: map[netip.Prefix]int{}, rate: map[netip.Prefix]int{}}
}

// enter counts a connection of a client that is not known yet; false: there are too many.
func (l *limiter) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.limit.Connections {
		return false
	}
	l.all++
	return true
}

func (l *limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
}

// admit counts a connection of a client's network; refusal is why it may not go on, "" when it may. Who was admitted has to
// be dismissed.
func (l *limiter) admit(client netip.Addr) (refusal string) {
	if l.free.contain(client) {
		return ""
	}
	network := networkOf(client)
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.minute) >= time.Minute {
		l.minute = now
		clear(l.rate)
	}
	if _, known := l.rate[network]; known || len(l.rate) < rateMost {
		l.rate[network]++
	}
	switch {
	case l.rate[network] > l.limit.Rate:
		return "too many connections in a minute from your network"
	case l.networks[network] >= l.limit.PerNetwork:
		return "too many connections at once from your network"
	}
	l.networks[network]++
	return ""
}

func (l *limiter) dismiss(client netip.Addr) {
	if l.free.contain(client) {
		return
	}
	network := networkOf(client)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.networks[network]--; l.networks[network] <= 0 {
		delete(l.networks, network)
	}
}

// networkOf is what one client usually holds: an IPv4 /24, an IPv6 /64.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 24
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a.WithZone(""), bits).Masked()
}
