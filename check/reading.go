package check

import (
	"context"
	"io"
	"runtime"
	"slices"
	"time"

	"osm"
)

// reading is what one message's content tells by itself. It is read once for all checks, beside what they ask others; nil is
// that of no content.
type reading struct {
	done    chan struct{}   // closed when the rest is there
	over    <-chan struct{} // closed when nobody waits any longer
	content content
	err     error
}

// newPlaces makes room for readings: half of the processors, so that verdicts and the log have theirs whatever is sent.
func newPlaces() chan struct{} { return make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)) }

// read begins to read a content. The deadline of [check.content] and ctx end it, and the wait for a place.
func (c *Checks) read(ctx context.Context, text []byte) *reading {
	within, cancel := context.WithTimeout(ctx, time.Duration(c.cfg.Content.Deadline))
	r := &reading{done: make(chan struct{}), over: within.Done()}
	go func() {
		defer cancel()
		defer close(r.done)
		select {
		case c.places <- struct{}{}:
			defer func() { <-c.places }()
			r.content = readContent(text[:min(len(text), int(c.cfg.Content.Limit))], r.over)
		case <-r.over:
		}
		if within.Err() != nil {
			r.err = errLate
		}
	}()
	return r
}

// wait is for the whole content, or an error when it is not read in time. Without a content it is empty.
func (r *reading) wait(ctx context.Context) (content, error) {
	if r == nil {
		return content{}, nil
	}
	select {
	case <-r.done:
		return r.content, r.err
	case <-ctx.Done():
	case <-r.over:
	}
	select {
	case <-r.done: // over ends with it
		return r.content, r.err
	default:
		return content{}, errLate
	}
}

// tell writes what was read into o.
func (r *reading) tell(ctx context.Context, o *osm.Opinions) {
	if r == nil {
		return
	}
	read, err := r.wait(ctx)
	if err != nil {
		if !slices.Contains(o.Failed, contentName) {
			o.Failed = append(o.Failed, contentName)
		}
		return
	}
	o.Links, o.LinkCount, o.Attachments, o.Extensions = read.links, read.linkCount, read.attachments, read.extensions
	o.Encrypted = read.encrypted
}

// stoppable is a content that ends when nobody waits for it any longer.
type stoppable struct {
	io.Reader
	over <-chan struct{}
}

func (s stoppable) Read(b []byte) (int, error) {
	if isOver(s.over) {
		return 0, errLate
	}
	return s.Reader.Read(b)
}

func isOver(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}
