package tail

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"osm"
)

// headSize is how much of a file's start the fingerprint covers: several lines, so that two logs never share it.
const headSize = 1024

// batchSize is what a follower reads at once.
const batchSize = 256 << 10

// source is a file that is being followed.
type source struct {
	member
	file   *os.File
	stream io.Reader // of the file, decompressed
	packed bool
	split  splitter
	offset int64  // handed out
	head   []byte // first bytes of what was handed out, at most headSize
	gap    *Gap   // what is missing after this file

	family []member // the log's files when it was chosen to be read from its beginning
}

// openSource opens a member of a log at its beginning. The live log is never taken for a compressed one.
func openSource(m member, maxLine int) (*source, error) {
	// O_NONBLOCK: somebody may have put a named pipe there.
	file, err := os.OpenFile(m.name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("read %s: it is not a regular file", m.name)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	s := &source{member: newMember(m.name, info), file: file, stream: file}
	s.live, s.rank = m.live, m.rank
	s.split = newSplitter(batchSize, maxLine, func(n int) []byte { return make([]byte, n) })
	if !s.live {
		s.stream, s.packed = unpack(file)
		if !s.packed {
			s.stream = file
			_, err = file.Seek(0, io.SeekStart)
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *source) close() {
	closeStream(s.stream)
	s.file.Close()
}

// errChanged tells that a file is no longer what it was a moment ago: a rotation goes on, so look again later.
var errChanged = errors.New("the file changed meanwhile")

// seek goes to a position taken in this file or in a longer one of which it is a copy.
func (s *source) seek(pos osm.Position) error {
	head, err := s.readHead(int(min(pos.Offset, headSize)))
	if err != nil {
		return err
	}
	if len(head) < pos.Hashed || fingerprint(head[:pos.Hashed]) != pos.Fingerprint {
		return errChanged
	}
	s.head, s.offset = head, pos.Offset
	if !s.packed {
		_, err = s.file.Seek(pos.Offset, io.SeekStart)
		return err
	}
	if _, err = io.CopyN(io.Discard, s.stream, pos.Offset-int64(len(head))); err == io.EOF {
		return nil
	}
	return err
}

// readHead reads the file's first n bytes, fewer when it has no more. Of a compressed file that moves the stream.
func (s *source) readHead(n int) ([]byte, error) {
	head := make([]byte, n)
	var err error
	if s.packed {
		n, err = fill(s.stream, head)
	} else {
		n, err = s.file.ReadAt(head, 0)
	}
	if err == io.EOF {
		err = nil
	}
	return head[:n], err
}

// refresh looks at the file's size and time; changed tells whether either is another.
func (s *source) refresh() (changed bool, err error) {
	info, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	now := newMember(s.name, info)
	changed = now.size != s.size || now.modified != s.modified
	s.size, s.modified, s.touched = now.size, now.modified, now.touched
	return changed, nil
}

// unread is how much of a plain file has not been read yet; below zero when it was truncated.
func (s *source) unread() int64 { return s.size - s.offset - s.split.unfinished() }

// read gives the next whole lines; an empty piece when there are none yet. Of a compressed file the error io.EOF
// tells its end.
func (s *source) read() (piece, error) {
	if s.packed {
		return s.split.next(s.stream, 1<<62)
	}
	avail := s.unread()
	if avail <= 0 && !s.split.ready() {
		return piece{}, nil
	}
	p, err := s.split.next(s.stream, max(avail, 0))
	if err == io.EOF {
		err = nil
	}
	return p, err
}

// intact tells whether the start of the file is still what was read: a log that was truncated and has grown past the
// offset since looks like one that has only grown.
func (s *source) intact() bool {
	head, err := s.readHead(len(s.head))
	return err == nil && bytes.Equal(head, s.head)
}

// advance moves past a piece that is handed out.
func (s *source) advance(p piece) {
	if n := headSize - len(s.head); n > 0 && s.offset == int64(len(s.head)) {
		s.head = append(s.head, p.text[:min(n, len(p.text))]...)
	}
	s.offset += p.size
}

// lose notes that something is missing after the source, unless that is known already.
func (s *source) lose(bytes int64, reason string) {
	if s.gap == nil {
		s.gap = &Gap{Reason: reason, Bytes: max(bytes, 0)}
	}
}

// behind is how many bytes on the disk have not been read yet.
func (s *source) behind() int64 {
	if !s.packed {
		return max(s.unread(), 0)
	}
	at, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	return max(s.size-at, 0)
}

// copiedFrom tells whether the rotated source was made by copying the live log and truncating it: then the log was
// there before it. A compressed file is always younger; of it logrotate keeps the time of the last write.
func (s *source) copiedFrom(live member) bool {
	age := born(unix.AT_FDCWD, live.name)
	if age == 0 {
		return false
	}
	if s.packed {
		return age < s.modified
	}
	return age < born(int(s.file.Fd()), "")
}

func (s *source) position(log string) osm.Position {
	return osm.Position{Path: log, Device: s.id.dev, Inode: s.id.ino, Offset: s.offset,
		Fingerprint: fingerprint(s.head), Hashed: len(s.head), Modified: s.modified}
}

func fingerprint(head []byte) uint64 {
	h := fnv.New64a()
	h.Write(head)
	return h.Sum64()
}

// holds tells whether the file of m is the one that pos was taken in, or a copy of it.
func holds(m member, pos osm.Position, maxLine int) bool {
	s, err := openSource(m, maxLine)
	if err != nil {
		return false
	}
	defer s.close()
	head, err := s.readHead(pos.Hashed)
	return err == nil && len(head) == pos.Hashed && fingerprint(head) == pos.Fingerprint
}

// copying tells whether the rotated file m is a copy of the live log, finished or in the making: copytruncate before it
// truncates, or a "copy" that never does. Of a log that was renamed, the next one begins differently.
func copying(m, live member, maxLine int) bool {
	if m.size == 0 || m.size > live.size {
		return false
	}
	a, err := openSource(m, maxLine)
	if err != nil {
		return false
	}
	defer a.close()
	b, err := openSource(live, maxLine)
	if err != nil {
		return false
	}
	defer b.close()
	ours, err := a.readHead(headSize)
	if err != nil {
		return false
	}
	theirs, err := b.readHead(len(ours))
	return err == nil && bytes.Equal(ours, theirs)
}
