package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// ReadOptions are how Read reads. The zero value works.
type ReadOptions struct {
	Size    int       // bytes of a chunk; 0 means 1 MB
	Ahead   int       // chunks read ahead of each file that is being read; 0 means twice the processors
	MaxLine int       // bytes; longer lines are cut; 0 means 1 MB
	Here    bool      // plain files are read by whoever asks for a chunk: cheaper where several goroutines take turns in it
	Stdin   io.Reader // what "-" reads; nil means that "-" is an error
	// Time gives a line's time, ok false for a line that bears none: it then goes with the line before. With it, logs
	// that overlap in time (of two servers) are merged by time; without it they are read one after the other. It is
	// called by Read and by the goroutine that ranges over Chunks.
	Time   func(line string) (unixNano int64, ok bool)
	Logger *slog.Logger // nil discards
}

// Chunk is a piece of a log: whole lines, of which only a file's last may lack its newline.
type Chunk struct {
	Text     string
	File     string // as given to Read; "" when lines of several files were merged into it
	Offset   int64  // of Text in File (decompressed); 0 when merged
	Seq      int    // counts from 0 in the order of the chunks
	Cut      int    // lines that were cut because they are longer than MaxLine
	CutBytes int64  // how much was cut off

	buf  []byte
	free chan []byte
}

// Lines gives each line without its newline. It allocates nothing.
func (c Chunk) Lines() iter.Seq[string] { return Lines(c.Text) }

// Release gives the chunk's memory back for a later one, once and from any goroutine. It is optional, and worth it for
// whoever keeps nothing: after it no part of Text may be used.
func (c Chunk) Release() {
	if c.buf == nil {
		return
	}
	select {
	case c.free <- c.buf:
	default:
	}
}

// Reader reads a list of logs once.
type Reader struct {
	ReadOptions
	logs    []*sequence
	free    chan []byte
	done    atomic.Int64
	total   int64
	running sync.WaitGroup
}

// Read looks at the files (plain, gzip, zstd or bzip2, told by their first bytes; "-" is Stdin) and puts them in order:
// the files of one rotation (mainlog.2.gz, mainlog.1, mainlog) one after the other whatever the order of paths,
// different logs merged by time if o.Time is given, else in the order of paths. A file that is named twice is read
// once. It fails when a file can't be opened or is packed with xz.
func Read(paths []string, o ReadOptions) (*Reader, error) {
	if o.Size == 0 {
		o.Size = 1 << 20
	}
	if o.MaxLine == 0 {
		o.MaxLine = 1 << 20
	}
	if o.Ahead == 0 {
		o.Ahead = 2 * runtime.GOMAXPROCS(0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Size < 0 || o.MaxLine < headSize || o.Ahead < 0 {
		return nil, fmt.Errorf("read logs: size %d, longest line %d (at least %d), chunks ahead %d: out of range",
			o.Size, o.MaxLine, headSize, o.Ahead)
	}
	r := &Reader{ReadOptions: o, free: make(chan []byte, 2*o.Ahead+2)}
	if err := r.arrange(paths); err != nil {
		return nil, err
	}
	return r, nil
}

// Chunks gives the logs' chunks, once. A file that turns out damaged gives an error, after the whole lines that could
// be read of it, and the next one goes on; when ctx is done its error comes last. Reading and decompressing happen on
// goroutines of their own, which have ended when the loop has, but for a read of Stdin that blocks.
func (r *Reader) Chunks(ctx context.Context) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		defer r.running.Wait()
		defer cancel()
		defer r.close()
		m := merger{Reader: r, yield: yield}
		if m.run(inner) && ctx.Err() != nil {
			yield(Chunk{}, ctx.Err())
		}
	}
}

// close gives up what has not been read to its end.
func (r *Reader) close() {
	for _, log := range r.logs {
		for _, s := range log.streams {
			s.close()
		}
	}
}

// Progress tells how many bytes of the files (as they are on disk) have been read, and of how many; total is 0 when
// it is not known (stdin). Any goroutine may call it.
func (r *Reader) Progress() (done, total int64) { return r.done.Load(), r.total }

// memory gives memory for a chunk, used before if possible.
func (r *Reader) memory(n int) []byte {
	if n <= r.Size {
		select {
		case b := <-r.free:
			return b[:n]
		default:
		}
	}
	return make([]byte, n, max(n, r.Size))
}

// item is a chunk or the error that a file ended with.
type item struct {
	chunk Chunk
	err   error
}

// stream is a file that is being read: by a goroutine of its own, or by whoever asks.
type stream struct {
	items <-chan item
	here  *text
}

// stream begins to read a file.
func (r *Reader) stream(ctx context.Context, name string) stream {
	var t *text
	if r.Here && isRegular(name) { // to open a pipe would wait for its writer
		if t = r.open(name); !t.packed {
			return stream{here: t}
		}
	}
	out := make(chan item, r.Ahead)
	work := func() {
		defer close(out)
		if t == nil {
			t = r.open(name)
		}
		defer t.close()
		for i, ok := t.next(); ok; i, ok = t.next() {
			select {
			case out <- i:
			case <-ctx.Done():
				return
			}
		}
	}
	if name == "-" {
		go work() // not waited for: nothing can stop a read of a terminal
	} else {
		r.running.Go(work)
	}
	return stream{items: out}
}

func isRegular(name string) bool {
	info, err := os.Stat(name)
	return name != "-" && err == nil && info.Mode().IsRegular()
}

// next is the stream's next chunk, or the error that it ends with; ok is false when it has ended or ctx is done.
func (s *stream) next(ctx context.Context) (i item, ok bool) {
	if s.here != nil {
		return s.here.next()
	}
	select {
	case i, ok = <-s.items:
		return i, ok
	case <-ctx.Done():
		return item{}, false
	}
}

// close gives up a file that is read by whoever asks. One with a goroutine ends with its context.
func (s *stream) close() {
	if s.here != nil {
		s.here.close()
	}
}

// text is a file's chunks, one after the other.
type text struct {
	*Reader
	name   string
	file   io.Closer // nil for Stdin
	plain  io.Reader
	packed bool
	split  splitter
	offset int64
	failed error // what it ends with
	ended  bool
}

// open never fails: what is wrong is told by next.
func (r *Reader) open(name string) *text {
	t := &text{Reader: r, name: name, split: newSplitter(r.Size, r.MaxLine, r.memory)}
	in := r.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			t.failed = fmt.Errorf("read log %s: %w", name, errors.Unwrap(err))
			return t
		}
		in, t.file = file, file
	}
	t.plain, t.packed = unpack(&counted{in, &r.done})
	return t
}

// next is the next chunk, or the error that the file ends with.
func (t *text) next() (i item, ok bool) {
	for !t.ended && t.failed == nil {
		p, err := t.split.next(t.plain, 1<<62)
		if err == io.EOF {
			p, t.ended = t.split.last(), true
		} else if err != nil {
			t.failed = fmt.Errorf("read log %s: %w", t.name, err)
		}
		if p.size > 0 {
			c := Chunk{Text: p.text, File: t.name, Offset: t.offset, Cut: p.cut, CutBytes: p.cutBytes, buf: p.buf, free: t.free}
			t.offset += p.size
			return item{chunk: c}, true
		}
	}
	err := t.failed
	t.failed, t.ended = nil, true
	return item{err: err}, err != nil
}

func (t *text) close() {
	if t.plain != nil {
		closeStream(t.plain)
	}
	if t.file != nil {
		t.file.Close() // it was only read
	}
}

// counted counts what is read for Progress.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
