package panel

import "slices"

// Config says which panel's maps are read.
type Config struct {
	Kind string `toml:"kind" doc:"The hosting panel that knows which account owns a domain: cpanel, directadmin, hestia, plain (none, accounts are unix users), or auto, which looks for them."`
}

// auto lets Open look which panel there is.
const auto = "auto"

// DefaultConfig is what an empty file means.
func DefaultConfig() Config { return Config{Kind: auto} }

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if c.Kind != auto && !slices.Contains(kindNames[:], c.Kind) {
		report("kind", `must be "auto", "plain", "cpanel", "directadmin" or "hestia"`)
	}
}
