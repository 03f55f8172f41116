package tail

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"osm"
)

// folder is a folder with a log in it, and a reader of the log that saves its position like the daemon does. Used
// inside a synctest bubble, so that waiting costs no time.
type folder struct {
	*testing.T
	dir  string
	log  string
	opts Options

	f     *Follower
	saved osm.Position
	got   []string // lines
	gaps  []Gap
	at    []int // how many lines there were at each gap
	cut   int
	late  int
	kills []int64 // the last line before each
}

func newFolder(t *testing.T) *folder {
	dir := t.TempDir()
	d := &folder{T: t, dir: dir, log: filepath.Join(dir, "mainlog")}
	d.opts = Options{Paths: []string{d.log}, Now: time.Now}
	t.Cleanup(d.stop)
	return d
}

func (d *folder) path(name string) string { return filepath.Join(d.dir, name) }

func (d *folder) check(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// append writes to a file like Exim does, creating it where it does not exist.
func (d *folder) append(name, text string) {
	d.Helper()
	f, err := os.OpenFile(d.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	d.check(err)
	_, err = f.WriteString(text)
	d.check(err)
	d.check(f.Close())
}

func (d *folder) rename(from, to string) {
	d.Helper()
	d.check(os.Rename(d.path(from), d.path(to)))
}

func (d *folder) remove(name string) {
	d.Helper()
	d.check(os.Remove(d.path(name)))
}

// gzip compresses a file as logrotate does: the time of the last write is kept, the original removed.
func (d *folder) gzip(name string) {
	d.Helper()
	info, err := os.Stat(d.path(name))
	d.check(err)
	text, err := os.ReadFile(d.path(name))
	d.check(err)
	d.check(os.WriteFile(d.path(name+".gz"), gzipped(text), 0o640))
	d.check(os.Chtimes(d.path(name+".gz"), info.ModTime(), info.ModTime()))
	d.remove(name)
}

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// copytruncate does what logrotate's directive of that name does; between is done where its gap is.
func (d *folder) copytruncate(to string, between func()) {
	d.Helper()
	d.passTime()
	text, err := os.ReadFile(d.log)
	d.check(err)
	d.check(os.WriteFile(d.path(to), text, 0o640))
	between()
	d.check(os.Truncate(d.log, 0))
}

// passTime waits until a new file is younger than the log: file systems know time by a tick of a few milliseconds.
func (d *folder) passTime() {
	d.Helper()
	for born(unix.AT_FDCWD, d.path("tick")) <= born(unix.AT_FDCWD, d.log) {
		if born(unix.AT_FDCWD, d.log) == 0 {
			d.Skip("this file system does not tell when a file was created")
		}
		d.check(os.RemoveAll(d.path("tick")))
		d.append("tick", "")
	}
	d.remove("tick")
}

// running starts the follower where it is not.
func (d *folder) running() *Follower {
	if d.f == nil {
		d.start()
	}
	return d.f
}

func (d *folder) start() {
	d.Helper()
	d.opts.Positions = nil
	if d.saved.Path != "" {
		d.opts.Positions = []osm.Position{d.saved}
	}
	var err error
	d.f, err = Follow(d.opts)
	d.check(err)
}

func (d *folder) stop() {
	if d.f != nil {
		d.check(d.f.Close())
		d.f = nil
	}
}

func (d *folder) restart() {
	d.Helper()
	d.stop()
	d.start()
}

// next takes one batch and saves its position.
func (d *folder) next() Batch {
	d.Helper()
	b, err := d.running().Next(context.Background())
	d.check(err)
	d.take(b)
	return b
}

func (d *folder) take(b Batch) {
	if b.Idle {
		return
	}
	d.saved = b.Position
	if b.Gap != nil {
		d.gaps = append(d.gaps, *b.Gap)
		d.at = append(d.at, len(d.got))
	}
	for line := range b.Lines() {
		d.got = append(d.got, strings.Clone(line))
	}
	d.cut += b.Cut
	if b.Late {
		d.late++
	}
}

// drain reads until nothing more comes for half a minute, which includes all that the follower waits for.
func (d *folder) drain() {
	d.Helper()
	for idle := 0; idle < 30; {
		if idle++; !d.next().Idle {
			idle = 0
		}
	}
}

// want drains and compares all lines read so far.
func (d *folder) want(lines ...string) {
	d.Helper()
	d.drain()
	d.read(lines...)
}

// read compares the lines read so far.
func (d *folder) read(lines ...string) {
	d.Helper()
	if !slices.Equal(d.got, lines) {
		d.Fatalf("read %q\nwant %q", d.got, lines)
	}
}

func (d *folder) wantGaps(n int) {
	d.Helper()
	if len(d.gaps) != n {
		d.Fatalf("%d gaps are reported, want %d: %+v", len(d.gaps), n, d.gaps)
	}
}

func (d *folder) status() Status { return d.f.Status()[0] }

func (d *folder) wantState(s State, words string) {
	d.Helper()
	d.drain()
	got := d.status()
	if got.State != s || !strings.Contains(got.Error, words) || words == "" && got.Error != "" {
		d.Fatalf("state is %v (%q), want %v (%q)", got.State, got.Error, s, words)
	}
}
