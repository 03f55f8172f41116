package daemon

import (
	"os"
	"runtime/debug"

	"osm/config"
)

// Remembered is the most memory, in bytes, that the engine's rooms take by the settings, however many senders, recipients,
// addresses and message ids somebody invents.
func Remembered(cfg config.Config) int64 { return cfg.Detect.Memory() + int64(cfg.Track.Memory) }

// lessGarbage makes the daemon's collector come when there is half as much garbage as there is in use, not as much again: what is
// remembered lives long. GOGC overrules it.
func lessGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// boundReplay keeps a replay, which remembers nothing but what the engine's rooms do, within half as much again, apart from what
// is read ahead, and lets the collector come seldom below that. GOMEMLIMIT overrules it where it is less, and GOGC.
func boundReplay(cfg config.Config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	const reading = 64 << 20
	if limit := Remembered(cfg)*3/2 + reading; limit < debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(limit)
	}
}
