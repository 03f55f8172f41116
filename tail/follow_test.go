package tail

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"osm"
)

func bubble(t *testing.T, test func(d *folder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newFolder(t)) })
}

func TestFollowWaitsForWholeLines(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\ntwo\nthr")
		d.want("one", "two")
		d.append("mainlog", "ee")
		d.restart()
		d.want("one", "two")
		d.append("mainlog", "\n\x00four\xff\r\n\n")
		d.want("one", "two", "three", "\x00four\xff\r", "")
		d.wantState(Following, "")
	})
}

func TestFollowRenameAndCreate(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog.1", "two\n") // by who opened it before
		d.want("one", "two")
		d.append("mainlog", "four\n")
		d.append("mainlog.1", "three\n")
		d.want("one", "two", "three", "four")
		d.wantGaps(0)
		if s := d.status(); s.Rotations != 1 || s.File != d.log {
			t.Errorf("after a rotation: %+v", s)
		}
	})
}

func TestFollowHandsOutLateLines(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "two\n")
		d.want("one", "two")
		d.append("mainlog.1", "late\n")
		d.want("one", "two", "late")
		if d.late != 1 || d.status().Late != 5 {
			t.Errorf("%d late batches, status %+v", d.late, d.status())
		}
		d.restart()
		d.append("mainlog", "three\n")
		d.want("one", "two", "late", "three")
	})
}

// As long as the successor has given no whole line, the position is still the former file's.
func TestLateLinesBeforeTheSuccessorHasGivenAny(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "th")
		d.want("one")
		d.append("mainlog.1", "two\n")
		d.want("one", "two")
		d.restart()
		d.append("mainlog", "ree\n")
		d.want("one", "two", "three")
	})
}

// Two files that begin alike are told apart by their inodes.
func TestFilesThatBeginAlike(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "same\n")
		d.want("same")
		d.stop()
		d.append("mainlog", "two\n")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "same\nthree\n")
		d.want("same", "two", "same", "three")
		d.wantGaps(0)
	})
}

func TestFollowSeveralRotationsBetweenTwoLooks(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "1\n")
		d.want("1")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "2\n")
		d.rename("mainlog.1", "mainlog.2")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "3\n")
		d.gzip("mainlog.2")
		d.want("1", "2", "3")
		d.wantGaps(0)
	})
}

func TestCatchUp(t *testing.T) {
	zst, err := os.ReadFile("testdata/two.zst")
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.append("mainlog", "and a half\n")
		d.rename("mainlog", "mainlog.4")
		d.gzip("mainlog.4")
		d.append("mainlog.3.zst", string(zst)) // two\n
		d.append("mainlog.2", "three\ntorn")
		d.append("mainlog.1", "four\n")
		d.append("mainlog", "five\n")
		d.want("one", "and a half", "two", "three", "torn", "four", "five")
		d.wantGaps(0)
		d.restart()
		d.want("one", "and a half", "two", "three", "torn", "four", "five")
	})
}

// Killed after any batch, it goes on with the next line.
func TestCatchUpFromEveryPosition(t *testing.T) {
	for after := range 10 {
		bubble(t, func(d *folder) {
			d.opts.Start = StartOldest
			d.append("mainlog-20261120", "one\n")
			d.append("mainlog-20261121", "")
			d.append("mainlog-20261122", "two\nthree\n")
			d.append("mainlog.processed", "not ours\n")
			d.append("mainlog-old", "not ours\n")
			d.append("mainlog", "four\n")
			d.gzip("mainlog-20261120")
			d.gzip("mainlog-20261121")
			for range after {
				d.next()
			}
			d.stop()
			d.gzip("mainlog-20261122")
			d.want("one", "two", "three", "four")
			d.wantGaps(0)
		})
	}
}

func TestTornLineOfARotatedFileIsHandedOutWhenItIsDone(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\nto")
		d.want("one")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "three\n")
		for range 2 { // two seconds are not long enough
			d.next()
		}
		d.read("one")
		d.append("mainlog.1", "rn")
		d.want("one", "torn", "three")
		d.restart()
		d.want("one", "torn", "three")
		d.wantGaps(0)
	})
}

func TestStart(t *testing.T) {
	for _, test := range []struct {
		start Start
		want  []string
	}{
		{StartLog, []string{"b", "c", "torn", "new"}},
		{StartEnd, []string{"torn", "new"}},
		{StartOldest, []string{"a", "b", "c", "torn", "new"}},
	} {
		bubble(t, func(d *folder) {
			d.opts.Start = test.start
			d.append("mainlog.1", "a\n")
			d.gzip("mainlog.1")
			d.append("mainlog", "b\nc\nto")
			if b := d.next(); b.Text != "" || b.Position.Path != d.log {
				t.Errorf("the first batch is %+v", b)
			}
			d.stop()
			d.append("mainlog", "rn\nnew\n")
			d.rename("mainlog.1.gz", "mainlog.2.gz")
			d.rename("mainlog", "mainlog.1")
			d.gzip("mainlog.1")
			d.want(test.want...)
			d.wantGaps(0)
		})
	}
}

func TestStartWithoutALog(t *testing.T) {
	for _, start := range []Start{StartLog, StartEnd, StartOldest} {
		bubble(t, func(d *folder) {
			d.opts.Start = start
			d.next()
			d.wantState(Missing, d.log+" does not exist")
			d.stop()
			d.append("mainlog", "one\n")
			d.rename("mainlog", "mainlog.1")
			d.gzip("mainlog.1")
			d.append("mainlog", "two\n")
			d.want("one", "two")
			d.wantGaps(0)
			d.wantState(Following, "")
		})
	}
}

