package daemon

import (
	"os"
	"runtime/debug"

	"osm/config"
)

// Remembered is the most memory, in bytes, that the engine's rooms take by the settings, however many senders, recipients,
// addresses and message ids somebody invents.
func Remembered(cfg config.Config) int64 { return cfg.Detect.Memory() + int64(cfg.Track.Memory) }

// lessGarbage makes the collector come when there is half as much garbage as there is in use, not as much again: what is
// remembered lives long and little is thrown away, so that it costs nothing that can be measured. GOGC overrules it.
func lessGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}
