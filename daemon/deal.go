package daemon

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"strings"
	"sync"

	"osm/exim"
	"osm/tail"
)

// pieceSize is small enough for a piece, and what was read of it, to stay in a processor's cache until the engine needs it.
const pieceSize = 256 << 10

// piece is a chunk of log and what was read of it.
type piece struct {
	chunk   tail.Chunk
	ready   chan struct{} // closed when it was read
	glance  exim.Glance
	batches []Batch // one for each engine
}

// run takes a log through the engines. One goroutine has the engines: with each turn of another, all that they know would go from
// one processor's cache to the other's. The others read ahead, and so does that one when it would have to wait.
func (r *replayed) run(ctx context.Context, reader *tail.Reader, o ReplayOptions) (damaged error) {
	d := newDealer(ctx, reader, len(r.engines()))
	var reading sync.WaitGroup
	for range runtime.GOMAXPROCS(0) - 1 {
		reading.Go(func() {
			w := newPieceReader(r, o)
			for p := range d.free {
				if !d.deal(p) {
					return
				}
				w.read(p)
			}
		})
	}
	w := newPieceReader(r, o)
	for p := d.first(w.read); p != nil; p = d.first(w.read) {
		r.process(p)
		if o.Progress != nil {
			o.Progress(reader.Progress())
		}
		p.chunk.Release()
		d.free <- p
	}
	close(d.free)
	reading.Wait()
	return d.stop()
}

// dealer hands out every chunk, in order, to be read, and gives them in that order when they were.
type dealer struct {
	free  chan *piece // to be filled
	dealt chan *piece // to be taken through the engines, in the order of the log
	head  *piece      // the first of these

	mutex   sync.Mutex
	next    func() (tail.Chunk, error, bool)
	end     func()
	syslog  joining
	damaged error
}

func newDealer(ctx context.Context, reader *tail.Reader, engines int) *dealer {
	n := 2*runtime.GOMAXPROCS(0) + 1
	d := &dealer{free: make(chan *piece, n), dealt: make(chan *piece, n)}
	for range n {
		d.free <- &piece{batches: make([]Batch, engines)}
	}
	d.next, d.end = iter.Pull2(reader.Chunks(ctx))
	return d
}

// stop ends the reading, and tells which files were damaged.
func (d *dealer) stop() error {
	d.end()
	return d.damaged
}

// deal fills p with the next chunk; false when there is none.
func (d *dealer) deal(p *piece) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for {
		chunk, err, ok := d.next()
		switch {
		case !ok:
			return false
		case err != nil:
			d.damaged = errors.Join(d.damaged, err)
			continue
		case d.syslog.is(chunk.Text):
			chunk.Text = d.syslog.join(chunk)
		}
		p.chunk, p.ready = chunk, make(chan struct{})
		d.dealt <- p // there is room for all
		return true
	}
}

// first is the piece that is next in the order of the log, nil at the end. While that one is not read, read gets others.
func (d *dealer) first(read func(*piece)) *piece {
	for {
		if d.head == nil {
			select {
			case d.head = <-d.dealt:
			default:
			}
		}
		if d.head != nil && d.head.isRead() {
			break
		}
		if d.help(read) {
			continue
		}
		if d.head != nil {
			<-d.head.ready
			break
		}
		if len(d.dealt) == 0 {
			return nil
		}
	}
	p := d.head
	d.head = nil
	return p
}

// help reads one more piece; false when none is free or there are no more chunks.
func (d *dealer) help(read func(*piece)) bool {
	select {
	case p := <-d.free:
		if d.deal(p) {
			read(p)
			return true
		}
		d.free <- p
	default:
	}
	return false
}

func (p *piece) isRead() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// pieceReader reads pieces, and finds out what needs no knowledge of others.
type pieceReader struct {
	engines []*Engine
	parser  *exim.Parser
	entry   exim.Entry
}

func newPieceReader(r *replayed, o ReplayOptions) *pieceReader {
	w := &pieceReader{engines: r.engines(), parser: exim.NewParser(o.Zone)}
	w.parser.Keep, w.parser.Skim = true, true
	return w
}

func (w *pieceReader) read(p *piece) {
	runtime.Gosched() // the garbage collector may have waited for its turn: while it marks, every pointer written costs more
	p.glance = exim.Glance{}
	for i := range p.batches {
		p.batches[i].Reset()
	}
	for line := range p.chunk.Lines() {
		w.parser.Parse(line, &w.entry)
		p.glance.Add(&w.entry)
		for i := range p.batches {
			p.batches[i].Read(&w.entry)
		}
	}
	for i, e := range w.engines {
		e.Look(&p.batches[i])
	}
	close(p.ready)
}

// joining puts the records together that syslog cut. Exim's own files have none and are passed by.
type joining struct {
	joiner exim.Joiner
	text   strings.Builder
}

// is tells whether a chunk's first line is none of Exim's own.
func (j *joining) is(text string) bool {
	return len(text) > 10 && text[10] != ' ' || j.joiner.Holding()
}

func (j *joining) join(chunk tail.Chunk) string {
	j.text.Reset()
	for line := range chunk.Lines() {
		if whole, ok := j.joiner.Join(line); ok {
			j.text.WriteString(whole)
			j.text.WriteByte('\n')
		}
	}
	return j.text.String()
}
