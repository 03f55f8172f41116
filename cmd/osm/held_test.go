package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/hold"
	"osm/policy"
	"osm/web"
)

// control is a control socket with one prepared answer; it keeps what it was asked.
type control struct {
	answer any
	path   string
	body   []byte
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.path = r.Method + " " + r.URL.RequestURI()
	c.body, _ = io.ReadAll(r.Body)
	json.NewEncoder(w).Encode(c.answer)
}

// run calls osm with the control socket, and returns its exit status and what it printed.
func (c *control) run(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	socket, conf := filepath.Join(dir, "s"), filepath.Join(dir, "osm.toml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "[control]\nsocket = %q\n", socket), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c}
	go server.Serve(l)
	defer server.Close()
	var stdout, stderr bytes.Buffer
	p := &program{in: new(bytes.Buffer), out: &stdout, err: &stderr, now: func() time.Time { return day }}
	status = p.run(t.Context(), append(args, "-c", conf))
	return status, stdout.String(), stderr.String()
}

const evil = "evil\x1b[2J\u202e\nsecond"

func TestHeld(t *testing.T) {
	c := &control{answer: web.Held{Held: 1200, Groups: []web.HeldGroup{{Name: "login:" + evil, Messages: 1200,
		Recipients: 3400, Bytes: 2048, Automatic: 1,
		Oldest: day.Add(-80 * time.Hour), Newest: day.Add(-time.Minute),
		Samples: []hold.Sample{{ID: "1w0000-0000000012a-0001", From: evil, Subject: "code ####",
			Lines: []string{evil}}}}},
		List: []web.HeldOne{{Message: hold.Message{ID: "1w0000-0000000012a-0001", Since: day,
			Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}, Subject: evil, Error: "no Exim"}}}}}
	status, out, errs := c.run(t, "held", "--by", "sender", "--key", "login,Bob@x.example", "--list", "--samples", "2")
	if status != 0 || errs != "" ||
		c.path != "GET /api/v1/held?by=sender&kind=login&list=1000&samples=2&state=held&value=bob%40x.example" {
		t.Errorf("%d %s %s", status, c.path, errs)
	}
	for _, want := range []string{"1,200", "3,400", "2.0 KB", "3 days", "Subject: code ####",
		`| evil\x1b[2J\u202e\nsecond`, "no Exim"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	if strings.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("a stranger's control characters reach the terminal: %q", out)
	}
}

func TestHeldOne(t *testing.T) {
	c := &control{answer: web.HeldOne{Message: hold.Message{ID: "1w0000-0000000012a-0001", Sender: evil,
		State: hold.Releasing, By: "root"}, Token: "a.b.c"}}
	status, out, _ := c.run(t, "held", "1w0000-0000000012a-0001")
	if status != 0 || c.path != "GET /api/v1/held/1w0000-0000000012a-0001" || !strings.Contains(out, "releasing root") ||
		!strings.Contains(out, "a.b.c") ||
		strings.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("%d %s %q", status, c.path, out)
	}
}

func TestReleaseAndDelete(t *testing.T) {
	due := time.Date(2026, 3, 10, 17, 0, 0, 0, time.Local)
	for _, x := range []struct {
		args   []string
		answer web.HeldAnswer
		order  string
		want   string
		status int
	}{
		{[]string{"release", "A", "B", "--allow-once"}, web.HeldAnswer{What: "release", Messages: 2, Recipients: 3,
			IDs: []string{"A", "B"}, Done: 2,
			More: []policy.Deed{{ID: "D2", What: "forgive", Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}}}},
			`{"what":"release","ids":["A","B"],"once":true}`,
			"release 2 messages to 3 recipients.\nD2: forgive login:bob\n", 0},
		{[]string{"release", "--all", "--allow", "--for", "1d"}, web.HeldAnswer{What: "release", Messages: 900,
			IDs: []string{"A", "B"}, Done: 1},
			`{"what":"release","all":true,"allow":true,"for":"1d"}`,
			"release 900 messages to 0 recipients: 1 of the first 2 are done, the others are under way.\n", 0},
		{[]string{"release", "--verdict", "V1"}, web.HeldAnswer{What: "release", Messages: 1, IDs: []string{"A"},
			Failed: []string{"A: " + evil}},
			`{"what":"release","verdict":"V1"}`, "failed: A: evil\\x1b[2J", 1},
		{[]string{"delete", "--key", "client,192.0.2.1", "--reason", "spam"}, web.HeldAnswer{What: "delete",
			Messages: 1, Recipients: 1, Deed: "D1", Due: due},
			`{"what":"delete","key":{"kind":"client","value":"192.0.2.1"},"reason":"spam"}`,
			"delete 1 message to 1 recipient at 2026-03-10 17:00:00. To take it back: osm undo D1\n", 0},
		{[]string{"delete", "--all", "--dry-run"}, web.HeldAnswer{What: "delete", Messages: 7, Recipients: 9,
			DryRun: true},
			`{"what":"delete","all":true,"dry_run":true}`, "would delete 7 messages to 9 recipients.\n", 0},
		{[]string{"delete", "--all", "--now"}, web.HeldAnswer{What: "delete"},
			`{"what":"delete","all":true,"now":true}`, "Nothing of that is held.\n", 0},
	} {
		c := &control{answer: x.answer}
		status, out, errs := c.run(t, x.args...)
		if status != x.status || c.path != "POST /api/v1/held/"+x.args[0] || string(c.body) != x.order || !strings.Contains(out, x.want) {
			t.Errorf("%q: %d, %s %s, %q, %s", x.args, status, c.path, c.body, out, errs)
		}
	}
	for _, args := range [][]string{{"release"}, {"delete"}, {"release", "--key", "login"}, {"release", "--key",
		"planet,mars"}, {"release", "--all", "--for", "soon"},
		{"held", "a", "b"}, {"suspend", "login"}, {"suspend", "planet", "mars"}, {"suspend", "login", "bob", "--for",
			"soon"}} {
		c := &control{}
		if status, _, errs := c.run(t, args...); status != misuse || c.path != "" || errs == "" {
			t.Errorf("%q: %d, asked %q, %q", args, status, c.path, errs)
		}
	}
}

func TestSuspend(t *testing.T) {
	deed := policy.Deed{ID: "D1", What: web.Suspend, Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}}
	c := &control{answer: web.SuspendAnswer{Steps: []string{"whmapi1 x"}, Deeds: []policy.Deed{deed}}}
	status, out, _ := c.run(t, "suspend", "login", "Bob", "--with", "panel,list", "--for", "2h", "--reason", "stolen")
	if want := `{"what":"suspend","key":{"kind":"login","value":"bob"},"for":"2h","with":["panel","list"],"reason":"stolen"}`; status != 0 ||
		c.path != "POST /api/v1/suspensions" || string(c.body) != want ||
		out != "whmapi1 x\nD1: suspend login:bob. To take it back: osm undo D1\n" {
		t.Errorf("%d %s %s %q", status, c.path, c.body, out)
	}
	c.answer = web.SuspendAnswer{Steps: []string{evil}, DryRun: true}
	if status, out, _ := c.run(t, "resume", "login", "bob", "--dry-run"); status != 0 ||
		out != "would: evil\\x1b[2J\\u202e\\nsecond\n" ||
		string(c.body) != `{"what":"resume","key":{"kind":"login","value":"bob"},"dry_run":true}` {
		t.Errorf("%d %s %q", status, c.body, out)
	}
}
