package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"osm/enrich"
	"osm/exim"
	"osm/store"
	"osm/tail"
	"osm/track"
)

// bench is one run of the program.
type bench struct {
	options
	dir    string
	log    *simulated
	stored int64 // bytes of the history
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
	start := time.Now()
	for line := range tail.Lines(b.log.text) {
		parser.Parse(line, &entry)
		if entry.Kind == exim.Unknown {
			unknown++
		}
	}
	took := time.Since(start)
	if unknown > b.log.lines/100 {
		return 0, fmt.Errorf("%d of %d lines were not understood", unknown, b.log.lines)
	}
	return took, nil
}

// part is a piece of the log and its parsed lines.
type part struct {
	chunk   tail.Chunk
	entries []exim.Entry
	done    chan struct{}
}

// tie parses on all cores, and ties together and classifies in the order of the log.
func (b *bench) tie(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	logs, err := tail.Read([]string{b.log.path}, tail.ReadOptions{Size: 128 << 10})
	if err != nil {
		return 0, err
	}
	tracker := track.New(track.Options{Config: track.DefaultConfig()})
	enricher := enrich.New(enrich.Options{Config: enrich.DefaultConfig()})
	messages := 0
	for p := range parts(ctx, logs) {
		for i := range p.entries {
			ev := tracker.Add(&p.entries[i])
			if ev.New {
				messages++
				enricher.Message(ev.Message)
			}
			if ev.Delivery != nil && ev.Message != nil {
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

// parts gives the log's pieces in their order, parsed by one worker for each processor.
func parts(ctx context.Context, logs *tail.Reader) func(yield func(*part) bool) {
	return func(yield func(*part) bool) {
		workers := runtime.GOMAXPROCS(0)
		free, todo, inOrder := make(chan *part, 2*workers+2), make(chan *part, 2*workers+2), make(chan *part, 2*workers+2)
		for range cap(free) {
			free <- &part{done: make(chan struct{}, 1)}
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
				parser := exim.NewParser(time.UTC)
				for p := range todo {
					p.entries = p.entries[:0]
					for line := range p.chunk.Lines() {
						p.entries = append(p.entries, exim.Entry{})
						parser.Parse(line, &p.entries[len(p.entries)-1])
					}
					p.done <- struct{}{}
				}
			})
		}
		for p := range inOrder {
			<-p.done
			if !yield(p) {
				panic("parts is read to its end") // nobody may leave the workers waiting
			}
			p.chunk.Release()
			free <- p
		}
	}
}

// serve starts the daemon on the log and waits until its history has all of it.
func (b *bench) serve(ctx context.Context) (time.Duration, error) {
	dir, err := os.MkdirTemp(b.dir, "serve")
	if err != nil {
		return 0, err
	}
	d, err := b.daemon(ctx, dir, b.log.path)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for d.read(ctx) < int64(b.log.bytes) {
		select {
		case err := <-d.ended:
			return 0, fmt.Errorf("the daemon has ended before the log did: %w\n%s", err, d.said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	took := time.Since(start)
	if err := d.stop(); err != nil {
		return 0, err
	}
	info, err := os.Stat(d.store)
	if err != nil {
		return 0, err
	}
	b.stored = info.Size()
	return took, os.RemoveAll(dir)
}

// running is a daemon that was started.
type running struct {
	command *exec.Cmd
	store   string
	said    *strings.Builder
	ended   chan error // how the daemon ended
}

func (b *bench) daemon(ctx context.Context, dir, log string) (*running, error) {
	d := &running{store: filepath.Join(dir, "osm.db"), said: new(strings.Builder), ended: make(chan error, 1)}
	config := filepath.Join(dir, "osm.toml")
	text := fmt.Sprintf("exim.log = %q\nexim.zone = \"UTC\"\nstore.path = %q\nstore.keep = \"400d\"\ncontrol.socket = %q\npolicy.socket = %q\n",
		log, d.store, filepath.Join(dir, "control.sock"), filepath.Join(dir, "policy.sock"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	d.command = exec.CommandContext(ctx, b.osm, "serve", "-c", config)
	d.command.Stderr = d.said
	if err := d.command.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- d.command.Wait() }()
	return d, nil
}

// read tells how many bytes of the log are in the history: none while there is nothing to read from yet.
func (d *running) read(ctx context.Context) int64 {
	reader, err := store.OpenReader(d.store)
	if err != nil {
		return 0
	}
	defer reader.Close()
	positions, err := reader.SavedPositions(ctx)
	if err != nil || len(positions) == 0 {
		return 0
	}
	return positions[0].Offset
}

func (d *running) stop() error {
	if err := d.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := <-d.ended; err != nil {
		return fmt.Errorf("the daemon has failed: %w\n%s", err, d.said)
	}
	return nil
}

// memory tells what a daemon with nothing to do takes.
func (b *bench) memory(ctx context.Context, out io.Writer) error {
	log := filepath.Join(b.dir, "quiet")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return err
	}
	d, err := b.daemon(ctx, b.dir, log)
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // until everything is open and has had its first idle rounds
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.command.Process.Pid))
	if err != nil {
		return errors.Join(err, d.stop())
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				return errors.Join(err, d.stop())
			}
			fmt.Fprintf(out, "idle daemon: %.1f MB (bar 40)\n", float64(kb)/1024)
		}
	}
	return d.stop()
}
