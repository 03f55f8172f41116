package tail

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"osm"
)

// findLogrotate also looks where a plain user's PATH does not.
func findLogrotate(t *testing.T) string {
	for _, name := range []string{"logrotate", "/usr/sbin/logrotate"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("logrotate is not installed")
	return ""
}

// TestLogrotate lets the real logrotate rotate a log again and again while it is written to, and reads it with a
// follower that is killed at random, to go on from its last saved position. Each line must be read exactly once; where
// logrotate copies and truncates, what is missing must be where a gap is reported.
func TestLogrotate(t *testing.T) {
	program := findLogrotate(t)
	for _, mode := range []struct {
		name, directives string
		rotations        int
		gaps             bool // the mode loses lines
	}{
		{"create", "create", 15, false},
		{"nocreate", "nocreate", 10, false},
		{"delaycompress", "create\ncompress\ndelaycompress", 15, false},
		{"compress", "create\ncompress", 15, false},
		{"zstd", "create\ncompress\ndelaycompress\ncompresscmd /usr/bin/zstd\ncompressext .zst", 6, false},
		{"dateext", "create\ndateext\ndateformat -%Y%m%d-%s\ncompress\ndelaycompress", 3, false},
		{"olddir", "create\nolddir old\ncompress\ndelaycompress", 6, false},
		{"copytruncate", "copytruncate", 15, true},
		{"copytruncate-compress", "copytruncate\ncompress", 15, true},
		{"copytruncate-delaycompress", "copytruncate\ncompress\ndelaycompress", 15, true},
	} {
		t.Run(mode.name, func(t *testing.T) {
			if strings.Contains(mode.directives, "zstd") {
				if _, err := os.Stat("/usr/bin/zstd"); err != nil {
					t.Skip("zstd is not installed")
				}
			}
			d := newFolder(t)
			d.check(os.Mkdir(d.path("old"), 0o755))
			d.opts.Config = Config{Poll: osm.Duration(time.Millisecond), OldDirs: []string{"old"}}
			d.opts.Idle, d.opts.Linger = 20*time.Millisecond, 50*time.Millisecond
			d.append("mainlog", "")
			d.next() // a position: without one, what is rotated away before the start is not read
			// Where logrotate creates the log, Exim may come before it; logrotate then puts Exim's file aside under a
			// name that the next such file takes from it. That is its own loss and not tried here.
			w := &eximLike{log: d.log, progress: make(chan bool)}
			if strings.HasPrefix(mode.directives, "nocreate") {
				w.flags = os.O_CREATE
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.write()
			}()
			go func() {
				rotate(t, program, d, w, mode.directives, mode.rotations)
				w.stop.Store(true)
			}()
			readKilled(d, w, done)
			if mode.gaps {
				checkGaps(d, w)
			} else {
				checkLines(d, w, mode.name == "compress")
			}
			t.Logf("%d lines, %d gaps, %d late batches, %d written late", w.lines.Load(), len(d.gaps), d.late, len(w.late))
		})
	}
}

// eximLike writes numbered lines as Exim does: before each it looks whether the log is still the file it has open.
type eximLike struct {
	log   string
	flags int // for opening the log
	lines atomic.Int64
	stop  atomic.Bool
	err   error
	late  map[int64]bool // lines that may have gone into a file after it was renamed

	progress chan bool // sent to between lines, where somebody receives; closed at the end
}

func (w *eximLike) write() {
	defer close(w.progress)
	w.late = map[int64]bool{}
	var f *os.File
	var open os.FileInfo
	for n := int64(1); !w.stop.Load() || w.late[n-1]; n++ { // the last line must not be one that may be lost
		if now, err := os.Stat(w.log); f == nil || err != nil || !os.SameFile(open, now) {
			f.Close() // of nil this is an error and nothing else
			if f, w.err = os.OpenFile(w.log, os.O_APPEND|os.O_WRONLY|w.flags, 0o640); os.IsNotExist(w.err) {
				n--
				continue
			} else if w.err != nil {
				return
			}
			if open, w.err = f.Stat(); w.err != nil {
				return
			}
		}
		if _, w.err = fmt.Fprintf(f, "%d a line like others\n", n); w.err != nil {
			return
		}
		if now, err := os.Stat(w.log); err != nil || !os.SameFile(open, now) {
			w.late[n] = true
		}
		w.lines.Store(n)
		if n%100 == 0 {
			select {
			case w.progress <- true:
			default:
			}
		}
	}
	w.err = f.Close()
}

// rotate runs logrotate until it has rotated so often, each time after some more lines.
func rotate(t *testing.T, program string, d *folder, w *eximLike, directives string, times int) {
	config := filepath.Join(t.TempDir(), "logrotate.conf")
	text := fmt.Sprintf("%s {\nrotate 100\n%s\n}\n", d.log, directives)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Error(err)
		return
	}
	for done := 0; done < times; {
		// As long as the writer does not get on, it may still have an old file open, and that must not be compressed.
		<-w.progress
		if <-w.progress {
			out, err := exec.Command(program, "-f", "-s", config+".state", config).CombinedOutput()
			if err == nil {
				done++
			} else if !strings.Contains(string(out), "already exists") { // two in one second
				t.Errorf("%v: %s", err, out)
				return
			}
		} else {
			return
		}
	}
}

