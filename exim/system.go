package exim

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// system is a way in which Exim is set up on a server: where its supported include points are.
type system struct {
	name, about string
	found       func(root string) bool
	config      string // the configuration that Exim reads in the end
	plan        func(d *draft, s Snippets) error
	build       []string // makes config of its parts; nil where the parts are read as they are
	try         []string // the same into another file, whose name is appended; nil where that can't be
}

// systems are all that osm knows, the most particular first.
func systems() []system {
	debian := []string{"update-exim4.conf"}
	tryDebian := []string{"update-exim4.conf", "-o"}
	return []system{
		{"cpanel", "cPanel: custom ACL blocks and /etc/exim.conf.local", has("usr/local/cpanel/etc/exim/acls"),
			"/etc/exim.conf", planCPanel, []string{"/usr/local/cpanel/scripts/buildeximconf"}, nil},
		{"directadmin", "DirectAdmin: the .pre.conf files that its exim.conf includes", has("usr/local/directadmin"),
			"/etc/exim.conf", planDirectAdmin, nil, nil},
		{"hestiacp", "HestiaCP: /etc/exim4/exim4.conf.template, which HestiaCP writes once", has("usr/local/hestia"),
			debianConfig, planHestia, debian, tryDebian},
		{"debian-split", "Debian's packages with split configuration: /etc/exim4/conf.d", isSplit, debianConfig,
			planDebianSplit, debian, tryDebian},
		{"debian-single", "Debian's packages with one template: /etc/exim4/exim4.conf.localmacros", has("etc/exim4/exim4.conf.template"),
			debianConfig, planDebianSingle, debian, tryDebian},
		{"plain", "a configuration file of your own", func(string) bool { return true }, "", planPlain, nil, nil},
	}
}

func has(path string) func(root string) bool {
	return func(root string) bool {
		_, err := os.Stat(filepath.Join(root, path))
		return err == nil
	}
}

// findSystem returns the system of a name, or the one that a server has.
func findSystem(root, name string) (*system, error) {
	var names []string
	for _, s := range systems() {
		if name == s.name || name == "" && s.found(root) {
			return &s, nil
		}
		names = append(names, s.name)
	}
	return nil, fmt.Errorf("%q is no system that osm knows: there are %s", name, strings.Join(names, ", "))
}

// SystemNames are the systems that an Installer knows, with a line about each.
func SystemNames() [][2]string {
	var all [][2]string
	for _, s := range systems() {
		all = append(all, [2]string{s.name, s.about})
	}
	return all
}

// notPossible says what a system's include points do not allow.
func notPossible(system, what, instead string) error {
	return fmt.Errorf("%s has no supported place for %s: %s", system, what, instead)
}

// askedPoints are the rows of points that are asked at.
func (s *Snippets) askedPoints() []pointRow {
	return slices.DeleteFunc(slices.Clone(points[:]), func(p pointRow) bool { return !s.asks(p.point) })
}

// createFiles puts the ACLs into files of their own, which other ACLs and options name by their path (specification 43.7):
// for systems that have no place for named ACLs. inside has the ACLs that are to be put around others, nil where hooks do.
func createFiles(d *draft, s Snippets, inside map[Point]string) error {
	all := s.acls()
	for _, p := range s.askedPoints() {
		if inside != nil {
			all = append(all, s.around(p.point, inside[p.point])...)
		}
	}
	for _, a := range all {
		if err := d.create(s.folder+"/"+strings.TrimPrefix(a.name, "osm_"), s.calls(a.text)); err != nil {
			return err
		}
	}
	return nil
}

// User is the unix user that an Exim gives up root for.
type User struct {
	Name     string
	UID, GID int
}

// UserOf asks the Exim at binary for its user, which was compiled in or is configured.
func UserOf(ctx context.Context, binary string) (User, error) {
	said, err := ask(ctx, binary, "-bP", "exim_user")
	if err != nil {
		return User{}, err
	}
	return userIn(said)
}

// userIn reads the answer to -bP exim_user.
func userIn(said string) (User, error) {
	name, ok := strings.CutPrefix(strings.TrimSpace(said), "exim_user = ")
	if !ok {
		return User{}, fmt.Errorf("ask Exim for its user: it says %q", said)
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return User{}, fmt.Errorf("look up the user of Exim: %w", err)
		}
	}
	found := User{Name: u.Username}
	if found.UID, err = strconv.Atoi(u.Uid); err != nil {
		return User{}, fmt.Errorf("look up the user of Exim: %w", err)
	}
	if found.GID, err = strconv.Atoi(u.Gid); err != nil {
		return User{}, fmt.Errorf("look up the user of Exim: %w", err)
	}
	return found, nil
}
