// Package plugin puts osm's page into hosting panels: it installs thin shells there and finds out who stands at one of them.
// The shells hold no logic: each starts osm as root, which believes nothing but what the panel's own records say. Only the
// ways that the panels document are used. Signing the visitor in, and serving pages, is left to others.
package plugin

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed files
var files embed.FS

// Panel is a hosting panel that osm's page can be put into. There is one row for each.
type Panel struct {
	Name  string
	Kind  string // as panel.kind of the configuration has it
	Title string
	Mark  string // a path that is there where the panel is
	About string // what is installed, and who then sees what

	shells  []shell
	folders []string   // of our own, the deepest first
	begin   [][]string // programs of the panel's that make it known
	end     [][]string // and unknown
}

// shell is one file of a panel's.
type shell struct {
	source string // in files
	path   string
	mode   fs.FileMode
}

const (
	whmFolder    = "/usr/local/cpanel/whostmgr/docroot/cgi/osm"
	daFolder     = "/usr/local/directadmin/plugins/osm"
	hestiaFolder = "/usr/local/hestia"
)

// Panels is the table of all.
func Panels() []Panel {
	da := []shell{{"directadmin/plugin.conf", daFolder + "/plugin.conf", 0o644}}
	folders := []string{}
	for _, level := range []string{"admin", "reseller", "user"} {
		da = append(da, shell{"directadmin/index-" + level, daFolder + "/" + level + "/index.html", 0o755},
			shell{"directadmin/enter-" + level, daFolder + "/" + level + "/enter.raw", 0o755},
			shell{"directadmin/menu-" + level, daFolder + "/hooks/" + level + "_txt.html", 0o644})
		folders = append(folders, daFolder+"/"+level)
	}
	return []Panel{
		{Name: "whm", Kind: "cpanel", Title: "cPanel & WHM", Mark: "/usr/local/cpanel",
			About:   "a plugin in WHM: root sees everything, a reseller the accounts that he owns",
			shells:  []shell{{"whm/osm.conf", whmFolder + "/osm.conf", 0o600}, {"whm/index.cgi", whmFolder + "/index.cgi", 0o755}},
			folders: []string{whmFolder},
			begin:   [][]string{{"/usr/local/cpanel/bin/register_appconfig", whmFolder + "/osm.conf"}},
			end:     [][]string{{"/usr/local/cpanel/bin/unregister_appconfig", "osm"}}},
		{Name: "directadmin", Kind: "directadmin", Title: "DirectAdmin", Mark: "/usr/local/directadmin",
			About:  "a plugin on all three levels: an administrator sees everything, a reseller his accounts, a user his own",
			shells: da, folders: append(folders, daFolder+"/hooks", daFolder)},
		{Name: "hestiacp", Kind: "hestia", Title: "HestiaCP", Mark: "/usr/local/hestia",
			About: "a link in the panel's bar: an administrator sees everything, a user his own account",
			shells: []shell{{"hestiacp/v-osm-enter", hestiaFolder + "/bin/v-osm-enter", 0o755},
				{"hestiacp/index.php", hestiaFolder + "/web/osm/index.php", 0o644},
				{"hestiacp/osm.js", hestiaFolder + "/web/js/custom_scripts/osm.js", 0o644}},
			folders: []string{hestiaFolder + "/web/osm"}},
	}
}

// Installer puts osm into panels and takes it out again. It needs root.
type Installer struct {
	Program string // osm, as the shells start it
	Config  string // its configuration file; "" is the usual one
	Root    string // below which the server's files are; "" is /. Only tests set it

	// Run runs a program of the panel's; nil is the usual way.
	Run func(ctx context.Context, command ...string) error
}

func (i *Installer) path(p string) string { return filepath.Join("/", i.Root, p) }

// Find lists the panels that are on this server.
func (i *Installer) Find() []Panel {
	return slices.DeleteFunc(Panels(), func(p Panel) bool {
		_, err := os.Stat(i.path(p.Mark))
		return err != nil
	})
}

// File is one file that an installation writes.
type File struct {
	Path string      `json:"path"`
	Mode fs.FileMode `json:"mode"`
	Text string      `json:"text"`
}

// Plan lists what Install would write.
func (i *Installer) Plan(p *Panel) ([]File, error) {
	enter := quote(i.Program) + " panel enter"
	if i.Config != "" {
		enter += " -c " + quote(i.Config)
	}
	if i.Root != "" {
		enter += " --root " + quote(i.Root)
	}
	all := make([]File, len(p.shells))
	for n, s := range p.shells {
		t, err := template.ParseFS(files, "files/"+s.source)
		if err != nil {
			return nil, fmt.Errorf("read the shells for %s: %w", p.Title, err)
		}
		var text bytes.Buffer
		if err := t.Execute(&text, map[string]string{"Enter": enter}); err != nil {
			return nil, fmt.Errorf("write the shells for %s: %w", p.Title, err)
		}
		all[n] = File{s.path, s.mode, text.String()}
	}
	return all, nil
}

// quote writes a text as one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Install puts osm into a panel and tells which files it wrote: none when everything is as it should be.
func (i *Installer) Install(ctx context.Context, p *Panel) (written []string, err error) {
	if _, err := os.Stat(i.path(p.Mark)); err != nil {
		return nil, fmt.Errorf("%s is not on this server: %w", p.Title, err)
	}
	plan, err := i.Plan(p)
	if err != nil {
		return nil, err
	}
	for _, f := range plan {
		name := i.path(f.Path)
		if same(name, &f) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return written, fmt.Errorf("make the folder of %s: %w", f.Path, err)
		}
		if err := replace(name, &f); err != nil {
			return written, fmt.Errorf("write %s: %w", f.Path, err)
		}
		written = append(written, f.Path)
	}
	if len(written) == 0 {
		return nil, nil
	}
	return written, i.runAll(ctx, p.begin)
}

func same(name string, f *File) bool {
	text, err := os.ReadFile(name)
	if err != nil || string(text) != f.Text {
		return false
	}
	info, err := os.Lstat(name)
	return err == nil && info.Mode() == f.Mode
}

// replace writes a file in one step, whatever was in its place.
func replace(name string, f *File) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), ".osm-*")
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(f.Text)
	err = errors.Join(err, temporary.Chmod(f.Mode), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// Uninstall takes osm out of a panel and tells which files it removed: none when it was not in it.
func (i *Installer) Uninstall(ctx context.Context, p *Panel) (removed []string, err error) {
	there := slices.ContainsFunc(p.shells, func(s shell) bool {
		_, err := os.Lstat(i.path(s.path))
		return err == nil
	})
	if !there {
		return nil, nil
	}
	errs := []error{i.runAll(ctx, p.end)}
	for _, s := range p.shells {
		switch err := os.Remove(i.path(s.path)); {
		case err == nil:
			removed = append(removed, s.path)
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("remove %s: %w", s.path, err))
		}
	}
	for _, folder := range p.folders {
		if err := os.Remove(i.path(folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove %s: %w", folder, err)) // somebody else has put something there
		}
	}
	return removed, errors.Join(errs...)
}

func (i *Installer) runAll(ctx context.Context, commands [][]string) error {
	run := i.Run
	if run == nil {
		run = runProgram
	}
	var errs []error
	for _, c := range commands {
		placed := make([]string, len(c))
		for n, word := range c {
			if placed[n] = word; strings.HasPrefix(word, "/") {
				placed[n] = i.path(word)
			}
		}
		if err := run(ctx, placed...); err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", strings.Join(c, " "), err))
		}
	}
	return errors.Join(errs...)
}

func runProgram(ctx context.Context, command ...string) error {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
