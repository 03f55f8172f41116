package tail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestXZIsSkipped(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.rename("mainlog", "mainlog.3")
		d.append("mainlog.2.xz", "\xfd7zXZ\x00 and so on")
		d.append("mainlog.1", "three\n")
		d.append("mainlog", "four\n")
		d.want("one", "three", "four")
		d.wantGaps(1)
		if s := d.status(); len(s.Skipped) != 1 || !strings.Contains(s.Skipped[0], "mainlog.2.xz: xz is not read here") {
			t.Errorf("status %+v", s)
		}
	})
}

func TestThePositionsFileBecameXZ(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.remove("mainlog")
		d.append("mainlog.2.xz", "\xfd7zXZ\x00 and so on")
		d.check(os.Chtimes(d.path("mainlog.2.xz"), time.Time{}, time.Unix(0, d.saved.Modified)))
		d.append("mainlog.1", "two\n")
		d.append("mainlog", "three\n")
		d.want("one", "two", "three")
		d.wantGaps(1)
	})
}

func TestDamagedArchive(t *testing.T) {
	whole := gzipped([]byte(strings.Repeat("0123456789abcdef", 8) + "\ntwo\n"))
	for cut := 1; cut < len(whole); cut += 7 {
		bubble(t, func(d *folder) {
			d.append("mainlog", "one\n")
			d.want("one")
			d.stop()
			d.rename("mainlog", "mainlog.2")
			d.append("mainlog.1.gz", string(whole[:cut]))
			d.append("mainlog", "three\n")
			d.drain()
			if first, last := d.got[0], d.got[len(d.got)-1]; first != "one" || last != "three" {
				t.Fatalf("read %q", d.got)
			}
			if cut > 2 { // shorter ones are no gzip
				d.wantGaps(1)
			}
		})
	}
}

func TestArchiveInTheMaking(t *testing.T) {
	bubble(t, func(d *folder) {
		text := strings.Repeat("0123456789abcdef", 8) + "\n"
		whole := gzipped([]byte(text + text))
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.rename("mainlog", "mainlog.2")
		d.append("mainlog", "three\n")
		d.append("mainlog.1.gz", string(whole[:len(whole)-10]))
		for range 3 {
			d.next()
		}
		d.append("mainlog.1.gz", string(whole[len(whole)-10:]))
		d.check(os.Chtimes(d.path("mainlog.1.gz"), time.Time{}, time.Unix(0, d.saved.Modified)))
		d.want("one", text[:128], text[:128], "three")
		d.wantGaps(0)
	})
}

func TestWhileItIsCompressed(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.append("mainlog", "two\n")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "three\n")
		d.append("mainlog.1.gz", "\x1f\x8b") // just begun
		d.want("one", "two", "three")
		d.wantGaps(0)
	})
}

func TestOldDirAndExtension(t *testing.T) {
	bubble(t, func(d *folder) {
		d.check(os.Mkdir(d.path("old"), 0o755))
		d.log = d.path("exim.log")
		d.opts.Paths[0] = d.log
		d.opts.Config.OldDirs = []string{"old", filepath.Join(d.dir, "never")}
		d.append("exim.log", "one\n")
		d.want("one")
		d.stop()
		d.rename("exim.log", "old/exim-20261120.log")
		d.gzip("old/exim-20261120.log")
		d.append("old/exim-20261121.log", "two\n")
		d.append("exim.log", "three\n")
		d.want("one", "two", "three")
		d.wantGaps(0)
	})
}

func TestSymbolicLinkToTodaysFile(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog-20261121", "one\n")
		d.check(os.Symlink("mainlog-20261121", d.log))
		d.want("one")
		d.append("mainlog-20261121", "two\n")
		d.append("mainlog-20261122", "three\n")
		d.check(os.Symlink("mainlog-20261122", d.path("new")))
		d.rename("new", "mainlog")
		d.want("one", "two", "three")
		d.wantGaps(0)
	})
}

func TestNumbersAndDatesTogether(t *testing.T) {
	bubble(t, func(d *folder) {
		d.opts.Start = StartOldest
		for i, name := range []string{"mainlog.2", "mainlog-20261120", "mainlog.1", "mainlog-20261121", "mainlog"} {
			d.append(name, name+"\n")
			when := time.Unix(1_700_000_000+int64(i), 0)
			d.check(os.Chtimes(d.path(name), when, when))
		}
		d.want("mainlog.2", "mainlog-20261120", "mainlog.1", "mainlog-20261121", "mainlog")
	})
}

// Exim came between logrotate's two steps and created the log itself.
func TestFilePutAside(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.rename("mainlog", "mainlog.1")
		for i, name := range []string{"mainlog.1", "mainlog-2026112206.backup", "mainlog"} {
			d.append(name, name+"\n")
			when := time.Unix(1_700_000_000+int64(i), 0)
			d.check(os.Chtimes(d.path(name), when, when))
		}
		for range 3 {
			d.next()
		}
		d.stop()
		d.rename("mainlog.1", "mainlog.2")
		d.rename("mainlog", "mainlog.1")
		d.gzip("mainlog.1")
		d.gzip("mainlog.2")
		d.append("mainlog", "last\n")
		d.want("one", "mainlog.1", "mainlog-2026112206.backup", "mainlog", "last")
		d.wantGaps(0)
	})
}

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name, base string
		rank       rank
	}{
		{"mainlog.1", "mainlog", rank{number: 1}},
		{"mainlog.02.gz", "mainlog", rank{number: 2}},
		{"mainlog-20261122", "mainlog", rank{date: "20261122"}},
		{"exim_mainlog-20261122.gz", "exim_mainlog", rank{date: "20261122"}},
		{"mainlog.2026-11-22.zst", "mainlog", rank{date: "20261122"}},
		{"mainlog-20261122-13", "mainlog", rank{date: "2026112213"}},
		{"mainlog-1795000000.bz2", "mainlog", rank{date: "1795000000"}},
		{"mainlog-2026112206.backup", "mainlog", rank{aside: true}},
		{"exim.3.log.gz", "exim.log", rank{number: 3}},
		{"exim-20261122.log", "exim.log", rank{date: "20261122"}},
	} {
		if r, ok := rankIn(test.base, test.name); !ok || r != test.rank {
			t.Errorf("%s of %s: %+v, %v", test.name, test.base, r, ok)
		}
		if base, r, ok := splitName(test.name); base != test.base || r != test.rank || !ok {
			t.Errorf("%s: %s, %+v, %v", test.name, base, r, ok)
		}
	}
	for _, name := range []string{"mainlog", "mainlog.processed", "mainlog.gz", "mainlog.", "mainlog.1.", "mainlog-1",
		"mainlog.1x", "mainlog..1", "mainlog-123456", "mainlog.1.2", "mainlog-99999999", "mainlog-20261122.backup",
		"mainlog2.1", "mainlog.1.gz.gz", "exim_mainlog.processed"} {
		if r, ok := rankIn("mainlog", name); ok {
			t.Errorf("%s is taken for a rotated file: %+v", name, r)
		}
	}
}

// Files that were neither written nor renamed for a while are not waited for.
func TestOldFilesAreReadAtOnce(t *testing.T) {
	bubble(t, func(d *folder) {
		began := time.Now()
		d.opts.Now = func() time.Time { return time.Unix(1<<40, 0) }
		d.opts.Start = StartOldest
		d.append("mainlog.2", "one\n")
		d.append("mainlog.1", "two\ntorn")
		d.append("mainlog", "three\n")
		for range 5 {
			d.next()
		}
		d.read("one", "two", "torn", "three")
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it took %v", waited)
		}
	})
}
