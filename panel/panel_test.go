package panel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// tree writes files below a fresh root; a name that ends in / is a folder. They are an hour older than t0.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, root, name, text, t0.Add(-time.Hour))
	}
	return root
}

func write(t *testing.T, root, name, text string, at time.Time) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
# a comment
alice:x:1001:1001:Alice,,,:/home/alice:/bin/bash
bob:x:1002:1002::/home2/bob/:/usr/local/cpanel/bin/noshell
+@ldap
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`

func cpanel() map[string]string {
	return map[string]string{
		"etc/passwd":              passwd,
		"etc/userdomains":         "*: nobody\nalice.example: alice\nShop.Alice.example: alice\nbob.example: bob\nold.example: nobody\n",
		"etc/trueuserdomains":     "alice.example: alice\nbob.example: bob\n",
		"etc/localdomains":        "alice.example\nshop.alice.example\nhost.example\n",
		"etc/remotedomains":       "bob.example\n",
		"var/cpanel/users/alice":  "# cPanel user\nUSER=alice\nDNS=alice.example\nPLAN=gold plan\nSTARTDATE=1700000000\nHASDKIM=1\nCONTACTEMAIL=a@b.example\nLOCALE=de\nOWNER=bob\n",
		"var/cpanel/users/bob":    "USER=bob\nPLAN=default\n",
		"var/cpanel/users/system": "not = an account",
		"var/cpanel/users/a.lock": "",
	}
}

func directadmin() map[string]string {
	users := "usr/local/directadmin/data/users/"
	return map[string]string{
		"etc/passwd":                 passwd,
		"etc/virtual/domainowners":   "alice.example: alice\nbob.example:bob\n",
		"etc/virtual/domains":        "alice.example\nhost.example\n",
		users + "alice/domains.list": "alice.example\nsecond.example\n",
		users + "alice/user.conf":    "account=ON\npackage=gold\ndate_created=Mon Mar  4 12:34:56 2024\nusername=alice\nemail=a@b.example\nlanguage=de\ncreator=bob\n",
		users + "bob/user.conf":      "package=small\n",
	}
}

func hestia() map[string]string {
	users := "usr/local/hestia/data/users/"
	return map[string]string{
		"etc/passwd":                     passwd,
		users + "alice/user.conf":        "NAME='Alice A.'\nPACKAGE='gold'\nCONTACT='a@b.example'\nLANGUAGE='de'\nTIME='12:00:00'\nDATE='2024-03-04'\n",
		users + "alice/mail.conf":        "DOMAIN='alice.example' ANTIVIRUS='yes' DKIM='yes' CATCHALL='' SUSPENDED='no' DATE='2024-03-04'\n",
		users + "alice/web.conf":         "DOMAIN='shop.example' IP='192.0.2.1' ALIAS='www.shop.example,shop2.example' TPL='default'\nDOMAIN='bare.example' ALIAS=''\n",
		users + "bob/user.conf":          "PACKAGE='small'\n",
		users + "bob/mail.conf":          "",
		"etc/exim4/domains/bob.example/": "",
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  Kind
	}{
		{cpanel(), CPanel},
		{directadmin(), DirectAdmin},
		{hestia(), Hestia},
		{map[string]string{"etc/passwd": passwd}, Plain},
	} {
		root := tree(t, c.files)
		if got := Detect(root); got != c.want {
			t.Errorf("Detect = %v, want %v", got, c.want)
		}
		if p := Open(DefaultConfig(), root, t0); p.Kind() != c.want || len(p.Errors()) > 0 {
			t.Errorf("Open: kind %v, errors %v; want %v", p.Kind(), p.Errors(), c.want)
		}
	}
	if p := Open(Config{Kind: "plain"}, tree(t, cpanel()), t0); p.Kind() != Plain {
		t.Errorf("the configured kind does not count: %v", p.Kind())
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  map[string]string
		owners map[string]string
		paths  map[string]string
		plans  map[string]string
		local  []string
		whole  bool
		born   time.Time
	}{
		{
			name: "cpanel", files: cpanel(), whole: true,
			owners: map[string]string{"alice.example": "alice", "shop.alice.example": "alice", "x.y.bob.example": "bob",
				"old.example": "", "example": "", "": "", "host.example": ""},
			paths: map[string]string{"/home/alice": "alice", "/home/alice/public_html/wp-content": "alice", "/home/alicex": "",
				"/home2/bob/public_html": "bob", "/home/virtfs/bob/home/bob/x": "bob", "/home": "", "/": "", "": "", "relative": "",
				"/root/bin": "root", "/usr/sbin": "", "/home/alice/../../home2/bob": "bob", "/nonexistent": "", "/var/www/x": ""},
			plans: map[string]string{"alice": "gold plan", "bob": "default", "carol": "", "system": ""},
			local: []string{"alice.example", "host.example", "shop.alice.example"},
			born:  time.Unix(1700000000, 0),
		},
		{
			name: "directadmin", files: directadmin(), whole: true,
			owners: map[string]string{"alice.example": "alice", "bob.example": "bob", "second.example": "alice"},
			paths:  map[string]string{"/home/alice/domains/alice.example/public_html": "alice"},
			plans:  map[string]string{"alice": "gold", "bob": "small"},
			local:  []string{"alice.example", "host.example"},
			born:   time.Date(2024, 3, 4, 12, 34, 56, 0, time.Local),
		},
		{
			name: "hestia", files: hestia(), whole: true,
			owners: map[string]string{"alice.example": "alice", "shop.example": "alice", "www.shop.example": "alice",
				"shop2.example": "alice", "bare.example": "alice"},
			paths: map[string]string{"/home/alice/web/shop.example/public_html": "alice"},
			plans: map[string]string{"alice": "gold", "bob": "small"},
			local: []string{"alice.example", "bob.example"},
			born:  time.Date(2024, 3, 4, 0, 0, 0, 0, time.Local),
		},
		{
			name: "plain", files: map[string]string{"etc/passwd": passwd, "etc/mailname": "Host.Example\n",
				"etc/exim4/update-exim4.conf.conf": "# Debian\ndc_eximconfig_configtype='internet'\ndc_other_hostnames='a.example; b.example'\n"},
			owners: map[string]string{"a.example": ""},
			paths:  map[string]string{"/home/alice/cron": "alice", "/var/www/html": ""},
			plans:  map[string]string{"alice": ""},
			local:  []string{"a.example", "b.example", "host.example"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Open(DefaultConfig(), tree(t, c.files), t0)
			for domain, want := range c.owners {
				if got := p.Owner(domain); got != want {
					t.Errorf("Owner(%q) = %q, want %q", domain, got, want)
				}
			}
			for path, want := range c.paths {
				if got := p.OwnerOfPath(path); got != want {
					t.Errorf("OwnerOfPath(%q) = %q, want %q", path, got, want)
				}
			}
			for account, want := range c.plans {
				if got := p.Plan(account); got != want {
					t.Errorf("Plan(%q) = %q, want %q", account, got, want)
				}
			}
			if got := p.LocalDomains(); !slices.Equal(got, c.local) {
				t.Errorf("LocalDomains = %q, want %q", got, c.local)
			}
			if !p.Local(c.local[0]) || p.Local("nowhere.example") || p.Complete() != c.whole {
				t.Errorf("Local(%q) = %v, Complete = %v", c.local[0], p.Local(c.local[0]), p.Complete())
			}
			if got := p.Created("alice"); !got.Equal(c.born) {
				t.Errorf("Created = %v, want %v", got, c.born)
			}
		})
	}
}

// Where the list of local domains is gone, what is hosted and not known to be elsewhere is local.
func TestLocalWithoutList(t *testing.T) {
	files := cpanel()
	delete(files, "etc/localdomains")
	p := Open(DefaultConfig(), tree(t, files), t0)
	if want := []string{"alice.example", "shop.alice.example"}; !slices.Equal(p.LocalDomains(), want) {
		t.Errorf("LocalDomains = %q, want %q", p.LocalDomains(), want)
	}
	if errs := p.Errors(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "localdomains: no such file") {
		t.Errorf("Errors = %v, want one about localdomains", errs)
	}
}

func TestUsers(t *testing.T) {
	p := Open(DefaultConfig(), tree(t, map[string]string{"etc/passwd": passwd + "alias:x:1001:1001::/home/alice:/bin/sh\n"}), t0)
	for uid, want := range map[int]string{0: "root", 33: "www-data", 1001: "alice", 1002: "bob", 7: ""} {
		if got := p.User(uid); got != want {
			t.Errorf("User(%d) = %q, want %q", uid, got, want)
		}
	}
	for user, want := range map[string]bool{"alice": true, "alias": true, "bob": true, "root": false, "www-data": false,
		"nobody": false, "nosuch": false, "": false} {
		if got := p.Person(user); got != want {
			t.Errorf("Person(%q) = %v, want %v", user, got, want)
		}
	}
}

func TestSites(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder to somebody")
	}
	root := tree(t, map[string]string{"etc/passwd": passwd, "var/www/shop/": "", "var/www/html/": "", "var/www/cms/": ""})
	for name, uid := range map[string]int{"shop": 1001, "cms": 33} {
		if err := os.Chown(filepath.Join(root, "var/www", name), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	p := Open(DefaultConfig(), root, t0)
	for path, want := range map[string]string{"/var/www/shop/public": "alice", "/var/www/cms": "", "/var/www/html": ""} {
		if got := p.OwnerOfPath(path); got != want {
			t.Errorf("OwnerOfPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestReload(t *testing.T) {
	root := tree(t, cpanel())
	p := Open(DefaultConfig(), root, t0)
	if changed, err := p.Reload(t0); changed || err != nil {
		t.Errorf("nothing changed, but Reload = %v, %v", changed, err)
	}

	write(t, root, "etc/userdomains", "alice.example: bob\nnew.example: bob\n", t0)
	write(t, root, "var/cpanel/users/carol", "PLAN=new\n", t0)
	if err := os.Remove(filepath.Join(root, "var/cpanel/users/bob")); err != nil {
		t.Fatal(err)
	}
	if changed, err := p.Reload(t0.Add(time.Minute)); !changed || err != nil {
		t.Fatalf("Reload = %v, %v, want a change", changed, err)
	}
	if p.Owner("alice.example") != "bob" || p.Owner("new.example") != "bob" || p.Plan("carol") != "new" || p.Plan("bob") != "" {
		t.Errorf("old answers: %q %q %q %q", p.Owner("alice.example"), p.Owner("new.example"), p.Plan("carol"), p.Plan("bob"))
	}
}

// A file that is written twice within the grain of its time is read again.
func TestReloadFresh(t *testing.T) {
	files := cpanel()
	root := tree(t, files)
	write(t, root, "etc/userdomains", "alice.example: alice\n", t0)
	p := Open(DefaultConfig(), root, t0)
	write(t, root, "etc/userdomains", "alice.example: carol\n", t0)
	if _, err := p.Reload(t0.Add(time.Second)); err != nil || p.Owner("alice.example") != "carol" {
		t.Errorf("owner %q, %v; want carol", p.Owner("alice.example"), err)
	}
}

func TestDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"no colon":    "alice.example alice\n",
		"binary":      "alice.example: bob\x00\n",
		"half a line": "alice.example: bob\nbob.exam",
		"a path":      "alice.example: ../../etc\n",
	} {
		root := tree(t, cpanel())
		p := Open(DefaultConfig(), root, t0)
		write(t, root, "etc/userdomains", text, t0.Add(time.Minute))
		changed, err := p.Reload(t0.Add(time.Hour))
		if !changed || err == nil || !strings.Contains(err.Error(), "/etc/userdomains: ") {
			t.Errorf("%s: Reload = %v, %v; want an error that names the file", name, changed, err)
		}
		if p.Owner("alice.example") != "alice" || p.Owner("bob.example") != "bob" {
			t.Errorf("%s: the old map is lost", name)
		}
		if changed, err := p.Reload(t0.Add(time.Hour)); changed || err == nil {
			t.Errorf("%s: the second Reload = %v, %v; want no change and the same error", name, changed, err)
		}
		write(t, root, "etc/userdomains", "alice.example: carol\n", t0.Add(2*time.Minute))
		if _, err := p.Reload(t0.Add(time.Hour)); err != nil || p.Owner("alice.example") != "carol" || len(p.Errors()) > 0 {
			t.Errorf("%s: not recovered: %v, %q", name, err, p.Owner("alice.example"))
		}
	}
}

func TestVanished(t *testing.T) {
	root := tree(t, cpanel())
	p := Open(DefaultConfig(), root, t0)
	if err := os.Remove(filepath.Join(root, "etc/userdomains")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Reload(t0); err == nil || p.Owner("alice.example") != "alice" {
		t.Errorf("error %v, owner %q; want an error and the old answer", err, p.Owner("alice.example"))
	}
}

func TestConfigCheck(t *testing.T) {
	for kind, bad := range map[string]bool{"auto": false, "plain": false, "hestia": false, "plesk": true, "": true} {
		got := false
		c := Config{Kind: kind}
		c.Check(func(string, string) { got = true })
		if got != bad {
			t.Errorf("Check(%q): problem %v, want %v", kind, got, bad)
		}
	}
}

func FuzzMaps(f *testing.F) {
	for _, files := range []map[string]string{cpanel(), directadmin(), hestia()} {
		for _, text := range files {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (facts, error){parseOwners, parseDomains, parseRemote, parseDebian, parsePasswd,
			func(b []byte) (facts, error) { return parseDirectAdminUser("alice", b) },
			func(b []byte) (facts, error) { return parseHestiaUser("alice", b) },
			func(b []byte) (facts, error) { return parseHestiaMail("alice", b) },
		} {
			read, _ := parse(data)
			for _, o := range read.owners {
				if o.key == "" || o.value == "" || o.key != strings.ToLower(o.key) || strings.ContainsAny(o.key+o.value, "/ \n\x00") {
					t.Errorf("owner %q of %q", o.value, o.key)
				}
			}
			for _, d := range read.local {
				if d == "" || strings.ContainsAny(d, "/ \n\x00") {
					t.Errorf("local domain %q", d)
				}
			}
			for _, h := range read.homes {
				if !strings.HasPrefix(h.key, "/") && strings.Count(h.key, "/") < 2 {
					t.Errorf("home %q", h.key)
				}
			}
		}
	})
}

func BenchmarkOwner(b *testing.B) {
	p := &Panel{}
	p.maps.Store(&maps{owners: map[string]string{"alice.example": "alice"}, homes: map[string]string{"/home/alice": "alice"}})
	b.Run("domain", func(b *testing.B) {
		for b.Loop() {
			p.Owner("alice.example")
		}
	})
	b.Run("path", func(b *testing.B) {
		for b.Loop() {
			p.OwnerOfPath("/home/alice/public_html/wp-content/plugins/contact")
		}
	})
}

func TestContact(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  Contact
	}{
		"cpanel":      {cpanel(), Contact{"a@b.example", "de", "bob"}},
		"directadmin": {directadmin(), Contact{"a@b.example", "de", "bob"}},
		"hestia":      {hestia(), Contact{"a@b.example", "de", ""}}, // it has no resellers
		"plain":       {map[string]string{"etc/passwd": passwd}, Contact{}},
	} {
		p := Open(DefaultConfig(), tree(t, c.files), t0)
		if got := p.Contact("alice"); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if got := p.Contact("nobody"); got != (Contact{}) {
			t.Errorf("%s: nobody is reached by %+v", name, got)
		}
	}
}
