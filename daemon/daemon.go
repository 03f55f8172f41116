// Package daemon opens, runs, reloads and closes everything. The pipeline is one function, Engine.Process; serve feeds it
// from live logs and saves what it makes of them, replay feeds it from old logs and reports. This is the only room
// that reads the clock.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"osm"
	"osm/access"
	"osm/config"
	"osm/exim"
	"osm/panel"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/web"
)

// DetectState begins the keys under which the store keeps what the detection has learned.
const DetectState = "detect/"

// Options are what a Daemon is told besides its configuration. The zero value works.
type Options struct {
	Logger  *slog.Logger
	Version string // of this program, for the page and the metrics
	Watch   Watch
	Zone    *time.Location                                 // of log times without a zone; nil is local
	Start   tail.Start                                     // where a log without a saved position begins; the zero value is its beginning
	Load    func() (*config.Loaded, error)                 // reads the configuration again at a reload; nil: there is none
	Rules   *config.RuleFile                               // where rules that are made in the page are kept; nil: they can't be
	Queue   func(ctx context.Context) (*exim.Queue, error) // Exim's queue; nil: that of the Exim on this machine
	Root    string                                         // where a panel's programs and files are; "" is /
	Ready   func()                                         // called once, when everything is open and the log is being read
	Key     string                                         // file with the key of rewritten addresses; "" is policy.KeyPath
	Gateway func(at []netip.AddrPort)                      // told where the gateway listens, as soon as it does; nil tells nobody
	Panel   *panel.Panel                                   // who owns what; nil: as the configuration says
}

func (o *Options) root() string {
	if o.Root == "" {
		return "/"
	}
	return o.Root
}

func (o *Options) key() string {
	if o.Key == "" {
		return policy.KeyPath
	}
	return o.Key
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

// noLog is followed where there is no log and none is needed, because the gateway tells the history: one that appears there
// is read.
const noLog = "/var/log/exim4/mainlog"

// New checks what can be checked without touching anything: that there is a log to follow.
func New(cfg config.Config, o Options) (*Daemon, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	log := cfg.Exim.Log
	if log == "" {
		found, err := exim.FindLog("/")
		if errors.Is(err, exim.ErrNoLog) && cfg.Gateway.On() && !cfg.Gateway.UpstreamLog {
			found, err = noLog, nil
		}
		if err != nil {
			return nil, err
		}
		log = found
	}
	d := &Daemon{cfg: cfg, options: o, logs: []string{log}, zone: o.Zone}
	if d.zone == nil {
		d.zone = time.Local
	}
	if d.panel = o.Panel; d.panel == nil {
		d.panel = panel.Open(cfg.Panel, "/", time.Now())
	}
	return d, nil
}

// Run follows the logs until ctx is done. A database that turns out damaged is set aside by the store, and the logs are
// read again into a new one.
func (d *Daemon) Run(ctx context.Context) error {
	lessGarbage()
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
	if err := os.MkdirAll(filepath.Dir(d.cfg.Store.Path), 0o750); err != nil {
		return fmt.Errorf("make the folder of the history: %w", err)
	}
	history, err := store.Open(d.cfg.Store, time.Now(), d.options.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	positions, err := history.Positions()
	if err != nil {
		return err
	}
	alarm := newAlarm(d.cfg, d.panel, d.options.Logger)
	held := newHolds(d.cfg.Hold)
	var s *session
	engine, err := newEngine(d.cfg, engineOptions{Sink: &record{store: history, alarm: alarm, holds: held, live: web.NewFeed(), watch: d.options.Watch, log: d.options.Logger}, Panel: d.panel,
		Lookup: func(id string) *osm.Message { return s.lookup(ctx, id) }, Logger: d.options.Logger, Keep: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	follower, err := tail.Follow(tail.Options{Paths: d.logs, Positions: positions, Start: d.options.Start,
		Config: d.cfg.Tail, Idle: idle, Logger: d.options.Logger, Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, follower.Close()) }()
	s = newSession(d, engine, alarm, held, history, follower)
	s.access = access.New(access.Options{Path: access.Path(d.cfg.Store.Path), Now: time.Now, Logger: d.options.Logger})
	defer func() { err = errors.Join(err, s.access.Close()) }()
	if s.web, err = s.newWeb(); err != nil {
		return err
	}
	for _, p := range positions {
		s.at[p.Path] = p
	}
	if err := s.restore(ctx); err != nil {
		return err
	}
	return s.serve(ctx)
}
