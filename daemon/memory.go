package daemon

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"

	"osm/config"
)

// Remembered is the most memory, in bytes, that the engine's rooms take by the settings, however many senders, recipients,
// addresses and message ids somebody invents.
func Remembered(cfg config.Config) int64 { return cfg.Detect.Memory() + int64(cfg.Track.Memory) }

// lessGarbage makes the daemon's collector come when there is half as much garbage as there is in use, not as much again: what is
// remembered lives long. GOGC overrules it.
func lessGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(leastGarbage)
	}
}

const (
	leastGarbage = 50       // percent of what is in use
	garbageRoom  = 24 << 20 // bytes
	leastInUse   = 4 << 20  // bytes
)

// paceGarbage lets what is in use have half as much garbage beside it, and a little always have garbageRoom: to collect a small heap
// often costs time, and spares little. It looks again after every collection, until ctx is done. GOGC overrules it.
func paceGarbage(ctx context.Context) {
	if ctx.Err() != nil || os.Getenv("GOGC") != "" {
		return
	}
	inUse := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(inUse)
	debug.SetGCPercent(garbagePercent(inUse[0].Value.Uint64()))
	runtime.AddCleanup(&struct{ again *int }{}, paceGarbage, ctx) // the next collection finds nobody using it
}

func garbagePercent(inUse uint64) int {
	return int(max(leastGarbage, 100*garbageRoom/max(inUse, leastInUse)))
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
