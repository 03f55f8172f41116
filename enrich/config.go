package enrich

import (
	"net/netip"
	"strings"
)

// Config says where to look things up. Everything may be empty.
type Config struct {
	Country string   `toml:"country" doc:"A database of countries in the MaxMind DB format (.mmdb), or of cities, from which coordinates are read too. Without it countries are unknown."`
	ASN     string   `toml:"asn" doc:"A database of autonomous systems in the MaxMind DB format (.mmdb). Without it networks' owners are unknown."`
	Domains []string `toml:"domains" doc:"Domains whose mail is delivered here, besides those of the panel and those that are learned from deliveries."`
	Own     []string `toml:"own" doc:"Addresses and networks of this server itself, besides those of its interfaces (a NAT's outer address)."`
	Relays  []string `toml:"relays" doc:"Addresses and networks of other hosts that may send through this server without a login."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config { return Config{} }

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	for _, d := range c.Domains {
		if d == "" || strings.ContainsAny(d, "@ \t/") {
			report("domains", `"`+d+`" is not a domain`)
		}
	}
	for key, list := range map[string][]string{"own": c.Own, "relays": c.Relays} {
		for _, text := range list {
			if _, err := parsePrefix(text); err != nil {
				report(key, `"`+text+`" is neither an address nor a network: want something like 192.0.2.7 or 192.0.2.0/24`)
			}
		}
	}
}

// parsePrefix reads a network, or a single address as a network of its own.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}
