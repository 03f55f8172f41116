package store

import (
	"slices"
	"testing"
	"time"

	"osm"
)

func TestConfigCheck(t *testing.T) {
	good := DefaultConfig()
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"default":   {func(*Config) {}, nil},
		"no path":   {func(c *Config) { c.Path = "" }, []string{"path"}},
		"short":     {func(c *Config) { c.Keep = osm.Duration(time.Hour) }, []string{"keep"}},
		"long":      {func(c *Config) { c.Keep = osm.Duration(20 * 365 * 24 * time.Hour) }, []string{"keep"}},
		"tiny":      {func(c *Config) { c.MaxSize = 1 << 20 }, []string{"max_size"}},
		"all wrong": {func(c *Config) { *c = Config{} }, []string{"path", "keep", "save_after", "max_size"}},
	} {
		cfg := good
		test.change(&cfg)
		var keys []string
		cfg.Check(func(key, problem string) {
			if problem == "" {
				t.Errorf("%s: %s has no problem", name, key)
			}
			keys = append(keys, key)
		})
		if !slices.Equal(keys, test.want) {
			t.Errorf("%s: %v are wrong, want %v", name, keys, test.want)
		}
	}
}
