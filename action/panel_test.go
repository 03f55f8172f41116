package action

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
)

var monday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fake is a program that writes down how it was called and answers as the panel's documentation shows.
func fake(t *testing.T, root, program, answer string, status int) {
	t.Helper()
	path := filepath.Join(root, program)
	script := fmt.Sprintf("#!/bin/sh\n{ printf '<%%s>' '%s' \"$@\"; echo; } >> %s/calls\ncat <<'ANSWER'\n%s\nANSWER\necho warning >&2\nexit %d\n", program, root, answer, status)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
}

// calls are the recorded ones, and forgets them.
func calls(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "calls"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(root, "calls"))
	return string(text)
}

const (
	whmOK   = `{"metadata":{"command":"suspend_outgoing_email","reason":"OK","result":1,"version":1}}`
	whmBad  = `{"metadata":{"command":"suspend_outgoing_email","reason":"The user “nobody” does not exist.","result":0,"version":1}}`
	uapiOK  = `{"apiversion":3,"func":"suspend_outgoing","module":"Email","result":{"data":1,"errors":null,"messages":null,"metadata":{},"status":1,"warnings":null}}`
	uapiBad = `{"apiversion":3,"func":"suspend_outgoing","module":"Email","result":{"data":null,"errors":["no such mailbox"],"messages":null,"status":0}}`
)

func login(v string) osm.Key   { return osm.Key{Kind: osm.KeyLogin, Value: v} }
func account(v string) osm.Key { return osm.Key{Kind: osm.KeyAccount, Value: v} }

func TestPanelPrograms(t *testing.T) {
	for _, c := range []struct {
		panel    string
		way      PanelWay
		subject  Subject
		answer   string
		status   int
		do, undo string // how the program is called
		bad      string // the error
	}{
		{"cpanel", PanelSuspends, Subject{Key: account("shop")}, whmOK, 0,
			"<" + whmapi1 + "><--output=json><suspend_outgoing_email><user=shop>\n",
			"<" + whmapi1 + "><--output=json><unsuspend_outgoing_email><user=shop>\n", ""},
		{"cpanel", PanelHolds, Subject{Key: account("shop")}, whmOK, 0,
			"<" + whmapi1 + "><--output=json><hold_outgoing_email><user=shop>\n",
			"<" + whmapi1 + "><--output=json><release_outgoing_email><user=shop>\n", ""},
		{"cpanel", PanelSuspends, Subject{Key: account("nobody")}, whmBad, 0,
			"<" + whmapi1 + "><--output=json><suspend_outgoing_email><user=nobody>\n", "", "does not exist"},
		{"cpanel", PanelSuspends, Subject{Key: account("shop")}, "Segmentation fault", 0,
			"<" + whmapi1 + "><--output=json><suspend_outgoing_email><user=shop>\n", "", "can't be read"},
		{"cpanel", PanelSuspends, Subject{login("a.b+c@shop.example"), "shop"}, uapiOK, 0,
			"<" + uapi + "><--output=json><--user=shop><Email><suspend_outgoing><email=a.b+c@shop.example>\n",
			"<" + uapi + "><--output=json><--user=shop><Email><unsuspend_outgoing><email=a.b+c@shop.example>\n", ""},
		{"cpanel", PanelHolds, Subject{login("a@shop.example"), "shop"}, uapiBad, 0,
			"<" + uapi + "><--output=json><--user=shop><Email><hold_outgoing><email=a@shop.example>\n", "",
			"no such mailbox"},
		{"hestia", PanelSuspends, Subject{login("a@shop.example"), "shop"}, "", 0,
			"<" + hestia + "v-suspend-mail-account><shop><shop.example><a>\n",
			"<" + hestia + "v-unsuspend-mail-account><shop><shop.example><a>\n", ""},
		{"hestia", PanelSuspends, Subject{login("a@shop.example"), "shop"}, "Error: account shop.example is suspended", 6,
			"<" + hestia + "v-suspend-mail-account><shop><shop.example><a>\n", "", "is suspended"},
		{"hestia", PanelSuspends, Subject{osm.Key{Kind: osm.KeySenderDomain, Value: "shop.example"}, "shop"}, "", 0,
			"<" + hestia + "v-suspend-mail-domain><shop><shop.example>\n",
			"<" + hestia + "v-unsuspend-mail-domain><shop><shop.example>\n", ""},
	} {
		root := t.TempDir()
		for _, program := range []string{whmapi1, uapi, hestia + "v-suspend-mail-account",
			hestia + "v-unsuspend-mail-account",
			hestia + "v-suspend-mail-domain", hestia + "v-unsuspend-mail-domain"} {
			fake(t, root, program, c.answer, c.status)
		}
		cfg := DefaultSuspendConfig()
		cfg.Panel = c.way
		plan, err := cfg.Plan(ByPanel, c.panel, c.subject)
		if err != nil {
			t.Errorf("%s %s: %v", c.panel, c.subject.Key, err)
			continue
		}
		_, err = plan.Do.Carry(t.Context(), root, monday)
		if got := calls(t, root); got != c.do {
			t.Errorf("%s %s calls\n%swant\n%s", c.panel, c.subject.Key, got, c.do)
		}
		if (err != nil) != (c.bad != "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%s %s: %v, want an error with %q", c.panel, c.subject.Key, err, c.bad)
		}
		if c.undo == "" {
			continue
		}
		if _, err = plan.Undo.Carry(t.Context(), root, monday); err != nil {
			t.Error(err)
		}
		if got := calls(t, root); got != c.undo {
			t.Errorf("%s %s is undone by\n%swant\n%s", c.panel, c.subject.Key, got, c.undo)
		}
	}
}

