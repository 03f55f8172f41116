package enrich

import (
	"net/netip"
	"strings"
)

// The most that is learned of each kind: whoever invents more finds it full.
const (
	maxDomains    = 20_000
	maxRelays     = 1_000
	maxTransports = 256
)

// learned is what the log itself tells of this server, so that nothing must be configured. It is bounded and is lost at
// a restart, when replaying the newest log brings it back.
type learned struct {
	domains    map[string]evidence
	clients    map[netip.Addr]struct{} // hosts that relay
	transports map[string]struct{}     // transports that leave this server
	last       string                  // the one that was learned last
}

// evidence is what was seen of a domain.
type evidence uint8

const (
	sawLogin     evidence = 1 << iota // somebody logs in with an address in it
	sawDelivered                      // mail from outside was delivered here
	sawElsewhere                      // mail for it was delivered to another server
)

func newLearned() learned {
	return learned{domains: map[string]evidence{}, clients: map[netip.Addr]struct{}{}, transports: map[string]struct{}{}}
}

// isLocal: a login's domain alone is weak, since people log in with addresses they have elsewhere.
func (l *learned) isLocal(domain string) bool {
	saw := l.domains[domain]
	return saw&sawDelivered != 0 || saw&(sawLogin|sawElsewhere) == sawLogin
}

func (l *learned) login(domain string) { l.saw(domain, sawLogin) }

func (l *learned) delivered(domain string) { l.saw(domain, sawDelivered) }

// elsewhere notes that a domain is not ours. Of domains that nothing speaks for there is no need to know it.
func (l *learned) elsewhere(domain string) {
	if saw := l.domains[domain]; saw != 0 && saw&sawElsewhere == 0 {
		l.saw(domain, sawElsewhere)
	}
}

func (l *learned) saw(domain string, what evidence) {
	old, known := l.domains[domain]
	if domain == "" || old&what != 0 || !known && len(l.domains) >= maxDomains {
		return
	}
	l.domains[strings.Clone(domain)] = old | what // also of a known one: a map takes the key that it is given, and this is a part of a line
}

func (l *learned) relays(client netip.Addr) bool {
	if len(l.clients) == 0 {
		return false
	}
	_, ok := l.clients[client]
	return ok
}

func (l *learned) relayed(client netip.Addr) {
	if len(l.clients) < maxRelays {
		l.clients[client] = struct{}{}
	}
}

func (l *learned) isRemote(transport string) bool {
	if transport == l.last {
		return true
	}
	_, ok := l.transports[transport]
	return ok
}

func (l *learned) remoteTransport(name string) {
	if len(l.transports) < maxTransports {
		l.last = strings.Clone(name)
		l.transports[l.last] = struct{}{}
	}
}
