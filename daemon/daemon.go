// Package daemon opens, runs, reloads and closes everything. The pipeline is one function, Engine.Process; serve feeds it
// from live logs and saves what it makes of them, replay feeds it from old logs and reports. This is the only room
// that reads the clock.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/panel"
	"osm/store"
	"osm/tail"
)

// DetectState begins the keys under which the store keeps what the detection has learned.
const DetectState = "detect/"

// Options are what a Daemon is told besides its configuration. The zero value works.
type Options struct {
	Logger *slog.Logger
	Watch  Watch
	Zone   *time.Location      // of log times without a zone; nil is local
	Start  tail.Start          // where a log without a saved position begins; the zero value is its beginning
	Ready  func()              // called once, when everything is open and the log is being read
	Panel  func() *panel.Panel // nil: what Detect finds on this server
}

// Daemon follows the logs, takes every line through the engine and saves what came of it together with how far it has
// read: killed at any moment it neither loses nor doubles an event.
type Daemon struct {
	cfg     config.Config
	options Options
	logs    []string
	zone    *time.Location
	panel   *panel.Panel
}

// New checks what can be checked without touching anything: that there is a log to follow.
func New(cfg config.Config, o Options) (*Daemon, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	log := cfg.Exim.Log
	if log == "" {
		found, err := exim.FindLog("/")
		if err != nil {
			return nil, err
		}
		log = found
	}
	d := &Daemon{cfg: cfg, options: o, logs: []string{log}, zone: o.Zone}
	if d.zone == nil {
		d.zone = time.Local
	}
	d.panel = panel.Open(cfg.Panel, "/", time.Now())
	return d, nil
}

// Run follows the logs until ctx is done. A database that turns out damaged is set aside by the store, and the logs are
// read again into a new one.
func (d *Daemon) Run(ctx context.Context) error {
	for {
		err := d.follow(ctx)
		if !errors.Is(err, store.ErrDamaged) {
			return err
		}
		d.options.Logger.Error("the database is damaged: it is set aside, and the logs are read again into a new one", "error", err)
	}
}

// follow is one life of the engine: from opening the store to the end of ctx, or to an error that is not to be waited out.
func (d *Daemon) follow(ctx context.Context) (err error) {
	history, err := store.Open(d.cfg.Store, time.Now(), d.options.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	positions, err := history.Positions()
	if err != nil {
		return err
	}
	alarm := newAlarm(d.cfg, d.cfg.Alert.HostName(), d.options.Logger)
	engine, err := newEngine(d.cfg, engineOptions{Sink: &record{store: history, alarm: alarm, watch: d.options.Watch}, Panel: d.panel,
		Lookup: lookup(ctx, history, d.options.Logger), Logger: d.options.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if err := history.LoadState(ctx, DetectState, restore(engine, d.options.Logger)); err != nil {
		return err
	}
	if err := alarm.restore(ctx, history); err != nil {
		return err
	}
	follower, err := tail.Follow(tail.Options{Paths: d.logs, Positions: positions, Start: d.options.Start,
		Config: d.cfg.Tail, Idle: idle, Logger: d.options.Logger, Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, follower.Close()) }()
	if d.options.Ready != nil {
		d.options.Ready()
	}
	ctx, cancel := context.WithCancel(ctx)
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	sending.Go(func() { alarm.send(ctx) })
	s := session{Daemon: d, engine: engine, alarm: alarm, store: history, parser: exim.NewParser(d.zone), at: map[string]osm.Position{}}
	for _, p := range positions {
		s.at[p.Path] = p
	}
	return s.run(ctx, follower)
}

func lookup(ctx context.Context, history *store.Store, log *slog.Logger) func(id string) *osm.Message {
	return func(id string) *osm.Message {
		m, err := history.Message(ctx, id)
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) {
				log.Warn("a message can't be looked up in the history: its deliveries are kept without it", "id", id, "error", err)
			}
			return nil
		}
		return m
	}
}

// restore gives the detection back what it had learned. What is damaged is left out: it is learned again.
func restore(engine *Engine, log *slog.Logger) func(key string, blob []byte) error {
	return func(key string, blob []byte) error {
		if err := engine.Detect.Restore(strings.TrimPrefix(key, DetectState), blob); err != nil {
			log.Warn("a piece of what was learned is damaged and is learned again", "key", key, "error", err)
		}
		return nil
	}
}

// session is the daemon at work.
type session struct {
	*Daemon
	engine  *Engine
	alarm   *alarm
	store   *store.Store
	parser  *exim.Parser
	entry   exim.Entry
	at      map[string]osm.Position // by log: how far it has been read
	flushed time.Time
	unsaved bool
	tended  time.Time
}

const (
	idle       = time.Second      // the longest time without a look at what else there is to do
	flushAfter = time.Second      // the most that is read again after a kill, in time
	flushAt    = 20_000           // and in events
	tendAfter  = 30 * time.Second // between looks at files that may have changed
	retryMost  = 30 * time.Second
)

func (s *session) run(ctx context.Context, follower *tail.Follower) error {
	for {
		batch, err := follower.Next(ctx)
		if err != nil { // ctx is done
			return s.flush(context.WithoutCancel(ctx), once)
		}
		s.read(batch)
		now := time.Now()
		s.alarm.tick(now)
		if (s.unsaved || s.alarm.changed()) && (s.store.Pending() >= flushAt || (batch.AtEnd || batch.Idle) && now.Sub(s.flushed) >= flushAfter) {
			if err := s.flush(ctx, patient); err != nil {
				return err
			}
		}
		if now.Sub(s.tended) >= tendAfter {
			s.tend(now)
		}
	}
}

// read takes a batch of lines through the engine.
func (s *session) read(b tail.Batch) {
	if b.Gap != nil {
		s.options.Logger.Warn("lines may be missing in the log", "log", osm.Printable(b.Log), "reason", b.Gap.Reason, "bytes", b.Gap.Bytes)
	}
	if b.Idle {
		return
	}
	for line := range b.Lines() {
		s.parser.Parse(line, &s.entry)
		s.engine.Process(&s.entry)
	}
	s.at[b.Log] = b.Position
	s.unsaved = true
}

type patience bool

const (
	once    patience = false
	patient patience = true
)

// flush saves the events, what was learned from them, and how far the logs have been read, in one transaction. While
// that does not work (disk full, database locked) it waits and tries again: the logs are the queue.
func (s *session) flush(ctx context.Context, p patience) error {
	s.engine.Detect.Dirty(func(key string, blob []byte) { s.store.SaveState(DetectState+key, append([]byte(nil), blob...)) })
	if err := s.alarm.save(s.store); err != nil {
		return err
	}
	positions := make([]osm.Position, 0, len(s.at))
	for _, at := range s.at {
		positions = append(positions, at)
	}
	wait := time.Second
	for {
		err := s.store.Flush(time.Now(), positions)
		switch {
		case err == nil:
			s.flushed, s.unsaved = time.Now(), false
			return nil
		case p == once || errors.Is(err, store.ErrDamaged):
			return fmt.Errorf("save what was read: %w", err)
		}
		s.options.Logger.Error("what was read can't be saved; nothing is lost, the log is read on when it can", "error", err, "again in", wait)
		select {
		case <-ctx.Done():
			return nil // not saved: it is read again at the next start
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMost)
	}
}

// tend reads again what may have changed beside the log.
func (s *session) tend(now time.Time) {
	s.tended = now
	if _, err := s.panel.Reload(now); err != nil {
		s.options.Logger.Warn("the panel's map of accounts can't be read; the old one is used on", "error", err)
	}
	s.engine.Enrich.Reload(now)
}
