package daemon

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/web"
)

var logDay = time.Date(2026, 3, 10, 16, 32, 0, 0, time.UTC)

func logFile(t *testing.T, text string) (string, fs.FileInfo) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mainlog")
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info
}

func TestBehind(t *testing.T) {
	path, info := logFile(t, "0123456789")
	file := info.Sys().(*syscall.Stat_t)
	at := osm.Position{Path: path, Device: uint64(file.Dev), Inode: file.Ino, Offset: 10}
	for _, test := range []struct {
		change func(*osm.Position)
		state  string
		text   string
	}{
		{func(*osm.Position) {}, web.Good, "read to its end"},
		{func(p *osm.Position) { p.Offset = 3 }, web.Good, "7 B"},
		{func(p *osm.Position) { p.Inode++ }, web.Notice, "older file"},
		{func(p *osm.Position) { p.Path += ".gone" }, web.Notice, "no such file"},
	} {
		p := at
		test.change(&p)
		if s, text := behind(p); s != test.state || !strings.Contains(text, test.text) {
			t.Errorf("%+v: %s, %q; want %s, %q", p, s, text, test.state, test.text)
		}
	}
	if err := os.Truncate(path, 100<<20); err != nil {
		t.Fatal(err)
	}
	if s, text := behind(at); s != web.Notice || text != "100.0 MB are not read yet" {
		t.Errorf("far behind: %s, %q", s, text)
	}
}

func TestAllows(t *testing.T) {
	path, info := logFile(t, "")
	file := info.Sys().(*syscall.Stat_t)
	owner, group := strconv.Itoa(int(file.Uid)), strconv.Itoa(int(file.Gid))
	for _, test := range []struct {
		mode   fs.FileMode
		uid    string
		groups []string
		want   bool
	}{
		{0o640, owner, nil, true},
		{0o640, "12345", []string{"7", group}, true},
		{0o640, "12345", []string{"7"}, false},
		{0o644, "12345", nil, true},
		{0o604, "12345", []string{group}, false}, // the group's permission counts, not everybody's
	} {
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := allows(info, test.uid, test.groups, 4); got != test.want {
			t.Errorf("mode %v, user %s, groups %v: %v", test.mode, test.uid, test.groups, got)
		}
	}
}

func TestPermissionHint(t *testing.T) {
	if hint := permissionHint("/nonexistent/folder/mainlog"); !strings.Contains(hint, "setfacl") {
		t.Errorf("root's group is no group to join: %s", hint)
	}
}

func TestRights(t *testing.T) {
	const lacks = "NoNewPrivileges is set"
	for _, test := range []struct {
		status web.Status
		hooked bool
		want   bool
	}{
		{web.Status{Rights: lacks}, false, false}, // it only watches
		{web.Status{Rights: lacks}, true, true},
		{web.Status{Rights: lacks, Held: 1}, false, true},
		{web.Status{Held: 1}, true, false},
	} {
		var e examination
		e.rights(&test.status, test.hooked)
		if found := len(e.findings) == 1; found != test.want {
			t.Errorf("%+v, hooked %v: %+v", test.status, test.hooked, e.findings)
		} else if f := e.findings; found && (f[0].State != web.Problem || f[0].Text != lacks ||
			!strings.Contains(f[0].Do, "/usr/share/doc/osm/active.conf /etc/systemd/system/osm.service.d/")) {
			t.Errorf("%+v", f)
		}
	}
}

func TestClock(t *testing.T) {
	const line = "2026-03-10 16:32:00 1w0000-0000000012a-0001 Completed\n"
	for _, test := range []struct {
		written time.Time
		want    string
		text    string
	}{
		{logDay.Add(time.Minute), web.Good, "those of this machine"},
		{logDay.Add(-5*time.Hour - time.Second), web.Problem, "but it was written at 2026-03-10 11:31:59"},
		{logDay.Add(5*time.Hour + 30*time.Minute), web.Problem, "but it was written"},
		{logDay.Add(-100 * time.Minute), web.Notice, "in the future"},
		{logDay.Add(72*time.Hour + 10*time.Minute), "", ""}, // nothing was written for days, says nothing of the clock
	} {
		path, _ := logFile(t, "not a line\n"+line+"torn")
		if err := os.Chtimes(path, test.written, test.written); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		e := examination{loaded: &config.Loaded{Config: config.Config{Exim: exim.Config{Zone: "UTC"}}}}
		e.clock(f, info)
		switch {
		case test.want == "" && len(e.findings) > 0:
			t.Errorf("written %v: %+v", test.written, e.findings)
		case test.want != "" && (len(e.findings) != 1 || e.findings[0].State != test.want || !strings.Contains(e.findings[0].Text, test.text)):
			t.Errorf("written %v: %+v, want %s %q", test.written, e.findings, test.want, test.text)
		}
	}
}
