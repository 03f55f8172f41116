package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"osm/store"
)

// serve starts the daemon on the log and waits until its history has all of it.
func (b *bench) serve(ctx context.Context) (spent, error) {
	dir, err := os.MkdirTemp(b.dir, "serve")
	if err != nil {
		return spent{}, err
	}
	d, err := b.daemon(ctx, dir, b.log.path, "")
	if err != nil {
		return spent{}, err
	}
	start := time.Now()
	if err := d.caughtUp(ctx, int64(b.log.bytes)); err != nil {
		return spent{}, err
	}
	took := spent{wall: time.Since(start)}
	if err := d.stop(); err != nil {
		return spent{}, err
	}
	took.processor = d.command.ProcessState.UserTime() + d.command.ProcessState.SystemTime()
	info, err := os.Stat(d.store)
	if err != nil {
		return spent{}, err
	}
	b.stored = info.Size()
	return took, os.RemoveAll(dir)
}

// running is a daemon that was started.
type running struct {
	command *exec.Cmd
	store   string
	policy  string // its socket
	said    *strings.Builder
	ended   chan error // how the daemon ended
}

// daemon starts osm serve on a log, with more lines of configuration.
func (b *bench) daemon(ctx context.Context, dir, log, more string) (*running, error) {
	d := &running{store: filepath.Join(dir, "osm.db"), policy: filepath.Join(dir, policySocket), said: new(strings.Builder), ended: make(chan error, 1)}
	config := filepath.Join(dir, "osm.toml")
	text := fmt.Sprintf("exim.log = %q\nexim.zone = \"UTC\"\nstore.path = %q\nstore.keep = \"400d\"\ncontrol.socket = %q\npolicy.socket = %q\n",
		log, d.store, filepath.Join(dir, "control.sock"), d.policy) + more
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

// caughtUp waits until the history has so many bytes of the log.
func (d *running) caughtUp(ctx context.Context, size int64) error {
	for d.read(ctx) < size {
		select {
		case err := <-d.ended:
			d.ended <- err
			return fmt.Errorf("the daemon has ended before the log did: %w\n%s", err, d.said)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
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

// memory tells a line of the process's status in MB: VmRSS is what it has now, VmHWM the most it had.
func (d *running) memory(line string) (mb float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(text, line+":"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return float64(kb) / 1024, err
		}
	}
	return 0, fmt.Errorf("the status of process %d has no %s", d.command.Process.Pid, line)
}

// idle tells what a daemon with nothing to do takes.
func (b *bench) idle(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(b.dir, "idle")
	if err != nil {
		return err
	}
	log := filepath.Join(dir, "quiet")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return err
	}
	d, err := b.daemon(ctx, dir, log, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	time.Sleep(5 * time.Second) // until everything is open and has had its first idle rounds
	mb, err := d.memory("VmRSS")
	b.table.add(row{what: "idle daemon", measured: fmt.Sprintf("%.1f MB", mb), bar: "40 MB"})
	return err
}
