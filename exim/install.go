package exim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Installer puts the snippets into a server's Exim and takes them out again, through the include points that its system
// supports. It needs root.
type Installer struct {
	Snippets Snippets
	System   string // one of SystemNames; "" finds out
	Config   string // the configuration file of the system "plain"; "" asks Exim
	Binary   string // Exim's program; "" finds it
	Root     string // below which the server's files are; "" is /. Only tests set it
	State    string // the folder where it notes what it did, below Root; "" is DefaultState

	// Run runs a program of the server's, with text as its input, and returns all that it printed; nil is the usual way.
	Run func(ctx context.Context, text string, command ...string) (string, error)
}

// DefaultState is root's own: what is in osm's folders its unprivileged daemon could have written.
const DefaultState = "/var/lib/osm-exim"

// manifest is what an installation has left.
type manifest struct {
	System   string    `json:"system"`
	Config   string    `json:"config"` // what Exim reads
	Snippets Snippets  `json:"snippets"`
	When     time.Time `json:"when"`
	Files    []Change  `json:"files"`
	Folders  []string  `json:"folders"` // made for them
}

// Installed says what an installation is.
type Installed struct {
	System  string
	When    time.Time
	Changes []Change
}

func (i *Installer) path(p string) string { return filepath.Join("/", i.Root, p) }

func (i *Installer) manifestPath() string {
	dir := i.State
	if dir == "" {
		dir = DefaultState
	}
	return i.path(dir + "/manifest.json")
}

// Hooked tells whether an installation is noted. Others than root may not read more of it.
func (i *Installer) Hooked() bool {
	_, err := os.Stat(i.manifestPath())
	return !errors.Is(err, fs.ErrNotExist)
}

// readManifest returns nil when nothing is installed.
func (i *Installer) readManifest() (*manifest, error) {
	data, err := os.ReadFile(i.manifestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was installed: %w", err)
	}
	m := &manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("read what was installed from %s: %w", i.manifestPath(), err)
	}
	return m, nil
}

func (i *Installer) writeManifest(m *manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(i.manifestPath())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return replaceFile(i.manifestPath(), append(data, '\n'))
}

// plan finds out everything that an installation would do, and changes nothing.
func (i *Installer) plan(ctx context.Context) (*system, *draft, error) {
	before, err := i.readManifest()
	if err != nil {
		return nil, nil, err
	}
	s, err := findSystem(i.path(""), i.System)
	if err != nil {
		return nil, nil, err
	}
	snippets, err := i.snippets(ctx)
	if err != nil {
		return nil, nil, err
	}
	if s.config == "" {
		if s.config = i.Config; s.config == "" {
			if s.config, err = i.configFile(ctx); err != nil {
				return nil, nil, err
			}
		}
	}
	i.Snippets = snippets // as they are noted in the manifest
	d := &draft{root: i.path(""), config: s.config, before: before}
	if err := s.plan(d, snippets); err != nil {
		return nil, nil, fmt.Errorf("hook into %s: %w", s.name, err)
	}
	return s, d, d.check()
}

// snippets completes what only this server's Exim knows.
func (i *Installer) snippets(ctx context.Context) (Snippets, error) {
	s := i.Snippets
	if s.EximUID == 0 {
		said, err := i.exim(ctx, "", "-bP", "exim_user")
		if err != nil {
			return s, err
		}
		u, err := userIn(said)
		if err != nil {
			return s, err
		}
		s.EximUID = u.UID
	}
	said, err := i.exim(ctx, "", "-bP", "strict_acl_vars")
	if err != nil {
		return s, err
	}
	s.Strict = strings.TrimSpace(said) == "strict_acl_vars"
	return s.Ready()
}

// Plan tells what Install would change: files and their text before and after.
func (i *Installer) Plan(ctx context.Context) (*Installed, error) {
	s, d, err := i.plan(ctx)
	if err != nil {
		return nil, err
	}
	return &Installed{System: s.name, Changes: d.changes}, nil
}

// Install writes the snippets, checks the configuration that comes of them with a trial message, and only then has it
// take effect. When anything fails, everything is as it was before, and the error says why. Installed again it makes the same, or, with other
// settings, what those ask for.
func (i *Installer) Install(ctx context.Context, now time.Time) (*Installed, error) {
	s, d, err := i.plan(ctx)
	if err != nil {
		return nil, err
	}
	if d.before != nil && d.before.System != s.name {
		return nil, fmt.Errorf("it is installed for the system %s: uninstall that first", d.before.System)
	}
	m := &manifest{System: s.name, Config: s.config, Snippets: i.Snippets, When: now, Files: d.changes}
	for _, c := range d.changes {
		if dir := path.Dir(c.Path); !has(dir)(i.path("")) && !slices.Contains(m.Folders, dir) {
			m.Folders = append(m.Folders, dir)
		}
	}
	if d.before != nil {
		m.Folders = append(m.Folders, d.before.Folders...)
	}
	restore, err := i.snapshot(d, m)
	if err != nil {
		return nil, err
	}
	if err := i.apply(ctx, s, d, m); err != nil {
		return nil, errors.Join(fmt.Errorf("nothing was changed: %w", err), restore())
	}
	return &Installed{System: s.name, When: now, Changes: d.changes}, nil
}

