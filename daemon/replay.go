package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/panel"
	"osm/tail"
	"osm/track"
)

// ReplayOptions say what is replayed and where the verdicts go.
type ReplayOptions struct {
	Paths    []string // logs, rotated and gzipped ones too; "-" is Stdin
	Stdin    io.Reader
	Panel    *panel.Panel            // who owns what; nil: only what the log tells
	Zone     *time.Location          // of log times without a zone; nil is local
	Message  func(m *osm.Message)    // called for every arriving message, with its verdict; by one goroutine at a time, as all of these
	Progress func(done, total int64) // called after every piece of log, in bytes
	Logger   *slog.Logger

	// Compare is another configuration that is replayed beside; Difference is called for every message about which the two
	// decide otherwise.
	Compare    *config.Config
	Difference func(before, after *osm.Message)
	// Learned is called at the end with every piece of what the detection has learned.
	Learned func(key string, blob []byte)
}

// Replay runs old logs through the engine, in time order, as if they were written now: parsing on all processors, everything
// after it on one at a time. A damaged file is read as far as it goes; its error comes after everything else is done.
func Replay(ctx context.Context, cfg config.Config, o ReplayOptions) error {
	boundReplay(cfg)
	if o.Zone == nil {
		o.Zone = time.Local
	}
	reader, err := tail.Read(o.Paths, tail.ReadOptions{Size: pieceSize, Here: true, Stdin: o.Stdin, Logger: o.Logger, Time: timeOf(o.Zone)})
	if err != nil {
		return err
	}
	r, err := newReplayed(cfg, o)
	if err != nil {
		return err
	}
	defer r.close()
	damaged := r.run(ctx, reader, o)
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.Learned != nil {
		r.engine.Detect.Dirty(o.Learned)
	}
	return damaged
}

// timeOf reads the time of a line, for logs that are merged by it.
func timeOf(zone *time.Location) func(line string) (unixNano int64, ok bool) {
	parser := exim.NewParser(zone)
	var entry exim.Entry
	return func(line string) (int64, bool) {
		parser.Parse(line, &entry)
		return entry.Time.UnixNano(), !entry.Time.IsZero()
	}
}

// replayed is what a replay's lines go through: one engine, or two that are compared.
type replayed struct {
	engine, other *Engine
	parser        *exim.Parser // of pieces that are read line by line
	entry         exim.Entry
	before, after arrivals
	difference    func(before, after *osm.Message)
}

// arrivals are the messages of one piece with an engine's verdicts, in the order of the log.
type arrivals struct {
	replaySink
	all []osm.Message
}

func (s *arrivals) Arrival(m *osm.Message) {
	s.replaySink.Arrival(m)
	s.all = append(s.all, *m)
}

func newReplayed(cfg config.Config, o ReplayOptions) (*replayed, error) {
	r := &replayed{difference: o.Difference, parser: exim.NewParser(o.Zone)}
	var sink Sink = replaySink{message: o.Message}
	if o.Compare != nil {
		r.before.replaySink = replaySink{message: o.Message}
		sink = &r.before
		other, err := newEngine(*o.Compare, engineOptions{Sink: &r.after, Panel: o.Panel, Logger: o.Logger})
		if err != nil {
			return nil, err
		}
		r.other = other
	}
	engine, err := newEngine(cfg, engineOptions{Sink: sink, Panel: o.Panel, Logger: o.Logger})
	r.engine = engine
	return r, err
}

func (r *replayed) close() error {
	if r.other == nil {
		return r.engine.Close()
	}
	return errors.Join(r.engine.Close(), r.other.Close())
}

func (r *replayed) engines() []*Engine {
	if r.other == nil {
		return []*Engine{r.engine}
	}
	return []*Engine{r.engine, r.other}
}

// process takes a piece of a log.
func (r *replayed) process(p *piece) {
	r.through(r.engine, p, &p.batches[0])
	if r.other != nil {
		r.through(r.other, p, &p.batches[1])
		r.compare()
	}
}

// compare tells of the messages about which the two engines decide otherwise.
func (r *replayed) compare() {
	for i := range r.before.all { // both engines see the same arrivals in the same order
		before, after := &r.before.all[i], &r.after.all[i]
		if before.Verdict.Action != after.Verdict.Action || before.Verdict.Shadow != after.Verdict.Shadow {
			r.difference(before, after)
		}
	}
	r.before.all, r.after.all = r.before.all[:0], r.after.all[:0]
}

// through takes a piece through one engine: as it was read, or line by line where one may be forged.
func (r *replayed) through(e *Engine, p *piece, b *Batch) {
	if e.forgery.Pass(&p.glance) {
		e.ProcessBatch(b)
		return
	}
	for line := range p.chunk.Lines() {
		r.parser.Parse(line, &r.entry)
		e.Process(&r.entry)
	}
}

// replaySink hands on verdicts, and deliveries where they are wanted.
type replaySink struct {
	message  func(m *osm.Message)
	delivery func(m *osm.Message, d *osm.Delivery)
}

func (s replaySink) Line(*exim.Entry)                {}
func (s replaySink) Forged(exim.Attempt)             {}
func (s replaySink) Other(*exim.Entry, *track.Event) {}

func (s replaySink) Delivery(m *osm.Message, d *osm.Delivery) {
	if s.delivery != nil {
		s.delivery(m, d)
	}
}

func (s replaySink) Arrival(m *osm.Message) {
	if s.message != nil {
		s.message(m)
	}
}
