package exim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFindLog(t *testing.T) {
	root := t.TempDir()
	if _, err := FindLog(root); !errors.Is(err, ErrNoLog) || !strings.Contains(err.Error(), "exim_mainlog") {
		t.Errorf("an empty machine: %v, want ErrNoLog and the places", err)
	}
	day := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, place := range []string{"var/log/exim4/mainlog", "var/log/exim_mainlog", "var/log/exim/mainlog"} {
		path := writeFile(t, filepath.Join(root, place), 0o640)
		if err := os.Chtimes(path, day, day.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, err := FindLog(root); err != nil || got != path {
			t.Errorf("FindLog = %q, %v; want the one written last, %q", got, err, path)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "var/log/exim/main.log"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := FindLog(root); err != nil || strings.HasSuffix(got, "main.log") {
		t.Errorf("FindLog = %q, %v: a folder is no log", got, err)
	}
}

func TestFindBinary(t *testing.T) {
	root := t.TempDir()
	if _, err := FindBinary(root); err == nil {
		t.Error("a machine without Exim has one")
	}
	writeFile(t, filepath.Join(root, "usr/sbin/exim4"), 0o644)
	want := writeFile(t, filepath.Join(root, "usr/sbin/exim"), 0o755)
	if got, err := FindBinary(root); err != nil || got != want {
		t.Errorf("FindBinary = %q, %v; want %q, the one that can be run", got, err, want)
	}
}

func TestConfigCheck(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{}, ""},
		{Config{Log: "/var/log/mail.log", Binary: "/bin/exim", Zone: "UTC"}, ""},
		{Config{Log: "mainlog"}, "log"},
		{Config{Binary: "exim4"}, "binary"},
		{Config{Zone: "Mars/Olympus"}, "zone"},
	} {
		var keys []string
		test.config.Check(func(key, problem string) { keys = append(keys, key) })
		if got := strings.Join(keys, " "); got != test.want {
			t.Errorf("%+v: mistakes in %q, want %q", test.config, got, test.want)
		}
	}
}

func writeFile(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x\n"), mode); err != nil {
		t.Fatal(err)
	}
	return path
}
