package track

import (
	"time"

	"osm"
)

// Config are the limits of what is remembered of messages that are not completed.
type Config struct {
	Messages int          `toml:"messages" doc:"How many messages between arrival and completion are remembered at once; the oldest are forgotten first."`
	Memory   osm.Size     `toml:"memory" doc:"How much memory the remembered messages may take together."`
	Age      osm.Duration `toml:"age" doc:"How long a message that is never completed is remembered."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{Messages: 100_000, Memory: 128 << 20, Age: osm.Duration(8 * 24 * time.Hour)}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if c.Messages < 100 || c.Messages > 10_000_000 {
		report("messages", "must be between 100 and 10000000")
	}
	if c.Memory < 1<<20 {
		report("memory", "must be at least 1MB")
	}
	if c.Age < osm.Duration(time.Minute) || c.Age > osm.Duration(365*24*time.Hour) {
		report("age", "must be between 1m and 365d")
	}
}
