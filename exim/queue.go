package exim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// HoldQueue is the named queue that osm's ACLs put messages into where that can be. No queue runner looks into it.
const HoldQueue = "osmhold"

// Queue is Exim's spool, and the program that changes it. Reading needs the right to read the spool (Exim's group);
// changing needs an admin user of Exim's (specification 5.2, "Trusted and admin users": the same group).
type Queue struct {
	Spool string   // spool_directory, as Installation.Spool tells it
	Names []string // named queues to look into besides the default one; nil is HoldQueue

	// Command runs Exim with arguments and returns what it printed; see Program. Only what changes the queue needs it.
	Command func(ctx context.Context, args ...string) (string, error)
}

// Program is a Queue's Command that runs the Exim at binary.
func Program(binary string) func(ctx context.Context, args ...string) (string, error) {
	return func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("run %s %s: %w: %s", binary, strings.Join(args, " "), err, bytes.TrimSpace(out))
		}
		return string(out), err
	}
}

// Place is where a message waits.
type Place struct {
	ID    string
	Queue string // named queue; "" is the default one
	dir   string // its folder below the spool, with split_spool_directory one of a single character
}

// ErrGone says that a message is not where it was: delivered, removed or moved. It wraps fs.ErrNotExist.
var ErrGone = fmt.Errorf("the message is no longer in the queue: %w", fs.ErrNotExist)

// chunk is how many names are read from a folder at a time: memory stays small whatever waits.
const chunk = 1024

// Places walks over every message that waits, in no order, reading only the names of files: a million take seconds.
// Messages that come, go or move meanwhile may be missed or told twice. After an error (a folder that can't be read) it goes on with the
// next folder; a queue that does not exist is empty.
func (q *Queue) Places(ctx context.Context) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		for _, name := range q.names() {
			if !q.walk(ctx, name, filepath.Join(name, "input"), yield) {
				return
			}
		}
	}
}

func (q *Queue) names() []string {
	if q.Names == nil {
		return []string{"", HoldQueue}
	}
	return append([]string{""}, q.Names...)
}

// walk looks through one folder, and below input through those of a single character (specification 14,
// split_spool_directory). It reports false when the consumer has had enough.
func (q *Queue) walk(ctx context.Context, queue, dir string, yield func(Place, error) bool) bool {
	folder, err := os.Open(filepath.Join(q.Spool, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return yield(Place{}, fmt.Errorf("look into the queue: %w", errors.Join(q.Rights(), err)))
	}
	defer folder.Close()
	top := filepath.Base(dir) == "input"
	for {
		if err := ctx.Err(); err != nil {
			yield(Place{}, err)
			return false
		}
		entries, err := folder.ReadDir(chunk)
		for _, e := range entries {
			name := e.Name()
			if top && len(name) == 1 && e.IsDir() {
				if !q.walk(ctx, queue, filepath.Join(dir, name), yield) {
					return false
				}
				continue
			}
			id, isHeader := strings.CutSuffix(name, "-H")
			if isHeader && ValidID(id) && !yield(Place{ID: id, Queue: queue, dir: dir}, nil) {
				return false
			}
		}
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return yield(Place{}, fmt.Errorf("look into the queue: %w", err))
		}
	}
}

// Messages walks over every message that waits and reads what Exim keeps about it. A file that can't be understood is
// an error, and the walk goes on; a message that goes meanwhile is left out.
func (q *Queue) Messages(ctx context.Context) iter.Seq2[*Queued, error] {
	return func(yield func(*Queued, error) bool) {
		for place, err := range q.Places(ctx) {
			var m *Queued
			if err == nil {
				m, err = q.Read(place)
			}
			if errors.Is(err, ErrGone) {
				continue
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// Find looks for a message by its id in every queue. The error wraps ErrGone when it is in none.
func (q *Queue) Find(id string) (*Queued, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("%q is not a message id", id)
	}
	for _, name := range q.names() {
		for _, dir := range []string{filepath.Join(name, "input"), filepath.Join(name, "input", id[secondsN-1:secondsN])} {
			m, err := q.Read(Place{ID: id, Queue: name, dir: dir})
			if !errors.Is(err, ErrGone) {
				return m, err
			}
		}
	}
	return nil, fmt.Errorf("look for %s: %w", id, ErrGone)
}

// largestHeader bounds what is read of one -H file: some 100,000 recipients.
const largestHeader = 16 << 20

// Read reads what Exim keeps about a message.
func (q *Queue) Read(p Place) (*Queued, error) {
	data, err := q.readFile(p, "-H", 0, largestHeader)
	if err != nil {
		return nil, err
	}
	m, err := ParseSpoolHeader(data)
	if err != nil {
		return nil, fmt.Errorf("read the spool file of %s: %w", p.ID, err)
	}
	if m.ID != p.ID {
		return nil, fmt.Errorf("read the spool file of %s: it is of %q", p.ID, m.ID)
	}
	m.Place = p
	return m, nil
}

// Size is the length of a message's body in bytes, as it is in the spool.
func (q *Queue) Size(p Place) (int64, error) {
	info, err := os.Stat(q.path(p, "-D"))
	if err != nil {
		return 0, gone(p, err)
	}
	return max(info.Size()-bodyStart(p), 0), nil
}

// Body is the beginning of a message's body, at most limit bytes, with line ends as in the spool (LF).
func (q *Queue) Body(p Place, limit int) ([]byte, error) {
	return q.readFile(p, "-D", bodyStart(p), int64(limit))
}

// bodyStart is where the body begins in a -D file: after a line with the file's name.
func bodyStart(p Place) int64 { return int64(len(p.ID) + len("-D\n")) }

func (q *Queue) path(p Place, suffix string) string {
	return filepath.Join(q.Spool, p.dir, p.ID+suffix)
}

func (q *Queue) readFile(p Place, suffix string, start, limit int64) ([]byte, error) {
	if !ValidID(p.ID) {
		return nil, fmt.Errorf("%q is not a message id", p.ID)
	}
	f, err := os.Open(q.path(p, suffix))
	if err != nil {
		return nil, gone(p, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, start, limit))
	if err != nil {
		return nil, fmt.Errorf("read the spool file of %s: %w", p.ID, err)
	}
	return data, nil
}

func gone(p Place, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", p.ID, ErrGone)
	}
	return fmt.Errorf("read the spool file of %s: %w", p.ID, err)
}
