package exim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// batch is how many ids go into one command.
const batch = 200

// Deliver thaws a message, moves it to the default queue if it is in another, and tries to deliver it now (-M). It returns
// after the attempt, which may take as long as the receivers do. A message that was only deferred is an ordinary one
// from then on, and Exim's queue runners go on with it.
func (q *Queue) Deliver(ctx context.Context, p Place) error {
	return q.change(ctx, operation{"deliver", "-M", toDefault, tried}, p)
}

// Release thaws messages and moves them to the default queue: the next queue run delivers them. It takes any number at
// once, in few calls of Exim. The error joins a *QueueError for every message that is still held.
func (q *Queue) Release(ctx context.Context, places ...Place) error {
	return q.change(ctx, operation{"release", "-Mt", toDefault, released}, places...)
}

// Freeze holds messages in the queue where they are: no queue runner delivers them.
func (q *Queue) Freeze(ctx context.Context, places ...Place) error {
	return q.change(ctx, operation{"freeze", "-Mf", nowhere, frozen}, places...)
}

// Remove deletes messages; nobody is told. It is no error when one has gone already.
func (q *Queue) Remove(ctx context.Context, places ...Place) error {
	return q.change(ctx, operation{"remove", "-Mrm", nowhere, removed}, places...)
}

// SetAside moves messages to HoldQueue and freezes them, so that Exim does not end the hold by itself: it bounces frozen
// messages after timeout_frozen_after, and -qff and auto_thaw deliver them, but its queue runners never look into a named
// queue.
func (q *Queue) SetAside(ctx context.Context, places ...Place) error {
	return q.change(ctx, operation{"set aside", "-Mf", toHold, aside}, places...)
}

// operation is one of Exim's commands for messages. Exim's exit status does not tell whether it worked (without -qG it does nothing
// to a message in a named queue and succeeds), so the spool is looked at after it.
type operation struct {
	name   string
	option string
	move   target                           // to another queue, before that
	done   func(m *Queued, err error) error // what is found after it
}

// target is a queue that messages are moved to.
type target uint8

const (
	nowhere target = iota
	toDefault
	toHold
)

// name is the queue's, and whether a message in another one has to be moved there.
func (t target) name(queue string) (name string, move bool) {
	switch {
	case t == toDefault:
		return "", queue != ""
	case t == toHold:
		return HoldQueue, queue != HoldQueue
	}
	return queue, false
}

// change applies an operation, queue by queue and in batches, and looks at each message after it.
func (q *Queue) change(ctx context.Context, o operation, places ...Place) error {
	var failures []error
	byQueue := make(map[string][]string)
	for _, p := range places {
		if !ValidID(p.ID) || !slices.Contains(q.names(), p.Queue) {
			failures = append(failures, &QueueError{p.ID, o.name, fmt.Errorf("%q in the queue %q is no place of a message",
				p.ID, p.Queue)})
			continue
		}
		byQueue[p.Queue] = append(byQueue[p.Queue], p.ID)
	}
	for queue, all := range byQueue {
		for ids := range slices.Chunk(all, batch) {
			failures = append(failures, q.insist(ctx, o, queue, ids)...)
			if ctx.Err() != nil {
				return errors.Join(append(failures, ctx.Err())...)
			}
		}
	}
	return errors.Join(failures...)
}

// busy is how long to wait before an operation is tried again: the process that has received a message has it locked for a
// moment after its client was answered, and a queue runner for as long as a delivery takes.
var busy = [...]time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond}

// insist applies an operation to messages of one queue, a few times to those that another process of Exim's may have: -M tells
// nothing then, other options that the message is locked.
func (q *Queue) insist(ctx context.Context, o operation, queue string, ids []string) []error {
	for try := 0; ; try++ {
		said := q.command(ctx, o, queue, ids)
		var failures []error
		var left []string
		for _, id := range ids {
			if err := o.done(q.Find(id)); err != nil {
				failures = append(failures, &QueueError{id, o.name, errors.Join(q.Rights(), err, said)})
				left = append(left, id)
			}
		}
		if len(left) == 0 || try == len(busy) || said != nil && !strings.Contains(said.Error(), " is locked") || q.Rights() != nil {
			return failures
		}
		select {
		case <-time.After(busy[try]):
		case <-ctx.Done():
			return failures
		}
		ids = left
	}
}

// command calls Exim for the messages of one queue. Its error is only told of messages for which it did not work.
func (q *Queue) command(ctx context.Context, o operation, queue string, ids []string) error {
	to, move := o.move.name(queue)
	if move {
		if _, err := q.Command(ctx, slices.Concat(within(queue), []string{"-MG", to}, ids)...); err != nil {
			return err
		}
	}
	_, err := q.Command(ctx, slices.Concat(within(to), []string{o.option}, ids)...)
	return err
}

// within are the arguments that have a command look into a queue.
func within(queue string) []string {
	if queue == "" {
		return nil
	}
	return []string{"-qG" + queue}
}

// QueueError says which message could not be changed.
type QueueError struct {
	ID  string
	Did string // what was tried: "release"
	Err error
}

func (e *QueueError) Error() string { return fmt.Sprintf("%s %s: %v", e.Did, e.ID, e.Err) }
func (e *QueueError) Unwrap() error { return e.Err }

// tried is released, and that no recipient waits for osm: Exim does nothing while another of its processes has the message.
func tried(m *Queued, err error) error {
	if err == nil && m.Rewritten() {
		return errors.New("its recipients are still held")
	}
	return released(m, err)
}

func released(m *Queued, err error) error {
	switch {
	case err != nil:
		return ignoreGone(err) // delivered meanwhile
	case !m.Frozen.IsZero():
		return errors.New("it is still frozen")
	case m.Queue != "":
		return fmt.Errorf("it is still in the queue %q", m.Queue)
	}
	return nil
}

func frozen(m *Queued, err error) error {
	if err == nil && m.Frozen.IsZero() {
		return errors.New("it is not frozen")
	}
	return err
}

func aside(m *Queued, err error) error {
	if err == nil && m.Queue != HoldQueue {
		return fmt.Errorf("it is still in the queue %q", m.Queue)
	}
	return frozen(m, err)
}

func removed(_ *Queued, err error) error {
	if err == nil {
		return errors.New("it is still there")
	}
	return ignoreGone(err)
}

func ignoreGone(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}