// TestDirectAdmin edits the files that its exim.conf looks into.
func TestDirectAdmin(t *testing.T) {
	for file, subject := range map[string]Subject{
		"blacklist_usernames":        {Key: account("shop")},
		"blacklist_smtp_usernames":   {login("a@shop.example"), "shop"},
		"blacklist_script_usernames": {Key: osm.Key{Kind: osm.KeyUser, Value: "shop"}},
	} {
		cfg := DefaultSuspendConfig()
		plan, err := cfg.Plan(ByPanel, "directadmin", subject)
		if err != nil {
			t.Error(err)
			continue
		}
		root := t.TempDir()
		path := filepath.Join(root, virtual, file)
		const before = "fred:1409557166\nshopper:1409557166:more=info" // without its last line end
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(before),
			0o640)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time after a crash
			if _, err := plan.Do.Carry(t.Context(), root, monday); err != nil {
				t.Error(err)
			}
		}
		text, _ := os.ReadFile(path)
		if want := fmt.Sprintf("%s\n%s:%d:by=osm\n", before, plan.Do.Line, monday.Unix()); string(text) != want {
			t.Errorf("%s is\n%swant\n%s", file, text, want)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		for range 2 {
			if _, err := plan.Undo.Carry(t.Context(), root, monday); err != nil {
				t.Error(err)
			}
		}
		if text, _ = os.ReadFile(path); string(text) != before+"\n" {
			t.Errorf("after it %s is\n%s", file, text)
		}
		os.WriteFile(path, []byte(plan.Do.Line+":1409557166\n"), 0o640)
		if _, err := plan.Do.Carry(t.Context(), root, monday); err == nil {
			t.Error("a sender that the administrator has stopped is taken for ours")
		}
		plan.Undo.Carry(t.Context(), root, monday)
		if text, _ = os.ReadFile(path); !strings.HasPrefix(string(text), plan.Do.Line) {
			t.Error("the administrator's own line is removed")
		}
	}
}

// TestNoPlan: nothing that is not what it should be gets near a panel's program.
func TestNoPlan(t *testing.T) {
	cfg := DefaultSuspendConfig()
	cfg.Command, cfg.Undo = []string{"/bin/x", "{kind}={value}", "{account}"}, []string{"/bin/y", "{value}"}
	for _, panel := range []string{"cpanel", "directadmin", "hestia", "plain", ""} {
		for _, s := range []Subject{
			{Key: account("root")}, {Key: account("-x")}, {Key: account("a b")}, {Key: account("a;b")},
			{Key: account("../x")}, {Key: account("")},
			{login("a@x.example"), ""}, {login("a@x.example"), "root"}, {login("a@x.example"), "--user=root"},
			{login("alice"), "shop"},
			{login("-a@x.example"), "shop"}, {login("a b@x.example"), "shop"}, {login("a\n@x.example"), "shop"},
			{login("a@-x"), "shop"},
			{login("a@x/../y"), "shop"}, {login("a:b@x.example"), "shop"}, {login("a@x:y"), "shop"},
			{login("a@X.example"), "shop"},
			{osm.Key{Kind: osm.KeySenderDomain, Value: "x y"}, "shop"}, {osm.Key{Kind: osm.KeyCountry, Value: "DE"},
				"shop"},
			{osm.Key{Kind: osm.KeyUser, Value: "root"}, ""}, {osm.Key{Kind: osm.KeyUser, Value: "x:y"}, ""},
		} {
			if p, err := cfg.Plan(ByPanel, panel, s); err == nil {
				t.Errorf("%s %q: %s", panel, s, p.Do)
			}
		}
	}
	for _, s := range []Subject{{Key: login("a\nb")}, {Key: login("-x")}, {login("a"), "\x00"}} {
		if p, err := cfg.Plan(ByCommand, "", s); err == nil {
			t.Errorf("%q: %s", s, p.Do)
		}
	}
	if _, err := cfg.Plan(ByList, "", Subject{Key: login("a")}); err == nil {
		t.Error("the list is carried out by a program")
	}
}

func TestCommandAndPrefix(t *testing.T) {
	cfg := DefaultSuspendConfig()
	cfg.Prefix = []string{"/usr/bin/sudo", "-n"}
	cfg.Command, cfg.Undo = []string{"/bin/x", "{kind}={value}", "{account}"}, []string{"/bin/y", "{value}"}
	s := Subject{login("$(id) {kind}@x"), "shop"}
	p, err := cfg.Plan(ByCommand, "plain", s)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	fake(t, root, "/bin/x", "", 0)
	if _, err := p.Do.Carry(t.Context(), root, monday); err != nil {
		t.Error(err)
	}
	if got, want := calls(t, root), "</bin/x><login=$(id) {kind}@x><shop>\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if p, err = cfg.Plan(ByPanel, "hestia", Subject{login("a@x.example"), "shop"}); err != nil ||
		p.Undo.Argv[0] != "/usr/bin/sudo" ||
		p.Do.String() != "/usr/bin/sudo -n "+hestia+"v-suspend-mail-account shop x.example a" {
		t.Errorf("%+v, %v", p, err)
	}
}
