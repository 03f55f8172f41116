package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"osm"
	"osm/config"
	"osm/sim"
)

// A replay says the same on however many processors: pieces are read as it comes, and go through the engine in the order of the log.
func TestReplayOnAnyNumberOfProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	start := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	var log strings.Builder
	if err := sim.New(sim.Config{Seed: 11, Accounts: 40, Days: 8, Start: start}).WriteLog(&log, nil); err != nil {
		t.Fatal(err)
	}
	if log.Len() < 8*pieceSize {
		t.Fatalf("a log of %d bytes has few pieces", log.Len())
	}
	path := writeFile(t, t.TempDir(), "mainlog", log.String())
	var want []byte
	for _, processors := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(processors)
		var got []byte
		err := Replay(t.Context(), config.Defaults(), ReplayOptions{Paths: []string{path}, Zone: time.UTC, Message: func(m *osm.Message) { got = AppendVerdict(got, m) }})
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(got, []byte("\n")); n != strings.Count(log.String(), " <= ") {
			t.Errorf("%d processors: %d verdicts", processors, n)
		}
		if want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("on %d processors it says something else than on one", processors)
		}
	}
	goleak.VerifyNone(t)
}

// A replay that is given up, or whose log is damaged, ends and leaves nothing running.
func TestReplayEnds(t *testing.T) {
	line := "2026-03-20 00:00:00 1w3O0R-0000bT-05 <= a@b.example U=a P=local S=100 T=\"a subject of a message\"\n"
	dir := t.TempDir()
	path := writeFile(t, dir, "mainlog", strings.Repeat(line, 3*pieceSize/len(line)*10))
	ctx, cancel := context.WithCancel(t.Context())
	pieces := 0
	err := Replay(ctx, config.Defaults(), ReplayOptions{Paths: []string{path}, Zone: time.UTC, Progress: func(int64, int64) {
		if pieces++; pieces == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || pieces > 20 {
		t.Errorf("after %d pieces: %v", pieces, err)
	}
	goleak.VerifyNone(t)
	if err := os.WriteFile(path+".1.gz", []byte("\x1f\x8b\x08 and nothing more"), 0o600); err != nil {
		t.Fatal(err)
	}
	messages := 0
	err = Replay(t.Context(), config.Defaults(), ReplayOptions{Paths: []string{path + ".1.gz", path}, Zone: time.UTC, Message: func(*osm.Message) { messages++ }})
	if err == nil || !strings.Contains(err.Error(), ".1.gz") || messages != 1 {
		t.Errorf("of a damaged file and a whole one: %d messages, %v", messages, err)
	}
	goleak.VerifyNone(t)
}