// readKilled reads until the last line has come, and restarts from the position saved last at random moments.
func readKilled(d *folder, w *eximLike, done <-chan struct{}) {
	d.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kept, lines, gaps := d.saved, len(d.got), 0
	for {
		b, err := d.running().Next(ctx)
		if err != nil {
			d.Fatalf("after %d of %d lines, last %d: %v; %+v", len(d.got), w.lines.Load(), d.lastNumber(), err, d.status())
		}
		d.take(b)
		if b.Idle {
			select {
			case <-done:
				d.check(w.err)
				if d.lastNumber() == w.lines.Load() {
					d.Logf("killed %d times", len(d.kills))
					return
				}
			default:
			}
		}
		switch rand.IntN(10) {
		case 0, 1:
			kept, lines, gaps = d.saved, len(d.got), len(d.gaps)
		case 2:
			d.kills = append(d.kills, d.lastNumber())
			d.stop()
			d.saved, d.got, d.gaps, d.at = kept, d.got[:lines], d.gaps[:gaps], d.at[:gaps]
		}
	}
}

func (d *folder) lastNumber() int64 {
	if len(d.got) == 0 {
		return 0
	}
	return number(d.got[len(d.got)-1])
}

func number(line string) int64 {
	digits, _, _ := strings.Cut(line, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || line != fmt.Sprintf("%d a line like others", n) {
		return -1
	}
	return n
}

// checkLines wants each line once. Where rotated files are compressed at once, what was written late may be lost.
func checkLines(d *folder, w *eximLike, lossy bool) {
	d.Helper()
	seen := make([]int, w.lines.Load()+1)
	for _, line := range d.got {
		n := number(line)
		if n < 1 {
			d.Fatalf("read %q, which was never written", line)
		}
		seen[n]++
	}
	wrong := 0
	for n, times := range seen[1:] {
		if times == 1 || times == 0 && lossy && w.late[int64(n+1)] {
			continue
		}
		if wrong++; wrong == 1 {
			d.Errorf("line %d of %d was read %d times; gaps %+v; killed after lines %v", n+1, len(seen)-1, times, d.gaps, d.kills)
		}
	}
	if wrong > 0 {
		d.Errorf("%d lines are wrong", wrong)
	}
}

// checkGaps wants the lines in order, none twice, and missing ones only where a gap is reported.
func checkGaps(d *folder, w *eximLike) {
	d.Helper()
	before, lost := int64(0), int64(0)
	for i, line := range d.got {
		n := number(line)
		if n <= before {
			d.Fatalf("read %q after line %d", line, before)
		}
		if n != before+1 {
			lost += n - before - 1
			if !slices.Contains(d.at, i) {
				d.Fatalf("lines %d to %d are missing and no gap is reported: gaps %+v at %v", before+1, n-1, d.gaps, d.at)
			}
		}
		before = n
	}
	if len(d.gaps) == 0 {
		d.Fatal("no gap is reported")
	}
	d.Logf("%d of %d lines were lost by logrotate", lost, w.lines.Load())
}
