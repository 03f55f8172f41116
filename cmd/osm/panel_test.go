package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"osm/access"
)

// TestPanelShells runs the shells as the panels do, with the real program and its file of users: whom the panel has signed in
// comes in with what is his, once.
func TestPanelShells(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may say who comes in")
	}
	dir := t.TempDir()
	root, binary, config := filepath.Join(dir, "server"), filepath.Join(dir, "osm"), filepath.Join(dir, "osm.toml")
	for name, text := range map[string]string{
		"usr/local/cpanel/bin/register_appconfig":         "#!/bin/sh\n",
		"usr/local/cpanel/bin/unregister_appconfig":       "#!/bin/sh\n",
		"var/cpanel/resellers":                            "shop:list-accts\n",
		"var/cpanel/users/anna":                           "OWNER=shop\n",
		"var/cpanel/users/shop":                           "OWNER=shop\n",
		"var/cpanel/users/else":                           "OWNER=root\n",
		"usr/local/directadmin/data/users/rita/user.conf": "usertype=reseller\ncreator=admin\n",
		"usr/local/directadmin/data/users/bob/user.conf":  "usertype=user\ncreator=rita\n",
		"usr/local/hestia/data/users/carl/user.conf":      "ROLE='user'\n",
		"etc/passwd": "root:x:0:0::/root:/bin/sh\n",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	text := fmt.Sprintf("[store]\npath = %q\n[web]\nurl = \"https://mail.example.org\"\nbase_path = \"/osm\"\n", filepath.Join(dir, "osm.db"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(kind string, args ...string) string {
		t.Helper()
		out, err := exec.Command(binary, append(args, "-c", config, "--root", root)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", kind, err, out)
		}
		return string(out)
	}
	run("install", "panel", "install")
	users := access.New(access.Options{Path: access.Path(filepath.Join(dir, "osm.db")), Now: time.Now})
	t.Cleanup(func() { users.Close() })
	ticket := regexp.MustCompile(`https://mail\.example\.org/osm/ticket/([A-Za-z0-9_-]+)`)
	for _, c := range []struct {
		shell    string
		env      string
		args     []string
		role     access.Role // "": he does not come in
		accounts string
	}{
		{"usr/local/cpanel/whostmgr/docroot/cgi/osm/index.cgi", "REMOTE_USER=root", nil, access.Admin, ""},
		{"usr/local/cpanel/whostmgr/docroot/cgi/osm/index.cgi", "REMOTE_USER=shop", nil, access.Reseller, "anna shop"},
		{"usr/local/cpanel/whostmgr/docroot/cgi/osm/index.cgi", "REMOTE_USER=anna", nil, "", ""},
		{"usr/local/directadmin/plugins/osm/reseller/enter.raw", "USERNAME=rita", nil, access.Reseller, "bob rita"},
		{"usr/local/directadmin/plugins/osm/user/enter.raw", "USERNAME=bob", nil, access.Customer, "bob"},
		{"usr/local/directadmin/plugins/osm/admin/enter.raw", "USERNAME=bob", nil, "", ""},
		{"usr/local/hestia/bin/v-osm-enter", "X=", []string{"carl"}, access.Customer, "carl"},
		{"usr/local/hestia/bin/v-osm-enter", "X=", []string{"mallory; id"}, "", ""},
	} {
		cmd := exec.Command(filepath.Join(root, c.shell), c.args...)
		cmd.Env = []string{c.env, "QUERY_STRING=enter", "PATH=/usr/bin:/bin"}
		cmd.Stderr = io.Discard
		out, err := cmd.Output()
		found := ticket.FindStringSubmatch(string(out))
		if (found != nil) != (c.role != "") || (err == nil) != (c.role != "") {
			t.Errorf("%s, %s: %v: %s", c.shell, c.env, err, out)
			continue
		}
		if c.role == "" {
			continue
		}
		g, err := users.UseTicket(t.Context(), found[1])
		slices.Sort(g.Accounts)
		if err != nil || g.Role != c.role || strings.Join(g.Accounts, " ") != c.accounts {
			t.Errorf("%s, %s: %+v, %v", c.shell, c.env, g, err)
		}
		if _, err := users.UseTicket(t.Context(), found[1]); !errors.Is(err, access.ErrOver) {
			t.Errorf("%s: its ticket is good for twice: %v", c.shell, err)
		}
	}
	page, err := exec.Command(filepath.Join(root, "usr/local/cpanel/whostmgr/docroot/cgi/osm/index.cgi")).Output()
	if err != nil || !strings.Contains(string(page), `href="?enter"`) {
		t.Errorf("WHM's page: %v: %s", err, page)
	}
	run("uninstall", "panel", "uninstall")
	if left := run("uninstall again", "panel", "uninstall"); strings.Contains(left, "removed") {
		t.Errorf("left: %s", left)
	}
}
