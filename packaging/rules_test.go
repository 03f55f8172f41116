package packaging

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/policy"
)

// example reads one of the ready-made rule files as osm would from rules.d.
func example(t *testing.T, name string) []policy.Rule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("rules.d", name+".toml.example"))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Parse(config.Source{Name: name, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Rules
}

// TestExamplesCompile: each file is right by itself and beside the others, starts on trial, and warns of nothing. What is
// commented out in them is right as well.
func TestExamplesCompile(t *testing.T) {
	files, err := filepath.Glob("rules.d/*.toml.example")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var all []config.Source
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source := config.Source{Name: file, Text: text}
		all = append(all, source)
		loaded, err := config.Parse(source)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, r := range loaded.Rules {
			if !r.Shadow {
				t.Errorf("%s: %s is not on trial", file, r.Name)
			}
			r.Warn(func(key, problem string) { t.Errorf("%s: %s: %s: %s", file, r.Name, key, problem) })
		}
		source.Text = []byte(uncommented(string(text)))
		if with, err := config.Parse(source); err != nil {
			t.Errorf("with what is commented out: %v", err)
		} else if len(with.Rules) < len(loaded.Rules) {
			t.Errorf("%s: rules are lost", file)
		}
	}
	if _, err := config.Parse(all...); err != nil {
		t.Error(err)
	}
}

// uncommented puts in what is commented out without a blank, as settings are.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if len(line) > 2 && line[0] == '#' && line[1] != ' ' {
			line = line[1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// TestExamplesLimit sends made-up mail, message by message, and looks at which is the first that a rule would stop: the one
// at which the original would act.
func TestExamplesLimit(t *testing.T) {
	login := func(to ...string) osm.Message {
		return osm.Message{Class: osm.Login, Login: "bob@x.example", Account: "x", Sender: "bob@x.example",
			Client: netip.MustParseAddr("192.0.2.7"), Recipients: to}
	}
	script := func(to ...string) osm.Message {
		return osm.Message{Class: osm.Local, Account: "x", User: "x", Script: osm.Script{Path: "/home/x/public_html"}, Recipients: to}
	}
	same := func(m osm.Message) func(int) osm.Message { return func(int) osm.Message { return m } }
	fresh := func(m osm.Message) func(int) osm.Message { // somebody else every time
		return func(i int) osm.Message {
			m.Recipients = []string{fmt.Sprintf("r%d@far.example", i)}
			return m
		}
	}
	elsewhere := func(i int) osm.Message { // another client every time
		m := login("a@far.example")
		m.Client = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		return m
	}
	folders := func(i int) osm.Message { // another folder every time
		m := script("a@far.example")
		m.Script.Path = fmt.Sprintf("/home/x/public_html/%d", i)
		return m
	}
	localhost := script("a@far.example")
	localhost.Class, localhost.Client = osm.Localhost, netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		file, name string
		message    func(i int) osm.Message
		pause      time.Duration
		want       int // messages before the first that is stopped; 0: none of 1200
		rule       string
		action     osm.Action
	}{
		{"cpanel", "500 different recipients", fresh(login()), time.Second, 500, "cpanel-mailbox", osm.Hold},
		{"cpanel", "always the same recipient", same(login("a@far.example")), time.Second, 0, "", osm.Accept},
		{"cpanel", "500 in more than an hour", fresh(login()), 8 * time.Second, 0, "", osm.Accept},
		{"cpanel", "a site", fresh(script()), time.Second, 500, "cpanel-account", osm.Hold},
		{"csf", "one address", same(login("a@far.example")), time.Second, 100, "csf-authrelay", osm.Reject},
		{"csf", "many addresses", elsewhere, time.Second, 0, "", osm.Accept},
		{"csf", "a script", same(script("a@far.example")), time.Second, 100, "csf-script", osm.Reject},
		{"csf", "a user's many folders", folders, time.Second, 100, "csf-localrelay", osm.Reject},
		{"csf", "a program by SMTP", same(localhost), time.Second, 100, "csf-localhostrelay", osm.Reject},
		{"csf", "slowly", same(script("a@far.example")), time.Minute, 0, "", osm.Accept},
		{"hestiacp", "a mailbox", same(login("a@far.example")), time.Second, 200, "hestia-mailbox", osm.Reject},
		{"hestiacp", "a site", same(script("a@far.example")), time.Second, 200, "hestia-user", osm.Hold},
		{"directadmin", "two recipients a message", same(login("a@far.example", "b@far.example")), time.Minute, 100,
			"directadmin-mailbox", osm.Reject},
		{"directadmin", "a site", same(script("a@far.example")), time.Minute, 1000, "directadmin-account", osm.Reject},
		{"cpguard", "fast", same(login("a@far.example")), time.Second, 30, "mailbox-minute", osm.Defer},
		{"cpguard", "steady", same(login("a@far.example")), 3 * time.Second, 300, "mailbox-hour", osm.Defer},
		{"cpguard", "a script", same(script("a@far.example")), time.Second, 30, "script-minute", osm.Hold},
	} {
		t.Run(c.file+" "+c.name, func(t *testing.T) {
			p, err := policy.New(policy.Options{Rules: example(t, c.file)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 1200 {
				m := c.message(i)
				m.ID, m.Time = fmt.Sprint(i), monday.Add(time.Duration(i)*c.pause)
				var v osm.Verdict
				p.Decide(&m, &v)
				if v.Rule == "" {
					continue
				}
				if i != c.want || c.want == 0 || v.Rule != c.rule || v.Action != c.action || !v.Shadow {
					t.Errorf("message %d: %s %s (on trial: %t), want %s %s after %d", i, v.Rule, v.Action, v.Shadow, c.rule, c.action, c.want)
				}
				return
			}
			if c.want != 0 {
				t.Error("nothing was stopped")
			}
		})
	}
}
