package tail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"osm"
)

// Follower follows logs.
type Follower struct {
	logs   []*log
	ticker *time.Ticker
	wake   chan struct{}
	turn   int // whose log is looked at first, so that a busy one does not starve the others
	quiet  int // ticks since Next returned
	idle   int // ticks after which it returns an idle batch
}

// Follow prepares to follow the logs of o. It reads nothing yet and fails only for options that can't work: whatever
// is wrong with a log shows in Status and passes by itself when it is put right.
func Follow(o Options) (*Follower, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	poll := time.Duration(o.Config.Poll)
	f := &Follower{ticker: time.NewTicker(poll), wake: make(chan struct{}, 1), idle: ticks(o.Idle, poll)}
	for _, path := range o.Paths {
		f.logs = append(f.logs, newLog(path, o))
	}
	return f, nil
}

func (o Options) complete() (Options, error) {
	c, d := &o.Config, DefaultConfig()
	if c.Poll == 0 {
		c.Poll = d.Poll
	}
	if c.MaxLine == 0 {
		c.MaxLine = d.MaxLine
	}
	if o.Idle == 0 {
		o.Idle = time.Second
	}
	if o.Linger == 0 {
		o.Linger = 500 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	var errs []error
	c.Check(func(key, problem string) { errs = append(errs, fmt.Errorf("tail: %s %s", key, problem)) })
	if len(o.Paths) == 0 {
		errs = append(errs, errors.New("tail: there is no log to follow"))
	}
	for i, path := range o.Paths {
		if slices.Contains(o.Paths[:i], path) {
			errs = append(errs, fmt.Errorf("tail: the log %s is named twice", path))
		}
	}
	return o, errors.Join(errs...)
}

// ticks is how many ticks last at least as long as d.
func ticks(d, poll time.Duration) int { return max(1, int((d+poll-1)/poll)) }

// Next waits for the next lines of any log. The first batch of a log without a position has no text, only the Position
// that it starts from, to be saved like any other. Next returns an empty Batch with Idle true when nothing came for
// Options.Idle, and an error only when ctx is done (ctx.Err()). Only one goroutine may call it.
func (f *Follower) Next(ctx context.Context) (Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, err
		}
		select { // a log that is never quiet must not stop the ticks
		case <-f.ticker.C:
			f.tick()
		default:
		}
		if b, ok := f.look(); ok {
			f.quiet = 0
			return b, nil
		}
		if f.quiet >= f.idle {
			f.quiet = 0
			return Batch{Idle: true}, nil
		}
		select {
		case <-ctx.Done():
		case <-f.ticker.C:
			f.tick()
		case <-f.wake:
			for _, l := range f.logs {
				l.due = true
			}
		}
	}
}

func (f *Follower) tick() {
	f.quiet++
	for _, l := range f.logs {
		l.tick()
	}
}

// look asks every log that is due, beginning with the one after the last that had something.
func (f *Follower) look() (Batch, bool) {
	for range f.logs {
		l := f.logs[f.turn]
		f.turn = (f.turn + 1) % len(f.logs)
		if !l.due {
			continue
		}
		if b, ok := l.next(); ok {
			return b, true
		}
		l.due = false
	}
	return Batch{}, false
}

// Wake makes a waiting Next look at the logs now. Any goroutine may call it.
func (f *Follower) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Status tells the state of every log, in the order of Options.Paths. Any goroutine may call it.
func (f *Follower) Status() []Status {
	all := make([]Status, len(f.logs))
	for i, l := range f.logs {
		all[i] = l.status.copy()
	}
	return all
}

// Close closes the files. It must not be called while Next runs.
func (f *Follower) Close() error {
	f.ticker.Stop()
	for _, l := range f.logs {
		l.drop()
		l.dropFormer()
	}
	return nil
}

// positionOf gives the saved position of a log; its Path is empty when there is none.
func positionOf(path string, saved []osm.Position) osm.Position {
	for _, pos := range saved {
		if pos.Path == path {
			return pos
		}
	}
	return osm.Position{}
}
