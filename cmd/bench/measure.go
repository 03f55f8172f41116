package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"osm/enrich"
	"osm/exim"
	"osm/tail"
	"osm/track"
)

// bench is one run of the program.
type bench struct {
	options
	dir    string
	log    *simulated // made when it is needed
	stored int64      // bytes of the history
	allocs float64    // allocations a line, when parsing
	table  table
	notes  []string
}

// spent is what a piece of work took: time, and the time of processors, which tells more on a machine that others use too.
type spent struct{ wall, processor time.Duration }

// since is what this program has spent since a start and a reading of its own processor time.
func since(start time.Time, before time.Duration) spent {
	return spent{time.Since(start), processorTime() - before}
}

func processorTime() time.Duration {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0 // it can't fail for oneself
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// logs measures what is done with the log, by name, in turns with eximstats.
func (b *bench) logs(ctx context.Context, names []string) (err error) {
	if b.log, err = makeLog(filepath.Join(b.dir, "mainlog"), b.lines, b.style); err != nil {
		return err
	}
	works := map[string]func(context.Context) (spent, error){"parse": b.parse, "tie": b.tie, "replay": b.replay, "serve": b.serve}
	bars := map[string]string{"parse": "600 MB/s, 0 allocations", "tie": "30 times", "replay": "25 times", "serve": "100000 lines/s"}
	var base, baseUsed []float64
	took, used := map[string][]float64{}, map[string][]float64{}
	for range b.rounds {
		d, err := b.eximstats(ctx)
		if err != nil {
			return fmt.Errorf("eximstats: %w", err)
		}
		base, baseUsed = append(base, d.wall.Seconds()), append(baseUsed, d.processor.Seconds())
		for _, name := range names {
			d, err := works[name](ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			took[name], used[name] = append(took[name], d.wall.Seconds()), append(used[name], d.processor.Seconds())
		}
	}
	than := fmt.Sprintf("eximstats %.2f s, %.2f of processors", median(base), median(baseUsed))
	for _, name := range names {
		s := median(took[name])
		r := row{what: name, than: than, bar: bars[name],
			ratio:    fmt.Sprintf("%.1f times, %.1f a processor", median(ratios(base, took[name])), median(ratios(baseUsed, used[name]))),
			measured: fmt.Sprintf("%.2f s, %.2f of processors, %.0f lines/s, %.0f MB/s", s, median(used[name]), float64(b.log.lines)/s, float64(b.log.bytes)/s/1e6)}
		if name == "parse" {
			r.measured += fmt.Sprintf(", %.4f allocations a line", b.allocs)
		}
		b.table.add(r)
	}
	if b.stored > 0 {
		b.table.add(row{what: "history", measured: fmt.Sprintf("%.0f bytes a message", float64(b.stored)/float64(b.log.messages)),
			than: "the raw log", ratio: fmt.Sprintf("%.2f", float64(b.stored)/float64(b.log.bytes)), bar: "0.6"})
	}
	return nil
}

// command runs a program to its end; its output goes nowhere.
func (b *bench) command(ctx context.Context, name string, args ...string) (spent, error) {
	c := exec.CommandContext(ctx, name, args...)
	var said strings.Builder
	c.Stderr = &said
	start := time.Now()
	if err := c.Run(); err != nil {
		return spent{}, fmt.Errorf("%w: %s", err, said.String())
	}
	return spent{time.Since(start), c.ProcessState.UserTime() + c.ProcessState.SystemTime()}, nil
}

func (b *bench) eximstats(ctx context.Context) (spent, error) {
	return b.command(ctx, "eximstats", b.log.path)
}

func (b *bench) replay(ctx context.Context) (spent, error) {
	return b.command(ctx, b.osm, "replay", "--json", b.log.path)
}

// parse reads the lines from memory, on one core.
func (b *bench) parse(context.Context) (spent, error) {
	text, err := os.ReadFile(b.log.path)
	if err != nil {
		return spent{}, err
	}
	log := string(text)
	parser, entry := exim.NewParser(time.UTC), exim.Entry{}
	unknown := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, used := time.Now(), processorTime()
	for line := range tail.Lines(log) {
		parser.Parse(line, &entry)
		if entry.Kind == exim.Unknown {
			unknown++
		}
	}
	took := since(start, used)
	runtime.ReadMemStats(&after)
	b.allocs = float64(after.Mallocs-before.Mallocs) / float64(b.log.lines)
	if unknown > b.log.lines/100 {
		return spent{}, fmt.Errorf("%d of %d lines were not understood", unknown, b.log.lines)
	}
	return took, nil
}

// tie reads on all cores. Each ties together and classifies what it has read, when it is its turn in the order of the log: what
// one core has read is not carried to another. The garbage collector comes as often as in a replay.
func (b *bench) tie(ctx context.Context) (spent, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(300))
	runtime.GC()
	start, used := time.Now(), processorTime()
	logs, err := tail.Read([]string{b.log.path}, tail.ReadOptions{Size: 256 << 10, Here: true})
	if err != nil {
		return spent{}, err
	}
	t := tying{
		tracker:  track.New(track.Options{Config: track.DefaultConfig()}),
		enricher: enrich.New(enrich.Options{Config: enrich.DefaultConfig()}),
		before:   make(chan struct{}),
	}
	close(t.before)
	next, stop := iter.Pull2(logs.Chunks(ctx))
	defer stop()
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() { t.work(next) })
	}
	all.Wait()
	took := since(start, used)
	if t.messages != b.log.messages {
		return spent{}, fmt.Errorf("%d messages were found, there are %d", t.messages, b.log.messages)
	}
	return took, t.enricher.Close()
}

// tying is what the cores share.
type tying struct {
	reading sync.Mutex    // of the next chunk
	before  chan struct{} // closed when the chunk read last has been tied

	// Whose turn it is has these.
	tracker  *track.Tracker
	enricher *enrich.Enricher
	messages int
}

// work reads chunks until there are none.
func (t *tying) work(next func() (tail.Chunk, error, bool)) {
	parser, entry := exim.NewParser(time.UTC), exim.Entry{}
	parser.Keep, parser.Skim = true, true
	var batch track.Batch
	for {
		t.reading.Lock()
		chunk, err, ok := next()
		turn, done := t.before, make(chan struct{})
		t.before = done
		t.reading.Unlock()
		if !ok || err != nil { // an error shows in the number of messages
			close(done)
			return
		}
		runtime.Gosched() // see daemon's pieceReader
		batch.Reset()
		for line := range chunk.Lines() {
			parser.Parse(line, &entry)
			batch.Read(&entry)
		}
		for i := range batch.Deliveries() {
			t.enricher.Refusal(&batch.Deliveries()[i])
		}
		<-turn
		t.tie(&batch)
		close(done)
		chunk.Release()
	}
}

func (t *tying) tie(batch *track.Batch) {
	events := t.tracker.Tie(batch)
	for i := range events {
		ev := &events[i]
		if ev.New {
			t.messages++
			t.enricher.Message(ev.Message)
		}
		if ev.Delivery != nil {
			t.enricher.Delivery(ev.Message, ev.Delivery)
		}
	}
}
