package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
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
	if b.log, err = makeLog(filepath.Join(b.dir, "mainlog"), b.lines); err != nil {
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
	parser, entry := exim.NewParser(time.UTC), exim.Entry{}
	unknown := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, used := time.Now(), processorTime()
	for line := range tail.Lines(b.log.text) {
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

// piece is a piece of the log and what was read of it.
type piece struct {
	chunk tail.Chunk
	batch track.Batch
	done  chan struct{}
}

// tie reads on all cores, and ties together and classifies in the order of the log.
func (b *bench) tie(ctx context.Context) (spent, error) {
	start, used := time.Now(), processorTime()
	logs, err := tail.Read([]string{b.log.path}, tail.ReadOptions{Size: 128 << 10})
	if err != nil {
		return spent{}, err
	}
	tracker := track.New(track.Options{Config: track.DefaultConfig()})
	enricher := enrich.New(enrich.Options{Config: enrich.DefaultConfig()})
	messages := 0
	for p := range pieces(ctx, logs, enricher) {
		for _, ev := range tracker.Tie(&p.batch) {
			if ev.New {
				messages++
				enricher.Message(ev.Message)
			}
			if ev.Delivery != nil {
				enricher.Delivery(ev.Message, ev.Delivery)
			}
		}
	}
	took := since(start, used)
	if messages != b.log.messages {
		return spent{}, fmt.Errorf("%d messages were found, there are %d", messages, b.log.messages)
	}
	return took, enricher.Close()
}

// pieces gives the log's pieces in their order, read by one worker for each processor.
func pieces(ctx context.Context, logs *tail.Reader, enricher *enrich.Enricher) func(yield func(*piece) bool) {
	return func(yield func(*piece) bool) {
		workers := runtime.GOMAXPROCS(0)
		free, todo, inOrder := make(chan *piece, 2*workers+2), make(chan *piece, 2*workers+2), make(chan *piece, 2*workers+2)
		for range cap(free) {
			free <- &piece{done: make(chan struct{}, 1)}
		}
		var all sync.WaitGroup
		defer all.Wait()
		all.Go(func() {
			defer close(inOrder)
			defer close(todo)
			for chunk, err := range logs.Chunks(ctx) {
				if err != nil {
					return
				}
				p := <-free
				p.chunk = chunk
				todo <- p
				inOrder <- p
			}
		})
		for range workers {
			all.Go(func() {
				parser, entry := exim.NewParser(time.UTC), exim.Entry{}
				parser.Keep, parser.Skim = true, true
				for p := range todo {
					p.batch.Reset()
					for line := range p.chunk.Lines() {
						parser.Parse(line, &entry)
						p.batch.Read(&entry)
					}
					for i := range p.batch.Deliveries() {
						enricher.Refusal(&p.batch.Deliveries()[i])
					}
					p.done <- struct{}{}
				}
			})
		}
		for p := range inOrder {
			<-p.done
			if !yield(p) {
				panic("pieces is read to its end") // nobody may leave the workers waiting
			}
			p.chunk.Release()
			free <- p
		}
	}
}
