package exim

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// look parses the lines of a log and returns which of them are held to be forged, by number from 1, and the attempts.
func look(t *testing.T, log string) (forged string, attempts []Attempt) {
	t.Helper()
	var f Forgery
	var found []string
	p, e := NewParser(nil), new(Entry)
	for i, line := range strings.Split(strings.TrimSpace(log), "\n") {
		p.Parse(strings.TrimPrefix(line, "\t\t"), e)
		if a, ok := f.Look(e); ok {
			attempts = append(attempts, a)
		}
		if e.Forged != NoSign {
			found = append(found, fmt.Sprintf("%d %v", i+1, e.Forged))
		}
	}
	if a, ok := f.Rest(); ok {
		attempts = append(attempts, a)
	}
	if _, ok := f.Rest(); ok {
		t.Error("an attempt is handed out twice")
	}
	return strings.Join(found, ", "), attempts
}

func TestForged(t *testing.T) {
	for _, c := range []struct {
		name, log, forged string
		attempts          []Attempt
	}{
		{"honest", `
		2026-11-23 08:27:00 [11599] cwd=/home/bob 2 args: /usr/sbin/sendmail -t
		2026-11-23 08:27:01 [11599] 1xVPO8-000315-00 <= bob@osm.test U=bob P=local S=300
		2026-11-23 08:27:02 [11599] 1xVPO8-000315-00 Completed`, "", nil},

		{"torn, with +pid", `
		2026-11-23 08:27:00 [10397] cwd=/tmp/x
2026-11-23 08:27:00 [1] 1xVPO8-000001-00 <= victim@osm.test U=victim P=local S=300
2026-11-23 08:27:00 y 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:00 [11599] 1xVPO8-000315-00 <= alice@osm.test U=alice P=local S=300
		2026-11-23 08:27:01 [10397] 1xVPO8-0002hh-00 <= bob@osm.test U=bob P=local S=300`,
			"1 torn-cwd, 2 after-torn-cwd, 3 after-torn-cwd",
			[]Attempt{{PID: 10397, Dir: "/tmp/x", Lines: 2, User: "bob", Sure: true}}},

		{"torn, without pid", `
		2026-11-23 08:27:00 cwd=/tmp/x
y 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:01 1xVPO8-0002hh-00 <= mallory@osm.test U=mallory P=local S=300`,
			"1 torn-cwd, 2 after-torn-cwd", []Attempt{{Dir: "/tmp/x", Lines: 1, User: "mallory"}}},

		{"one attempt is told once", `
		2026-11-23 08:27:00 cwd=/tmp/x
y 3 args: /usr/sbin/sendmail -t -i
z 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:01 1xVPO8-0002hh-00 <= mallory@osm.test U=mallory P=local S=300`,
			"1 torn-cwd, 2 after-torn-cwd", []Attempt{{Dir: "/tmp/x", Lines: 1, User: "mallory"}}},

		{"mail from outside names nobody", `
		2026-11-23 08:27:00 cwd=/tmp/x
y 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:01 1xVPO8-0002hh-00 <= a@b H=(x) [192.0.2.1] U=ident P=smtp S=300`,
			"1 torn-cwd, 2 after-torn-cwd", []Attempt{{Dir: "/tmp/x", Lines: 1}}},

		{"two in a row", `
		2026-11-23 08:27:00 cwd=/tmp/x
y 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:00 cwd=/tmp/z
y 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:01 1xVPO8-0002hh-00 <= mallory@osm.test U=mallory P=local S=300`,
			"1 torn-cwd, 2 after-torn-cwd, 3 torn-cwd, 4 after-torn-cwd",
			[]Attempt{{Dir: "/tmp/x", Lines: 1}, {Dir: "/tmp/z", Lines: 1, User: "mallory"}}},

		{"marks of his own", `
		2026-11-23 08:27:00 cwd=/tmp/x 2 args: /usr/sbin/sendmail -t
2026-11-23 08:27:00 1xVPO8-000001-00 <= victim@osm.test U=victim P=local S=300
y 3 args: /usr/sbin/sendmail -t -i
		2026-11-23 08:27:01 1xVPO8-0002hh-00 <= mallory@osm.test U=mallory P=local S=300`,
			"", []Attempt{{Dir: "/tmp/x", Lines: 1, User: "mallory", Late: true}}},

		{"foreign ids in a log that keeps to its ids", `
		2026-11-23 08:27:01 [11599] 1xVPO8-000315-00 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [11600] 1xVPO8-000316-00 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [11599] 1xVPO8-000315-01 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [11599] 1xVPO8-000316-02 <= victim@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [11599] 1xAAAA-000315-03 <= victim@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [11600] 1xVPO8-000315-00 => victim@far.example R=r T=t`,
			"4 foreign-pid, 5 foreign-time", nil},

		{"foreign ids in a log of made-up ids", `
		2026-11-23 08:27:01 [1] 1xAAAA-000315-00 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [2] 1xAAAA-000316-00 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [3] 1xAAAA-000315-01 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [4] 1xAAAA-000316-02 <= a@osm.test U=a P=local S=300
		2026-11-23 08:27:01 [5] 1xAAAA-000315-03 <= a@osm.test U=a P=local S=300`, "", nil},
	} {
		forged, attempts := look(t, c.log)
		if forged != c.forged {
			t.Errorf("%s: forged %q, want %q", c.name, forged, c.forged)
		}
		for i := range attempts {
			if !attempts[i].Time.Equal(time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC)) {
				t.Errorf("%s: at %v", c.name, attempts[i].Time)
			}
			attempts[i].Time = time.Time{}
		}
		if fmt.Sprint(attempts) != fmt.Sprint(c.attempts) {
			t.Errorf("%s: attempts %+v, want %+v", c.name, attempts, c.attempts)
		}
	}
}

