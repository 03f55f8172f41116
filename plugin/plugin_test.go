package plugin

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// server is a made-up tree of a panel, and what is in it.
func server(t *testing.T, extra map[string]string) string {
	t.Helper()
	root := t.TempDir()
	all := map[string]string{
		"usr/local/cpanel/version":                                   "11.130\n",
		"usr/local/cpanel/bin/register_appconfig":                    "#!/bin/sh\nroot=${0%/usr/local/*}\nmkdir -p $root/var/cpanel/apps\ncp $1 $root/var/cpanel/apps/osm.conf\n",
		"usr/local/cpanel/bin/unregister_appconfig":                  "#!/bin/sh\nroot=${0%/usr/local/*}\nrm $root/var/cpanel/apps/$1.conf\n",
		"usr/local/cpanel/whostmgr/docroot/cgi/other.cgi":            "theirs\n",
		"usr/local/directadmin/plugins/other/plugin.conf":            "theirs\n",
		"usr/local/hestia/bin/v-list-users":                          "theirs\n",
		"usr/local/hestia/web/js/custom_scripts/README.txt":          "theirs\n",
		"var/cpanel/resellers":                                       "shop:list-accts,add-pkg\nboss:all\n",
		"var/cpanel/apps/theirs.conf":                                "theirs\n",
		"usr/local/directadmin/data/users/anna/user.conf":            "usertype=admin\n",
		"usr/local/directadmin/data/users/rita/user.conf":            "name=Rita\nusertype=reseller\n",
		"usr/local/directadmin/data/users/bob/user.conf":             "usertype=user\ncreator=rita\n",
		"usr/local/hestia/data/users/admin/user.conf":                "FNAME='A'\nROLE='admin'\n",
		"usr/local/hestia/data/users/carl/user.conf":                 "FNAME='C'\nROLE='user'\n",
		"usr/local/directadmin/data/users/evil/user.conf/not-a-file": "",
	}
	maps.Copy(all, extra)
	for name, text := range all {
		path := filepath.Join(root, name)
		mode := fs.FileMode(0o644)
		if strings.Contains(name, "/bin/") {
			mode = 0o755
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// tree is every file and folder below a root, with its mode and text.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := []byte{}
		if !d.IsDir() {
			text, err = os.ReadFile(path)
		}
		all[strings.TrimPrefix(path, root)] = info.Mode().String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestInstallAndUninstall: installed twice is installed once, a damaged file is mended, and uninstalling leaves nothing.
func TestInstallAndUninstall(t *testing.T) {
	root := server(t, nil)
	before := tree(t, root)
	i := &Installer{Program: "/usr/bin/osm", Config: "/etc/it's/osm.toml", Root: root}
	found := i.Find()
	if len(found) != len(Panels()) {
		t.Fatalf("found %d panels", len(found))
	}
	for _, p := range found {
		plan, err := i.Plan(&p)
		if err != nil {
			t.Fatal(err)
		}
		first, err := i.Install(t.Context(), &p)
		if err != nil || len(first) != len(plan) || len(first) == 0 {
			t.Fatalf("%s: wrote %v, %v", p.Name, first, err)
		}
		after := tree(t, root)
		if again, err := i.Install(t.Context(), &p); err != nil || len(again) != 0 || !maps.Equal(tree(t, root), after) {
			t.Errorf("%s, once more: wrote %v, %v", p.Name, again, err)
		}
		if err := os.WriteFile(i.path(plan[0].Path), []byte("damaged"), 0o644); err != nil {
			t.Fatal(err)
		}
		if mended, err := i.Install(t.Context(), &p); err != nil || !slices.Equal(mended, []string{plan[0].Path}) || !maps.Equal(tree(t, root), after) {
			t.Errorf("%s, mended %v, %v", p.Name, mended, err)
		}
		for name := range after {
			if strings.HasPrefix(filepath.Base(name), ".osm-") {
				t.Errorf("%s is left", name)
			}
		}
	}
	if _, ok := tree(t, root)["/var/cpanel/apps/osm.conf"]; !ok {
		t.Error("WHM was not told")
	}
	for _, p := range found {
		if removed, err := i.Uninstall(t.Context(), &p); err != nil || len(removed) == 0 {
			t.Errorf("%s: removed %v, %v", p.Name, removed, err)
		}
		if again, err := i.Uninstall(t.Context(), &p); err != nil || len(again) != 0 {
			t.Errorf("%s, once more: removed %v, %v", p.Name, again, err)
		}
	}
	if after := tree(t, root); !maps.Equal(after, before) {
		t.Errorf("before %v\nafter  %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
}

func TestInstallTellsWhatFails(t *testing.T) {
	i := &Installer{Program: "/usr/bin/osm", Root: t.TempDir()}
	whm := Panels()[0]
	if _, err := i.Install(t.Context(), &whm); err == nil || len(i.Find()) != 0 {
		t.Errorf("without a panel: %v", err)
	}
	i.Root = server(t, nil)
	i.Run = func(context.Context, ...string) error { return errors.New("no") }
	if _, err := i.Install(t.Context(), &whm); err == nil || !strings.Contains(err.Error(), "register_appconfig") {
		t.Errorf("when WHM refuses: %v", err)
	}
}

// TestVisitors: the panel's records say what somebody may do, whatever the shell was told.
func TestVisitors(t *testing.T) {
	root := server(t, nil)
	resold := func(owner string) []string { return []string{"of-" + owner} }
	for _, c := range []struct {
		panel, variable, name string
		args                  []string
		level                 Level // "": he does not come in
		accounts              int
	}{
		{"whm", "REMOTE_USER", "root", nil, Admin, 0},
		{"whm", "REMOTE_USER", "boss", nil, Admin, 0},
		{"whm", "REMOTE_USER", "shop", nil, Reseller, 1},
		{"whm", "REMOTE_USER", "stranger", nil, "", 0},
		{"whm", "REMOTE_USER", "", nil, "", 0},
		{"whm", "OTHER", "root", nil, "", 0},
		{"directadmin", "USERNAME", "anna", []string{"admin"}, Admin, 0},
		{"directadmin", "USERNAME", "anna", []string{"reseller"}, Reseller, 1},
		{"directadmin", "USERNAME", "anna", []string{"user"}, Customer, 0},
		{"directadmin", "USERNAME", "rita", []string{"admin"}, "", 0},
		{"directadmin", "USERNAME", "rita", []string{"reseller"}, Reseller, 1},
		{"directadmin", "USERNAME", "bob", []string{"reseller"}, "", 0},
		{"directadmin", "USERNAME", "bob", []string{"user"}, Customer, 0},
		{"directadmin", "USERNAME", "anna|bob", []string{"user"}, Customer, 0},
		{"directadmin", "USERNAME", "anna|bob", []string{"admin"}, "", 0},
		{"directadmin", "USERNAME", "bob", nil, "", 0},
		{"directadmin", "USERNAME", "nobody", []string{"user"}, "", 0},
		{"directadmin", "USERNAME", "../../evil", []string{"user"}, "", 0},
		{"directadmin", "USERNAME", "evil", []string{"user"}, "", 0},
		{"hestiacp", "", "", []string{"admin"}, Admin, 0},
		{"hestiacp", "", "", []string{"carl"}, Customer, 0},
		{"hestiacp", "", "", []string{"dora"}, "", 0},
		{"hestiacp", "", "", []string{"carl", "admin"}, "", 0},
		{"hestiacp", "", "", []string{"carl\nROLE='admin'"}, "", 0},
		{"plesk", "", "", nil, "", 0},
	} {
		d := Door{Panel: c.panel, Args: c.args, Root: root, Resold: resold, Getenv: func(key string) string {
			if key == c.variable {
				return c.name
			}
			return ""
		}}
		v, err := d.Visitor()
		if (err == nil) != (c.level != "") || v.Level != c.level || len(v.Accounts) != c.accounts {
			t.Errorf("%s, %q %v: %+v, %v", c.panel, c.name, c.args, v, err)
		}
	}
}

func FuzzVisitor(f *testing.F) {
	f.Add("root", "admin")
	f.Add("anna|../bob", "user")
	f.Fuzz(func(t *testing.T, name, arg string) {
		for _, p := range Panels() {
			d := Door{Panel: p.Name, Args: []string{arg}, Root: t.TempDir(), Resold: func(string) []string { return nil },
				Getenv: func(string) string { return name }}
			if v, err := d.Visitor(); err == nil && v.Name != "root" {
				t.Errorf("%s lets in %+v where there are no records", p.Name, v)
			}
		}
	})
}
