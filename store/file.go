package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// How long a statement waits for another connection's lock before it fails with ErrLocked, in milliseconds.
const busyTimeout = "busy_timeout(5000)"

// writerURL names the file for the writing connection. The tables grow at their ends only, so that 16 MB of cache hold
// what is being written; WAL with synchronous=NORMAL may lose the last transactions at a power failure, whole ones and
// with their log positions: their lines are read again.
func writerURL(path string) string {
	return fileURL(path, url.Values{"_pragma": {busyTimeout, "auto_vacuum(incremental)", "journal_mode(wal)",
		"synchronous(normal)", "cache_size(-16000)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)"}})
}

// readerURL names it for readers, who cannot write even by mistake.
func readerURL(path string, more url.Values) string {
	query := url.Values{"mode": {"ro"}, "_pragma": {busyTimeout, "query_only(1)", "cache_size(-8000)"}}
	for k, v := range more {
		query[k] = v
	}
	return fileURL(path, query)
}

func fileURL(path string, query url.Values) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	if !filepath.IsAbs(path) {
		u.Path, u.Opaque = "", url.PathEscape(path)
	}
	return u.String()
}

func newEncoder(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level), zstd.WithWindowSize(blockSize), zstd.WithLowerEncoderMem(true))
}

// takeLock fails with ErrLocked while another process holds it. It is a file of its own: closing any descriptor of the
// database would drop the locks that SQLite holds on it in this process (fcntl(2)).
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: it is another osm", ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// setAside renames a damaged file, with its log, when no connection has it open any more.
func (s *Store) setAside() error {
	to := s.path + ".damaged-" + s.now.UTC().Format("20060102T150405Z")
	for i := 2; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s.damaged-%s-%d", s.path, s.now.UTC().Format("20060102T150405Z"), i)
	}
	if err := os.Rename(s.path, to); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(s.path+suffix, to+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.log.Error("the database was damaged and has been set aside; a new one is begun", "path", s.path, "set_aside", to)
	return nil
}

// lastSetAside is the newest damaged file that is still there, "" when there is none.
func lastSetAside(path string) string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	last := ""
	for _, e := range entries { // by name, and so by time
		name := e.Name()
		if strings.HasPrefix(name, filepath.Base(path)+".damaged-") && !strings.HasSuffix(name, "-wal") &&
			!strings.HasSuffix(name, "-shm") {
			last = filepath.Join(filepath.Dir(path), name)
		}
	}
	return last
}