// apply is Install from the first written byte on. The manifest comes first: whatever happens then can be undone.
func (i *Installer) apply(ctx context.Context, s *system, d *draft, m *manifest) error {
	if err := i.writeManifest(m); err != nil {
		return err
	}
	for _, dir := range m.Folders {
		if err := os.MkdirAll(i.path(dir), 0o755); err != nil {
			return err
		}
	}
	if s.build == nil {
		if err := i.tryCopy(ctx, s, d); err != nil {
			return err
		}
	}
	for _, c := range d.changes {
		if err := replaceFile(i.path(c.Path), c.After); err != nil {
			return fmt.Errorf("write %s: %w", c.Path, err)
		}
	}
	if d.before != nil {
		if err := i.takeBack(d.before, func(path string) bool {
			return slices.ContainsFunc(d.changes, func(c Change) bool { return c.Path == path })
		}); err != nil {
			return err
		}
	}
	return i.activate(ctx, s)
}

// snapshot keeps every file that is going to be touched, and returns what puts them back.
func (i *Installer) snapshot(d *draft, m *manifest) (func() error, error) {
	type kept struct {
		path   string
		data   []byte
		exists bool
	}
	var all []kept
	paths := []string{d.config} // what is built of the others
	for _, c := range d.changes {
		paths = append(paths, c.Path)
	}
	if d.before != nil {
		for _, c := range d.before.Files {
			paths = append(paths, c.Path)
		}
	}
	for _, p := range paths {
		data, err := os.ReadFile(i.path(p))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, kept{p, data, err == nil})
	}
	return func() error {
		var failures []error
		for _, k := range all {
			if k.exists { // what is as it was is not touched
				failures = append(failures, replaceFile(i.path(k.path), k.data))
			} else if err := os.Remove(i.path(k.path)); !errors.Is(err, fs.ErrNotExist) {
				failures = append(failures, err)
			}
		}
		if d.before != nil {
			failures = append(failures, i.writeManifest(d.before))
		} else {
			i.removeFolders(m.Folders)
			failures = append(failures, os.Remove(i.manifestPath()))
		}
		if err := errors.Join(failures...); err != nil {
			return fmt.Errorf("put back what was there: %w", err)
		}
		return nil
	}, nil
}

// Uninstall takes everything out again: the files are as they were, and what an administrator has changed in them since
// stays. It is no error when nothing is installed.
func (i *Installer) Uninstall(ctx context.Context) (*Installed, error) {
	m, err := i.readManifest()
	if m == nil {
		return nil, err
	}
	s, err := findSystem(i.path(""), m.System)
	if err != nil {
		return nil, err
	}
	s.config = m.Config
	if err := i.takeBack(m, func(string) bool { return false }); err != nil {
		return nil, err
	}
	i.removeFolders(m.Folders)
	if err := i.activate(ctx, s); err != nil {
		return nil, err
	}
	if err := os.Remove(i.manifestPath()); err != nil {
		return nil, fmt.Errorf("forget the installation: %w", err)
	}
	return &Installed{System: m.System, When: m.When, Changes: m.Files}, nil
}

// takeBack takes osm's part out of the files of an installation, but for those to keep: first where others call it, so the
// last written first.
func (i *Installer) takeBack(m *manifest, keep func(path string) bool) error {
	for _, c := range slices.Backward(m.Files) {
		if keep(c.Path) {
			continue
		}
		data, err := os.ReadFile(i.path(c.Path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("undo the change of %s: %w", c.Path, err)
		}
		text := strip(string(data))
		if text == "" && !c.Existed {
			err = os.Remove(i.path(c.Path))
		} else {
			err = replaceFile(i.path(c.Path), []byte(text))
		}
		if err != nil {
			return fmt.Errorf("undo the change of %s: %w", c.Path, err)
		}
	}
	return nil
}

// removeFolders removes what Install made, where nothing else is in it.
func (i *Installer) removeFolders(dirs []string) {
	for _, dir := range dirs {
		os.Remove(i.path(dir)) // a folder that is not empty stays
	}
}
