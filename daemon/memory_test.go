package daemon

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"testing"
	"time"

	"osm/config"
	"osm/exim"
)

// A million strangers with everything invented (logins, scripts, relayed domains, recipients, addresses, ids that are never
// completed, ids that never arrive) leave the engine within what the settings say.
func TestAMillionStrangersFindTheMemoryBounded(t *testing.T) {
	cfg := config.Defaults()
	cfg.Detect.Senders, cfg.Detect.Known, cfg.Track.Memory = 10_000, 100_000, 8<<20
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	e, err := newEngine(cfg, engineOptions{Sink: replaySink{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	parser, entry := exim.NewParser(nil), new(exim.Entry)
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	line := func(at time.Time, format string, args ...any) {
		parser.Parse(fmt.Sprintf(at.Format(time.DateTime)+" "+format, args...), entry)
		e.Process(entry)
	}
	for i := range 1_000_000 {
		at := start.Add(time.Duration(i) * 5 * time.Millisecond)
		id := fmt.Sprintf("1vxxxx-%06d-%02d", i%1_000_000, i/1_000_000)
		switch i % 5 {
		case 0:
			line(at, "cwd=/home/u%d/www 3 args: /usr/sbin/sendmail -t -i", i)
			line(at, "%s <= u%d@s%d.example U=u%d P=local S=1000 T=\"t%d\" for r%d@d%d.example", id, i, i, i, i, i, i)
		case 1:
			line(at, "%s <= u%d@s%d.example H=(h%d) [127.0.0.1]:4000 P=esmtp S=1000 T=\"t%d\" for r%d@d%d.example", id, i, i, i, i, i, i)
		case 2:
			line(at, "%s => r%d@d%d.example R=r%d T=t%d H=h%d.example [192.0.2.1]", id, i, i, i, i, i)
		default:
			line(at, "%s <= u%d@s%d.example H=(h%d) [20.%d.%d.%d]:4000 P=esmtpsa A=login:u%d@s%d.example S=1000 T=\"t%d word%d\" for r%d@d%d.example",
				id, i, i, i, i>>16, i>>8&255, i&255, i, i, i, i, i, i)
		}
		if i%250_000 == 249_999 {
			if used, limit := heap()-before, Remembered(cfg); used > limit {
				t.Fatalf("after %d strangers the engine takes %d KB, more than the %d KB of its settings", i+1, used>>10, limit>>10)
			} else {
				t.Logf("after %d strangers %d KB of %d KB", i+1, used>>10, limit>>10)
			}
		}
	}
	runtime.KeepAlive(e)
}

func TestGarbagePercent(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 600, 4 << 20: 600, 12 << 20: 200, 48 << 20: 50, 1 << 40: 50} {
		if got := garbagePercent(inUse); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", inUse, got, want)
		}
	}
}

// The room for garbage is found anew after a collection.
func TestPaceGarbage(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC overrules it")
	}
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	paceGarbage(ctx)
	percent := []runtimemetrics.Sample{{Name: "/gc/gogc:percent"}}
	debug.SetGCPercent(77)
	for range 10_000 {
		runtime.GC()
		if runtimemetrics.Read(percent); percent[0].Value.Uint64() != 77 {
			return
		}
		runtime.Gosched()
	}
	t.Error("nobody has looked again")
}
