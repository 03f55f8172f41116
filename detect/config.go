package detect

import (
	"slices"

	"osm"
	"osm/window"
)

// Config is the table [detect] of the configuration. Its defaults are what the figures in doc/detection.md were measured with.
type Config struct {
	Suspect  float64      `toml:"suspect" doc:"Score from which a sender's mail is held until the receivers' answers to what went out before are known."`
	Stop     float64      `toml:"stop" doc:"Score from which a sender's mail is refused."`
	HalfLife osm.Duration `toml:"half_life" doc:"Time in which old evidence loses half of its weight."`
	Senders  int          `toml:"senders" doc:"How many senders are remembered; the one silent for longest is forgotten first. 1 to 2 KB each."`
	Known    int          `toml:"known" doc:"How many pairs of sender and recipient are remembered in all; the oldest are forgotten first. 11 to 22 bytes each."`

	Weights map[string]float64 `toml:"weights" doc:"Weights of single facts other than the default, by the names of the table in doc/detection.md. 0 switches a fact off."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{Suspect: 8, Stop: 10, HalfLife: osm.Duration(48 * 3600e9), Senders: 100_000, Known: 4_000_000}
}

// Memory is the most that the detection remembers by these settings, in bytes.
func (c *Config) Memory() int64 {
	const (
		sender  = 2<<10 + 100 // with its name and its place in the table
		account = 200         // two for each sender
		rest    = 1 << 20     // likeness and slots
	)
	return int64(c.Senders)*(sender+2*account) + window.KnownMemory(c.Known) + window.KnownMemory(knownPhrases) + rest
}

// Check reports every mistake, by key and in words.
func (c *Config) Check(report func(key, problem string)) {
	if !(c.Suspect > 0) {
		report("suspect", "must be more than 0")
	}
	if !(c.Stop >= c.Suspect) {
		report("stop", "must not be less than suspect")
	}
	if c.HalfLife <= 0 {
		report("half_life", "must be more than 0")
	}
	if c.Senders < 1000 {
		report("senders", "must be at least 1000")
	}
	if c.Known < 10_000 {
		report("known", "must be at least 10000")
	}
	for name, w := range c.Weights {
		if !slices.ContainsFunc(weights[:], func(row weight) bool { return row.name == name }) {
			report("weights."+name, "is not a fact: see the table of weights in doc/detection.md")
		} else if !(w >= 0 && w <= 100) {
			report("weights."+name, "must be between 0 and 100")
		}
	}
}
