package panel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// source is one place where a panel keeps a map.
type source struct {
	pattern string // path below the root, with * for the accounts
	needed  bool   // the panel can't be without it
	read    func(file string) (facts, error)
}

// facts is what one file says.
type facts struct {
	owners   []pair // domain, account
	homes    []pair // folder, account
	plans    []pair // account, plan
	created  []birth
	contacts []reachable
	users    []user
	sites    []site
	local    []string // domains that are delivered here
	remote   []string // domains that are hosted here and delivered elsewhere
}

type pair struct{ key, value string }

type birth struct {
	account string
	at      time.Time
}

type reachable struct {
	account string
	by      Contact
}

type user struct {
	uid  uint32
	name string
}

// site is a folder of the web server and whose it is.
type site struct {
	name string // of the folder, without the path of its source
	uid  uint32
}

// file is a file as it was last read.
type file struct {
	stamp stamp
	facts facts
	good  bool  // facts were read without an error at least once
	err   error // of the last reading
}

// stamp changes when a file does.
type stamp struct {
	modified time.Time
	size     int64
	inode    uint64
	fresh    bool // modified so shortly before it was read that a second change might not show
}

// maxFile is more than the map of a million domains.
const maxFile = 128 << 20

// Reload reads the files again that have changed since they were read. It tells whether anything was read. A file that
// can't be read or is damaged keeps what it said before; the errors are returned, and stay in Errors until it is read.
func (p *Panel) Reload(now time.Time) (changed bool, err error) {
	seen := make(map[string]bool, len(p.files))
	for _, s := range p.sources {
		for _, path := range s.paths(p.root) {
			seen[path] = true
			changed = p.refresh(path, s, now) || changed
		}
	}
	for path := range p.files {
		if !seen[path] { // an account that is gone
			delete(p.files, path)
			changed = true
		}
	}
	if changed || p.maps.Load() == nil {
		p.maps.Store(p.merge(seen))
	}
	return changed, errors.Join(p.Errors()...)
}

// paths are the files that a source consists of now.
func (s *source) paths(root string) []string {
	path := filepath.Join(root, s.pattern)
	if !strings.Contains(s.pattern, "*") {
		return []string{path}
	}
	found, _ := filepath.Glob(path) // the only error is a bad pattern, and ours are constants
	return found
}

// refresh reads one file if it has changed and tells whether it did.
func (p *Panel) refresh(path string, s source, now time.Time) bool {
	info, err := os.Stat(path)
	old := p.files[path]
	if errors.Is(err, fs.ErrNotExist) && old == nil && !s.needed {
		return false
	}
	if err != nil {
		return p.failed(path, stamp{}, facts{}, fmt.Errorf("panel map %s: %w", path, cause(err)))
	}
	is := stampOf(info, now)
	if old != nil && old.stamp == is && !is.fresh {
		return false
	}
	read, err := s.read(path)
	if err != nil {
		return p.failed(path, is, read, fmt.Errorf("panel map %s: %w", path, err))
	}
	p.files[path] = &file{stamp: is, facts: read, good: true}
	return true
}

// failed keeps what a file said before; of one that was never read well, what could be made of it is taken.
func (p *Panel) failed(path string, is stamp, read facts, err error) bool {
	old := p.files[path]
	switch {
	case old == nil:
		p.files[path] = &file{stamp: is, facts: read, err: err}
	case old.err != nil && old.err.Error() == err.Error() && old.stamp == is:
		return false
	case old.good:
		p.files[path] = &file{stamp: is, facts: old.facts, good: true, err: err}
	default:
		p.files[path] = &file{stamp: is, facts: read, err: err}
	}
	return true
}

func stampOf(info fs.FileInfo, now time.Time) stamp {
	s := stamp{modified: info.ModTime(), size: info.Size(), fresh: now.Sub(info.ModTime()).Abs() < 2*time.Second}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// merge puts together what all files say. Where two disagree the one of the earlier source counts.
func (p *Panel) merge(seen map[string]bool) *maps {
	m := &maps{owners: map[string]string{}, homes: map[string]string{}, plans: map[string]string{},
		created: map[string]time.Time{}, local: map[string]struct{}{}, users: map[uint32]string{},
		persons: map[string]struct{}{}, contacts: map[string]Contact{}}
	remote := map[string]bool{}
	for _, s := range p.sources {
		paths := s.paths(p.root)
		slices.Sort(paths)
		for _, path := range paths {
			f := p.files[path]
			if f == nil || !seen[path] {
				continue
			}
			f.facts.addTo(m, remote)
			for _, site := range f.facts.sites { // the users' file comes first
				if name := m.users[site.uid]; name != "" {
					add(m.homes, []pair{{"/" + s.pattern + "/" + site.name, name}})
				}
			}
			if f.err != nil {
				m.errors = append(m.errors, f.err)
			}
		}
	}
	if len(m.local) == 0 && p.kind != Plain { // the list of local domains can't be read: what is hosted here is local
		for domain := range m.owners {
			if !remote[domain] {
				m.local[domain] = struct{}{}
			}
		}
	}
	return m
}

func add(to map[string]string, pairs []pair) {
	for _, x := range pairs {
		if _, ok := to[x.key]; !ok {
			to[x.key] = x.value
		}
	}
}

func (f *facts) addTo(m *maps, remote map[string]bool) {
	add(m.owners, f.owners)
	add(m.homes, f.homes)
	add(m.plans, f.plans)
	for _, u := range f.users {
		if _, ok := m.users[u.uid]; !ok { // the first name of a number counts, as for getpwuid(3)
			m.users[u.uid] = u.name
		}
		if u.uid != 0 && personal(uint64(u.uid)) {
			m.persons[u.name] = struct{}{}
		}
	}
	for _, b := range f.created {
		m.created[b.account] = b.at
	}
	for _, c := range f.contacts {
		m.contacts[c.account] = c.by
	}
	for _, d := range f.local {
		m.local[d] = struct{}{}
	}
	for _, d := range f.remote {
		remote[d] = true
	}
}

// readFile reads a whole file of a sane size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if info.Size() > maxFile || !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, fmt.Errorf("not a plain file of at most %d MB", maxFile>>20)
	}
	data, err := os.ReadFile(path)
	return data, cause(err)
}

// cause is an error of the os package without the path, which our callers name themselves.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
