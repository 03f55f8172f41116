package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"osm"
)

// fails wants an error of a kind, in words, that the store's health tells.
func fails(t *testing.T, s *Store, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v; want %v", err, kind)
	}
	if h := s.Health(t.Context()); !errors.Is(h.Err, kind) || h.Since.IsZero() || h.Problem != h.Err.Error() {
		t.Errorf("health: %v since %v; want %v", h.Err, h.Since, kind)
	}
}

// works wants the next flush to store everything that was added, once.
func works(t *testing.T, s *Store, messages int, offset int64) {
	t.Helper()
	flush(t, s, noon, osm.Position{Path: "mainlog", Offset: offset})
	if h := s.Health(t.Context()); h.Err != nil || !h.Since.IsZero() {
		t.Errorf("health after recovery: %v since %v", h.Err, h.Since)
	}
	page, err := s.Search(t.Context(), Filter{Limit: 1 << 20})
	if err != nil || len(page.Messages) != messages {
		t.Errorf("%d messages, %v; want %d", len(page.Messages), err, messages)
	}
	positions, err := s.Positions()
	if err != nil || len(positions) != 1 || positions[0].Offset != offset {
		t.Errorf("positions %v, %v; want one at %d", positions, err, offset)
	}
	if s.Pending() != 0 {
		t.Errorf("%d are pending after a flush", s.Pending())
	}
}

func TestFullDatabaseRecovers(t *testing.T) {
	s := openTest(t, testConfig(t), noon)
	w := newTraffic(2)
	for range 10 {
		w.message(s, noon)
	}
	works(t, s, 10, 10)
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 100"); err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		w.message(s, noon)
	}
	for range 2 {
		fails(t, s, s.Flush(noon, []osm.Position{{Offset: 3010}}), ErrFull)
	}
	if positions, err := s.Positions(); err != nil || positions[0].Offset != 10 {
		t.Errorf("positions after a failed flush: %v, %v", positions, err)
	}
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	works(t, s, 3010, 3010)
}

func TestFullDiskRecovers(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1500k"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	cfg := DefaultConfig()
	cfg.Path = filepath.Join(folder, "osm.db")
	s := openTest(t, cfg, noon)
	w := newTraffic(3)
	for range 10 {
		w.message(s, noon)
	}
	works(t, s, 10, 10)
	ballast := filepath.Join(folder, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1000<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		w.message(s, noon)
	}
	fails(t, s, s.Flush(noon, nil), ErrFull)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	works(t, s, 1010, 1010)
}

func TestLockedByAnotherProgram(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	w := newTraffic(4)
	w.message(s, noon)
	works(t, s, 1, 1)
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	w.message(s, noon)
	fails(t, s, s.Flush(noon, nil), ErrLocked)
	if _, err := db.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	works(t, s, 2, 2)
	if _, err := Open(cfg, noon, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: %v, want ErrLocked", err)
	}
}

// Neither a folder that is missing nor another program's database is touched.
func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	foreign := filepath.Join(folder, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE music (title TEXT)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]error{foreign: ErrForeign, filepath.Join(folder, "missing", "osm.db"): ErrAccess,
		folder: ErrAccess} {
		cfg := DefaultConfig()
		cfg.Path = path
		_, err := Open(cfg, noon, slog.New(slog.DiscardHandler))
		var typed *Error
		if !errors.Is(err, kind) || !errors.As(err, &typed) || typed.Path != path {
			t.Errorf("open %s: %v; want %v", path, err, kind)
		}
	}
	if _, err := OpenReader(filepath.Join(folder, "none.db")); !errors.Is(err, ErrNotFound) {
		t.Errorf("reader of nothing: %v, want ErrNotFound", err)
	}
}

