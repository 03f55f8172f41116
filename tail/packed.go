package tail

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is a way in which rotated logs are compressed.
type packing struct {
	suffix string // that logrotate and the panels give such files
	magic  string // a file's first bytes: they decide, not its name
	open   func(io.Reader) (io.Reader, error)
}

func packings() []packing {
	return []packing{
		{".gz", "\x1f\x8b", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{".zst", "\x28\xb5\x2f\xfd", openZstd},
		{".bz2", "BZh", func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
		{".xz", "\xfd7zXZ\x00", openXZ},
	}
}

// errXZ is a matter of choice: logs are rarely packed so, and the decompressor is large.
var errXZ = errors.New("xz is not read here: unpack it, as in xz -dc FILE | osm replay -")

func openXZ(io.Reader) (io.Reader, error) { return nil, errXZ }

func openZstd(r io.Reader) (io.Reader, error) {
	// One goroutine's worth of decoding and a window of at most 128 MB, whatever the file claims.
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// packingOf tells how something that begins with start is compressed, nil for plain text.
func packingOf(start []byte) *packing {
	for _, p := range packings() {
		if bytes.HasPrefix(start, []byte(p.magic)) {
			return &p
		}
	}
	return nil
}

// unpack gives what r holds, decompressed if it is compressed. Opening never fails: what is wrong with the start of a
// file is told by reading, like what is wrong with the rest of it.
func unpack(r io.Reader) (plain io.Reader, packed bool) {
	b := bufio.NewReaderSize(r, 64<<10)
	start, _ := b.Peek(6)
	p := packingOf(start)
	if p == nil {
		return b, false
	}
	plain, err := p.open(b)
	if err != nil {
		return failing{err}, true
	}
	return plain, true
}

// failing is a stream that can't be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// closeStream ends a decompressor's goroutines, where it has any.
func closeStream(r io.Reader) {
	if c, ok := r.(io.Closer); ok {
		c.Close()
	}
}
