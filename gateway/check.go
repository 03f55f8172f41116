package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"osm"
)

// Check reports settings that can't work, and those that would make an open relay.
func (c *Config) Check(report func(key, problem string)) {
	checkAddresses(report, "listen", c.Listen)
	checkAddresses(report, "listen_tls", c.ListenTLS)
	checkAddresses(report, "upstream", c.Upstream)
	if len(c.Upstream) == 0 {
		report("upstream", "must name at least one server")
	}
	if slices.ContainsFunc(c.Upstream, func(u string) bool { return slices.Contains(c.Listen, u) || slices.Contains(c.ListenTLS, u) }) {
		report("upstream", "must not be an address that the gateway itself listens on: mail would go round in circles")
	}
	oneOf(report, "upstream_tls", c.UpstreamTLS, TLSMay, TLSMust, TLSNever)
	oneOf(report, "hand_on", c.HandOn, ByProxy, ByXclient, NotAtAll)
	oneOf(report, "reject_at", c.RejectAt, points...)
	c.checkCertificate(report)
	if c.Hold != "" && c.Hold != HoldExim {
		checkAddresses(report, "hold", []string{c.Hold})
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		report("name", "must be a host name")
	}
	if d := time.Duration(c.Tarpit); d > 5*time.Minute {
		report("tarpit", "must be at most 5m: clients give up then, and a connection is taken for each")
	}
	between(report, "tarpit_most", c.TarpitMost, 0, 100_000)
	c.checkRelaying(report)
	c.Limit.check(report)
}

func (c *Config) checkCertificate(report func(key, problem string)) {
	switch {
	case (c.Certificate == "") != (c.Key == ""):
		report("key", "certificate and key must be given together")
	case len(c.ListenTLS) > 0 && c.Certificate == "":
		report("listen_tls", "needs a certificate")
	}
	for _, f := range []struct{ key, path string }{{"certificate", c.Certificate}, {"key", c.Key}} {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			report(f.key, err.Error())
		}
	}
}

// Widest networks that may be believed or may relay: anything wider holds strangers.
const (
	widest4 = 8
	widest6 = 16
)

// checkRelaying reports what would let strangers send through the upstream: whoever may say that he is somebody else, or
// may relay without a login, must be named closely.
func (c *Config) checkRelaying(report func(key, problem string)) {
	for _, l := range []struct {
		key  string
		list []string
		harm string
	}{
		{"proxy_from", c.ProxyFrom, "could pretend to be this machine and relay through the upstream"},
		{"xclient_from", c.XclientFrom, "could pretend to be this machine and relay through the upstream"},
		{"relay_from", c.RelayFrom, "could relay through the upstream without a login"},
	} {
		for _, text := range l.list {
			p, err := parseNetwork(text)
			switch {
			case err != nil:
				report(l.key, fmt.Sprintf("%q: must be an address or a network such as 192.0.2.0/24", text))
			case p.Addr().Is4() && p.Bits() < widest4, p.Addr().Is6() && p.Bits() < widest6:
				report(l.key, fmt.Sprintf("%s is open to strangers, who %s: an open relay", text, l.harm))
			}
		}
	}
	for _, d := range c.RelayTo {
		if d == "" || strings.ContainsAny(d, "*@ ") || !strings.Contains(d, ".") {
			report("relay_to", fmt.Sprintf("%q: must be a domain that this site receives mail for; anything wider is an open relay", d))
		}
	}
	if c.On() && c.HandOn == NotAtAll && c.UpstreamLog && len(c.RelayTo) == 0 && len(c.RelayFrom) == 0 && c.Certificate == "" && !c.AuthWithoutTLS {
		report("hand_on", "none, without relay_to, relay_from and a certificate for logins, lets nobody send anything")
	}
}

func (l *Limits) check(report func(key, problem string)) {
	say := func(key, problem string) { report("limit."+key, problem) }
	between(say, "connections", l.Connections, 1, 1_000_000)
	between(say, "per_network", l.PerNetwork, 1, 1_000_000)
	between(say, "rate", l.Rate, 1, 1_000_000)
	between(say, "errors", l.Errors, 1, 1000)
	between(say, "commands", l.Commands, 20, 1_000_000)
	between(say, "recipients", l.Recipients, 100, 100_000)
	between(say, "size", l.Size, 64<<10, 1<<40)
	between(say, "line", l.Line, 512, 64<<10)
	between(say, "text_line", l.TextLine, 1000, 1<<30)
	between(say, "idle", l.Idle, osm.Duration(10*time.Second), osm.Duration(time.Hour))
	between(say, "data", l.Data, osm.Duration(time.Minute), osm.Duration(24*time.Hour))
	between(say, "upstream", l.Upstream, osm.Duration(time.Second), osm.Duration(time.Hour))
	between(say, "connect", l.Connect, osm.Duration(100*time.Millisecond), osm.Duration(5*time.Minute))
	between(say, "check", l.Check, osm.Duration(time.Second), osm.Duration(time.Hour))
	between(say, "memory", l.Memory, 1<<20, 1<<40)
}

func between[N int | osm.Size | osm.Duration](report func(key, problem string), key string, n, least, most N) {
	if n < least || n > most {
		report(key, fmt.Sprintf("must be between %v and %v", least, most))
	}
}

func oneOf[T ~string](report func(key, problem string), key string, value T, all ...T) {
	if !slices.Contains(all, value) {
		report(key, fmt.Sprintf("must be one of %v", all))
	}
}

func checkAddresses(report func(key, problem string), key string, list []string) {
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 && key != "listen" && key != "listen_tls" || host == "" && key == "upstream" {
			report(key, fmt.Sprintf("%q: must be an address and a port such as 127.0.0.1:25", a))
		}
	}
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), err
}

// networks are parsed ones; Check has seen them.
type networks []netip.Prefix

func parseNetworks(list []string) (networks, error) {
	var all networks
	for _, text := range list {
		p, err := parseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("network %q: %w", text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func (n networks) contain(a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}
