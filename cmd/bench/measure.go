package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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

// logs measures what is done with the log, by name, in turns with eximstats.
func (b *bench) logs(ctx context.Context, names []string) (err error) {
	if b.log, err = makeLog(filepath.Join(b.dir, "mainlog"), b.lines); err != nil {
		return err
	}
	works := map[string]func(context.Context) (time.Duration, error){"parse": b.parse, "tie": b.tie, "replay": b.replay, "serve": b.serve}
	bars := map[string]string{"parse": "600 MB/s, 0 allocations", "tie": "30 times", "replay": "25 times", "serve": "100000 lines/s"}
	base, took := []float64{}, map[string][]float64{}
	for range b.rounds {
		d, err := b.eximstats(ctx)
		if err != nil {
			return fmt.Errorf("eximstats: %w", err)
		}
		base = append(base, d.Seconds())
		for _, name := range names {
			d, err := works[name](ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			took[name] = append(took[name], d.Seconds())
		}
	}
	than := fmt.Sprintf("eximstats %.2f s", median(base))
	for _, name := range names {
		s := median(took[name])
		r := row{what: name, than: than, ratio: fmt.Sprintf("%.1f times", median(ratios(base, took[name]))), bar: bars[name],
			measured: fmt.Sprintf("%.2f s, %.0f lines/s, %.0f MB/s", s, float64(b.log.lines)/s, float64(b.log.bytes)/s/1e6)}
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
func (b *bench) command(ctx context.Context, name string, args ...string) (time.Duration, error) {
	c := exec.CommandContext(ctx, name, args...)
	var said strings.Builder
	c.Stderr = &said
	start := time.Now()
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, said.String())
	}
	return time.Since(start), nil
}

func (b *bench) eximstats(ctx context.Context) (time.Duration, error) {
	return b.command(ctx, "eximstats", b.log.path)
}

func (b *bench) replay(ctx context.Context) (time.Duration, error) {
	return b.command(ctx, b.osm, "replay", "--json", b.log.path)
}

// parse reads the lines from memory, on one core.
func (b *bench) parse(context.Context) (time.Duration, error) {
	parser, entry := exim.NewParser(time.UTC), exim.Entry{}
	unknown := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for line := range tail.Lines(b.log.text) {
		parser.Parse(line, &entry)
		if entry.Kind == exim.Unknown {
			unknown++
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	b.allocs = float64(after.Mallocs-before.Mallocs) / float64(b.log.lines)
	if unknown > b.log.lines/100 {
		return 0, fmt.Errorf("%d of %d lines were not understood", unknown, b.log.lines)
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
func (b *bench) tie(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	logs, err := tail.Read([]string{b.log.path}, tail.ReadOptions{Size: 128 << 10})
	if err != nil {
		return 0, err
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
	took := time.Since(start)
	if messages != b.log.messages {
		return 0, fmt.Errorf("%d messages were found, there are %d", messages, b.log.messages)
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