// TestForgeryGivesUp: the user of an attempt is not awaited for ever.
func TestForgeryGivesUp(t *testing.T) {
	var f Forgery
	p, e := NewParser(nil), new(Entry)
	lines := []string{"2026-11-23 08:27:00 [7] cwd=/tmp/x", "y 3 args: /usr/sbin/sendmail -t -i"}
	for range waitForUser {
		lines = append(lines, "2026-11-23 08:27:00 [8] Start queue run: pid=8")
	}
	for i, line := range lines {
		p.Parse(line, e)
		if a, ok := f.Look(e); ok != (i == len(lines)-1) || ok && (a.User != "" || a.PID != 7) {
			t.Fatalf("line %d: %+v, %t", i, a, ok)
		}
	}
}

// A log in which nothing is forged leaves a Forgery the same whether its lines are looked at one by one or passed in pieces, and
// pieces in which something is are not passed.
func TestGlance(t *testing.T) {
	honest := []string{
		"2026-11-23 08:27:00 [11599] cwd=/home/bob 2 args: /usr/sbin/sendmail -t",
		"2026-11-23 08:27:00 [11599] 1xVPOi-000315-08 <= bob@osm.test U=bob P=local S=300",
		"2026-11-23 08:27:01 [11600] SMTP connection from [192.0.2.1]:4711 (TCP/IP connection count = 1)",
		"  a line without a time",
		"2026-11-23 08:27:01 [11599] 1xVPOi-000315-08 Completed",
	}
	torn := "2026-11-23 08:27:02 [11601] cwd=/home/eve/x"
	p, e := NewParser(nil), new(Entry)
	var single, passed Forgery
	for range 5 {
		var g Glance
		for _, line := range honest {
			p.Parse(line, e)
			g.Add(e)
			single.Look(e)
		}
		if !passed.Pass(&g) {
			t.Fatal("an honest piece is not passed")
		}
	}
	if !reflect.DeepEqual(single, passed) {
		t.Errorf("passed: %+v\nlooked at: %+v", passed, single)
	}
	for _, line := range []string{torn, "of a folder 2 args: /usr/sbin/sendmail -t",
		"2026-11-23 08:27:00 [7] 1xVPOi-000315-08 <= bob@osm.test U=bob P=local S=300"} {
		var g Glance
		p.Parse(line, e)
		if g.Add(e); passed.Pass(&g) {
			t.Errorf("%q is passed", line)
		}
	}
	var g Glance
	p.Parse(torn, e)
	passed.Look(e)
	if passed.Pass(&g) {
		t.Error("lines are passed in the middle of a torn one")
	}
}
