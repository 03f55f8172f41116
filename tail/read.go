package tail

import (
	"context"
	"io"
	"iter"
	"log/slog"
)

// ReadOptions are how Read reads. The zero value works.
type ReadOptions struct {
	Size    int       // bytes of a chunk; 0 means 1 MB
	Ahead   int       // chunks read ahead; 0 means twice the processors
	MaxLine int       // longer lines are cut; 0 means 1 MB
	Stdin   io.Reader // what "-" reads
	// Time gives a line's time, ok false for a line that bears none: it then goes with the line before. With it, logs
	// that overlap in time (of two servers) are merged by time; without it they are read one after the other. It is
	// called from one goroutine.
	Time   func(line string) (unixNano int64, ok bool)
	Logger *slog.Logger // nil discards
}

// Chunk is a piece of a log: whole lines, of which only a file's last may lack its newline.
type Chunk struct {
	Text     string
	File     string // as given to Read; "" when lines of several files were merged into it
	Offset   int64  // of Text in File (decompressed); 0 when merged
	Seq      int    // counts from 0 in the order of the chunks
	Cut      int    // lines that were cut
	CutBytes int64
}

// Lines gives each line without its newline. It allocates nothing.
func (c Chunk) Lines() iter.Seq[string] { return Lines(c.Text) }

// Release gives the chunk's memory back for the next one. It is optional; after it no part of Text may be used.
func (c Chunk) Release() { panic("not written yet") }

// Reader reads a list of logs once.
type Reader struct {
}

// Read looks at the files (plain, gzip, zstd or bzip2, told by their first bytes; "-" is Stdin) and puts them in order:
// the files of one rotation (mainlog.2.gz, mainlog.1, mainlog) one after the other whatever the order of paths, different
// logs merged by time if o.Time is given, else in the order of paths. It fails when one can't be opened.
func Read(paths []string, o ReadOptions) (*Reader, error) { panic("not written yet") }

// Chunks gives the logs' chunks, once. A file that turns out damaged gives an error, after what could be read of it, and the
// next one goes on; after an error of ctx nothing follows. Reading and decompressing happen on goroutines of their own,
// at most Ahead chunks ahead, which end with the loop.
func (r *Reader) Chunks(ctx context.Context) iter.Seq2[Chunk, error] { panic("not written yet") }

// Progress tells how many bytes of the files (as they are on disk) have been read, and of how many; total is 0 when
// it is not known (stdin). Any goroutine may call it.
func (r *Reader) Progress() (done, total int64) { panic("not written yet") }
