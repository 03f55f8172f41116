package store

import (
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"testing/fstest"
)

// oldDatabase makes a file as the first migrations leave it, with a day of history where there are day tables.
func oldDatabase(t *testing.T, cfg Config, all []migration) {
	t.Helper()
	db, err := sql.Open("sqlite", writerURL(cfg.Path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := migrate(t.Context(), conn, all); err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.daily {
			if err := execAll(t.Context(), conn, m.forDay(dayOf(noon))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A database of every older version is brought up to date and used.
func TestMigrateFromEveryVersion(t *testing.T) {
	all, err := loadMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	for version := range len(all) + 1 {
		cfg := testConfig(t)
		oldDatabase(t, cfg, all[:version])
		s := openTest(t, cfg, noon)
		newTraffic(30).message(s, noon)
		works(t, s, 1, 1)
		if h := s.Health(t.Context()); h.Schema != len(all) {
			t.Errorf("from version %d: schema %d, want %d", version, h.Schema, len(all))
		}
	}
}

func moreMigrations(t *testing.T, more map[string]string) []migration {
	t.Helper()
	all, err := loadMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, m := range all {
		files[m.name] = &fstest.MapFile{Data: []byte(m.text)}
	}
	for name, text := range more {
		files["migration/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	if all, err = loadMigrations(files); err != nil {
		t.Fatal(err)
	}
	return all
}

// Later migrations change the tables of days that are there, and those of new days alike; one that fails changes nothing.
func TestLaterMigrations(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	newTraffic(31).message(s, noon)
	flush(t, s, noon)
	known := len(s.migrations)
	all := moreMigrations(t, map[string]string{"9001_more_day.sql": "CREATE TABLE extra_DAY (x); INSERT INTO extra_DAY VALUES (1)",
		"9002_bad.sql": "CREATE TABLE half (x); CREATE TABLE position (x)"})
	if err := migrate(t.Context(), s.conn, all); err == nil {
		t.Fatal("a bad migration succeeds")
	}
	s.migrations = all
	newTraffic(32).message(s, noon.AddDate(0, 0, -1))
	flush(t, s, noon)
	var version, extra, half int
	err := s.conn.QueryRowContext(t.Context(), `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT x FROM extra_20261122) + (SELECT x FROM extra_20261123),
		(SELECT count(*) FROM sqlite_master WHERE name = 'half')`).Scan(&version, &extra, &half)
	if err != nil || version != known+1 || extra != 2 || half != 0 {
		t.Errorf("version %d, %d extra rows, %d halves, %v; want %d, 2, 0", version, extra, half, err, known+1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, noon, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrNewer) {
		t.Errorf("an older osm opens it: %v, want ErrNewer", err)
	}
	if _, err := OpenReader(cfg.Path); !errors.Is(err, ErrNewer) {
		t.Errorf("an older osm reads it: %v, want ErrNewer", err)
	}
}
