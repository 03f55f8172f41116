package store

import (
	"time"

	"osm"
)

// Config is the [store] table of the configuration.
type Config struct {
	Path      string       `toml:"path" doc:"The database file. Its folder must exist and be writable: SQLite keeps two more files beside it."`
	Keep      osm.Duration `toml:"keep" doc:"How long history is kept. Older days (counted in UTC) are dropped whole."`
	SaveAfter osm.Duration `toml:"save_after" doc:"How long what was read waits to be saved, at most. After a crash so much of the log is read again."`
	MaxSize   osm.Size     `toml:"max_size" doc:"How large history may become. Past it the oldest days are dropped, however young; today stays."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{Path: "/var/lib/osm/osm.db", Keep: osm.Duration(30 * 24 * time.Hour), MaxSize: 10 << 30, SaveAfter: osm.Duration(time.Second)}
}

// Check reports every setting that makes no sense.
func (c *Config) Check(report func(key, problem string)) {
	if c.Path == "" {
		report("path", "must name a file")
	}
	if keep := time.Duration(c.Keep); keep < 24*time.Hour || keep > 3650*24*time.Hour {
		report("keep", "must be between 1d and 3650d")
	}
	if save := time.Duration(c.SaveAfter); save < 10*time.Millisecond || save > time.Minute {
		report("save_after", "must be between 10ms and 1m")
	}
	if c.MaxSize < 16<<20 {
		report("max_size", "must be at least 16MB")
	}
}
