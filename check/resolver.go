package check

import (
	"time"

	"osm"
)

// DNSConfig is the table [check.dns].
type DNSConfig struct {
	Servers  []string     `toml:"servers" doc:"Addresses of resolvers, with a port where it is not 53; those of /etc/resolv.conf when empty. Most block lists refuse the public ones (8.8.8.8, 1.1.1.1, 9.9.9.9): a resolver of your own is needed."`
	Timeout  osm.Duration `toml:"timeout" doc:"How long one resolver is waited for before the next is asked, 50ms to 10s."`
	Remember int          `toml:"remember" doc:"Answers that are remembered, as long as their time to live allows, 100 to 1000000; some 300 bytes each."`
}

func defaultDNS() DNSConfig {
	return DNSConfig{Timeout: osm.Duration(time.Second), Remember: 20_000}
}

func (c *DNSConfig) check(report func(key, problem string)) {
	between(report, "timeout", c.Timeout, 50*time.Millisecond, 10*time.Second)
	if c.Remember < 100 || c.Remember > 1_000_000 {
		report("remember", "must be between 100 and 1000000")
	}
}

// Resolver asks name servers and remembers what they said.
type Resolver struct {
	now func() time.Time
}

// NewResolver reads which servers to ask; it asks nobody yet.
func NewResolver(cfg DNSConfig, now func() time.Time) (*Resolver, error) {
	return &Resolver{now: now}, nil
}