func TestStartAtTheEndOfAnEmptyLog(t *testing.T) {
	bubble(t, func(d *folder) {
		d.opts.Start = StartEnd
		d.append("mainlog.1", "old\n")
		d.append("mainlog", "")
		d.wantState(Following, "")
		d.stop()
		d.append("mainlog", "one\n")
		d.want("one")
	})
}

func TestMissingAndUnreadableLogsRecover(t *testing.T) {
	bubble(t, func(d *folder) {
		sub := filepath.Join(d.dir, "log")
		d.opts.Paths[0] = filepath.Join(sub, "mainlog")
		d.wantState(Missing, "the folder "+sub+" does not exist")
		since := d.status().Since
		d.drain()
		if !d.status().Since.Equal(since) || since.IsZero() {
			t.Error("the state is as old as it is, not as the last look")
		}
		d.check(os.Mkdir(sub, 0o755))
		d.wantState(Missing, "mainlog does not exist")
		d.check(os.Mkdir(d.opts.Paths[0], 0o755))
		d.wantState(Unreadable, "it is not a regular file")
		d.remove("log/mainlog")
		d.append("log/mainlog", "one\n")
		d.want("one")
		d.wantState(Following, "")
		d.remove("log/mainlog")
		d.wantState(Missing, "does not exist")
		d.append("log/mainlog", "two\n")
		d.want("one", "two")
		d.wantState(Following, "")
		d.check(os.RemoveAll(sub))
		d.wantState(Missing, "the folder")
	})
}

func TestPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.check(os.Chmod(d.log, 0))
		d.wantState(Unreadable, "permission denied")
		d.check(os.Chmod(d.log, 0o600))
		d.want("one")
		d.wantState(Following, "")
	})
}

func TestLongLinesAreCut(t *testing.T) {
	bubble(t, func(d *folder) {
		d.opts.Config.MaxLine = 4 << 10
		long := strings.Repeat("x", 4<<10)
		d.append("mainlog", "one\n"+long+"\n"+long+" and so on")
		d.want("one", long)
		if d.cut != 0 {
			t.Error("a line of just the length is cut")
		}
		d.append("mainlog", strings.Repeat("y", 10<<10))
		d.want("one", long)
		d.restart() // in the middle of a line: what follows must not become one
		d.append("mainlog", "2026-11-22 10:00:00 forged")
		d.want("one", long)
		d.append("mainlog", "\ntwo\n")
		d.want("one", long, long, "two")
		if s := d.status(); d.cut != 1 || s.Cut != 1 || s.CutBytes != 10+10<<10+26 {
			t.Errorf("%d lines cut, status %+v", d.cut, s)
		}
		d.restart()
		d.append("mainlog", "three\n")
		d.want("one", long, long, "two", "three")
	})
}

func TestAtEnd(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", strings.Repeat("0123456789abcde\n", 40_000)+"torn")
		d.next()
		for read := 0; read < 640_000; {
			b := d.next()
			read += len(b.Text)
			if b.AtEnd != (read == 640_000) || len(b.Text) > batchSize {
				t.Fatalf("after %d bytes a batch of %d and at the end: %v", read, len(b.Text), b.AtEnd)
			}
			if s := d.status(); s.Offset != int64(read) || s.State != map[bool]State{false: CatchingUp, true: Following}[b.AtEnd] {
				t.Fatalf("after %d bytes the status is %+v", read, s)
			}
		}
	})
}

func TestSeveralLogs(t *testing.T) {
	bubble(t, func(d *folder) {
		d.opts.Paths = append(d.opts.Paths, d.path("other"))
		text := strings.Repeat(strings.Repeat("x", 99)+"\n", 10_000)
		d.append("mainlog", text)
		d.append("other", text)
		count := map[string]int{}
		f, err := Follow(d.opts)
		d.check(err)
		defer f.Close()
		for {
			b, err := f.Next(context.Background())
			d.check(err)
			if b.Idle {
				break
			}
			count[b.Log] += strings.Count(b.Text, "\n")
			if n := count[d.log] - count[d.path("other")]; n > 3000 || n < -3000 {
				t.Fatalf("one log is ahead of the other by %d lines", n)
			}
		}
		if count[d.log] != 10_000 || count[d.path("other")] != 10_000 {
			t.Errorf("read %v", count)
		}
	})
}

func TestNextEndsAndWakes(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.opts.Config.Poll = osm.Duration(time.Minute)
		d.opts.Idle = time.Hour
		d.next()
		d.next()
		d.append("mainlog", "two\n")
		before := time.Now()
		d.f.Wake()
		d.next()
		d.read("one", "two")
		if time.Now() != before {
			t.Error("Wake did not wake")
		}
		if b := d.next(); !b.Idle || time.Since(before) < time.Hour || b.Position.Path != "" {
			t.Errorf("after %v: %+v, want an idle batch", time.Since(before), b)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := d.f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next gives %v", err)
		}
	})
}

func TestFollowRefusesNonsense(t *testing.T) {
	for _, o := range []Options{
		{},
		{Paths: []string{"a", "b", "a"}},
		{Paths: []string{"a"}, Config: Config{Poll: 1}},
		{Paths: []string{"a"}, Config: Config{MaxLine: 10}},
	} {
		if _, err := Follow(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestStateNames(t *testing.T) {
	for s := range states {
		text, err := s.MarshalText()
		var again State
		if err != nil || again.UnmarshalText(text) != nil || again != s {
			t.Errorf("%v is written as %q and read as %v", s, text, again)
		}
	}
	var s State
	if s.UnmarshalText([]byte("fine")) == nil {
		t.Error("an unknown state is read")
	}
}