// damage is what can happen to a file, and what is left to be seen of it.
var damage = map[string]func(f *os.File, size int64) error{
	"header": func(f *os.File, _ int64) error {
		_, err := f.WriteAt([]byte("this was a database once"), 0)
		return err
	},
	"schema page": func(f *os.File, _ int64) error {
		_, err := f.WriteAt(make([]byte, 3000), 100)
		return err
	},
	"all pages but the first": func(f *os.File, size int64) error {
		_, err := f.WriteAt([]byte(fmt.Sprintf("%*s", size-4096, "")), 4096)
		return err
	},
	"truncated": func(f *os.File, size int64) error { return f.Truncate(size / 3) },
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			s := openTest(t, cfg, noon)
			w := newTraffic(5)
			for range 500 {
				w.message(s, noon)
			}
			works(t, s, 500, 500)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(cfg.Path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(spoil(f, info.Size()), f.Close()); err != nil {
				t.Fatal(err)
			}
			s = reopened(t, cfg, w)
			h := s.Health(t.Context())
			if _, err := os.Stat(h.SetAside); err != nil || h.Err != nil {
				t.Errorf("set aside as %q: %v; health %v", h.SetAside, err, h.Err)
			}
			w.message(s, noon)
			works(t, s, 1, 501)
		})
	}
}

// reopened opens a damaged file as the daemon does: where the damage shows in a flush only, it closes and opens again.
func reopened(t *testing.T, cfg Config, w *traffic) *Store {
	s := openTest(t, cfg, noon)
	if positions, err := s.Positions(); err == nil && len(positions) == 0 {
		return s
	}
	w.message(s, noon.Add(time.Second))
	fails(t, s, s.Flush(noon, nil), ErrDamaged)
	fails(t, s, s.Flush(noon, nil), ErrDamaged)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openTest(t, cfg, noon)
}

func TestStateAndPositions(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	positions := []osm.Position{
		{Path: "/var/log/exim4/mainlog", Device: 1<<64 - 1, Inode: 1 << 63, Offset: 1 << 40, Fingerprint: 1<<64 - 2, Hashed: 256,
			Modified: 1773160320e9},
		{Path: "/var/log/exim4/mainlog.1", Device: 2, Inode: 3, Offset: 4},
	}
	for key, blob := range map[string]string{"login:bob": "1", "login:ann": "2", "login%": "3", "other:x": "4", "login:gone": "5"} {
		s.SaveState(key, []byte(blob))
	}
	flush(t, s, noon, positions[1])
	s.SaveState("login:bob", []byte("new"))
	s.SaveState("login:gone", nil)
	flush(t, s, noon, positions...)
	s.SaveState("login:bob", []byte("never flushed"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, cfg, noon)
	got, err := s.Positions()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "positions", got, positions)
	got, err = s.SavedPositions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "positions for a reader", got, positions)
	for prefix, want := range map[string][]string{"login:": {"login:ann=2", "login:bob=new"}, "login%": {"login%=3"},
		"": {"login%=3", "login:ann=2", "login:bob=new", "other:x=4"}, "zzz": nil} {
		var found []string
		err := s.LoadState(context.Background(), prefix, func(key string, blob []byte) error {
			found = append(found, key+"="+string(blob))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "state "+prefix, found, want)
	}
	stop := errors.New("stop")
	if err := s.LoadState(context.Background(), "", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("LoadState hides the error of its function: %v", err)
	}
}

// Another process reads while the daemon writes, and after it has ended.
func TestReaderBesideWriter(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	w := newTraffic(6)
	m := w.message(s, noon)
	flush(t, s, noon)
	r, err := OpenReader(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	w.message(s, noon.AddDate(0, 0, 1))
	flush(t, s, noon)
	page, err := r.Search(t.Context(), Filter{})
	if err != nil || len(page.Messages) != 2 {
		t.Errorf("beside the writer: %v, %v", page, err)
	}
	if _, err := r.db.Exec("DELETE FROM position"); err == nil {
		t.Error("a reader can write")
	}
	if err := errors.Join(s.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if r, err = OpenReader(cfg.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Message(t.Context(), m.ID); err != nil {
		t.Errorf("after the writer: %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Search(done, Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search: %v", err)
	}
	if _, err := r.Message(t.Context(), m.ID); err != nil {
		t.Errorf("after a cancelled search: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// Where nothing may be written, as for a user without rights in the folder, a database without a daemon can be read.
func TestReadOnlyFolder(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	cfg := DefaultConfig()
	cfg.Path = filepath.Join(folder, "with ?#% in its name.db")
	s := openTest(t, cfg, noon)
	m := example(1, noon)
	s.Arrival(m)
	flush(t, s, noon)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.Message(t.Context(), m.ID); err != nil || got.Subject != m.Subject {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Open(cfg, noon, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrAccess) {
		t.Errorf("a writer there: %v, want ErrAccess", err)
	}
}
