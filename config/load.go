package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"

	"osm"
)

// Source is one file of the configuration.
type Source struct {
	Name  string // as it is to be named in mistakes
	Text  []byte
	Rules bool // nothing but [[rule]] is believed in it: it belongs to somebody who may not decide more
}

// Loaded is a configuration that can be used, and where its settings come from.
type Loaded struct {
	Config
	// Files are the names of the files that were read, in order; none when everything is default.
	Files []string
	found map[string]place
}

// Load reads a configuration file and the files rules.d/*.toml beside it, in the order of their names. With no path
// it is DefaultPath, which need not exist. What is wrong in the files comes back as Mistakes; a file that can't be
// read is one too.
func Load(path string) (*Loaded, error) {
	sources, err := read(path)
	if err != nil {
		return nil, err
	}
	return Parse(sources...)
}

func read(path string) ([]Source, error) {
	optional := path == ""
	if optional {
		path = DefaultPath
	}
	names := []string{path}
	rules, err := filepath.Glob(filepath.Join(filepath.Dir(path), "rules.d", "*.toml"))
	if err != nil { // the folder's name is no pattern
		return nil, Mistakes{{File: path, Problem: err.Error()}}
	}
	var sources []Source
	var mistakes Mistakes
	for i, name := range append(names, rules...) {
		text, err := os.ReadFile(name)
		switch {
		case err == nil:
			sources = append(sources, Source{name, text, i > 0 && foreign(name)})
		case i > 0 || !optional || !errors.Is(err, fs.ErrNotExist):
			mistakes = append(mistakes, Mistake{File: name, Problem: cause(err).Error()})
		}
	}
	if mistakes != nil {
		return nil, mistakes
	}
	return sources, nil
}

// foreign tells whether a file belongs neither to root nor to who reads it. The daemon may keep the rules of the page in
// rules.d; that must not make it root where root runs osm.
func foreign(name string) bool {
	info, err := os.Stat(name)
	if err != nil {
		return true
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return !ok || owner.Uid != 0 && int(owner.Uid) != os.Getuid()
}

// cause is a file error without the name, which the mistake bears already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("can't be read: %w", p.Err)
	}
	return err
}

// FilesText names the files that were read, for people.
func FilesText(files []string) string {
	if len(files) == 0 {
		return "no configuration file, the defaults apply"
	}
	return osm.Printable(strings.Join(files, ", "))
}

// Parse makes a configuration from the texts of files. Later files add to earlier ones: lists of tables grow, and
// what is set once must not be set again.
func Parse(sources ...Source) (*Loaded, error) {
	loaded := &Loaded{Config: Defaults()}
	for _, s := range sources {
		loaded.Files = append(loaded.Files, s.Name)
	}
	r := newReader()
	if mistakes := r.parse(sources, reflect.ValueOf(&loaded.Config).Elem()); mistakes != nil {
		return nil, mistakes.sorted(loaded.Files)
	}
	loaded.found = r.found
	return loaded, nil
}

// reader gathers what the files say and what is wrong with it.
type reader struct {
	found    map[string]place
	arrays   map[string]int
	tree     map[string]any
	mistakes Mistakes
	whole    bool // every file could be parsed: what is missing is missing
}

func newReader() *reader {
	return &reader{found: make(map[string]place), arrays: make(map[string]int), tree: make(map[string]any), whole: true}
}

// parse sets a struct of rooms from files and reports all that is wrong with them.
func (r *reader) parse(sources []Source, rooms reflect.Value) Mistakes {
	for _, s := range sources {
		r.add(s)
	}
	merged := len(r.mistakes)
	r.table(r.tree, rooms, "")
	if r.whole {
		r.check(rooms, r.mistakes[merged:])
	}
	return r.mistakes
}

func (r *reader) add(s Source) {
	var tree map[string]any
	if err := toml.Unmarshal(s.Text, &tree); err != nil {
		m := Mistake{File: s.Name, Problem: err.Error()}
		if syntax, ok := errors.AsType[*toml.DecodeError](err); ok {
			m.Line, m.Column = syntax.Position()
			m.Problem = strings.TrimPrefix(syntax.Error(), "toml: ")
		}
		r.whole = false
		r.mistakes = append(r.mistakes, m)
		return
	}
	if s.Rules {
		for key := range tree {
			if key != "rule" {
				r.mistakes = append(r.mistakes, Mistake{File: s.Name, Key: key,
					Problem: "only [[rule]] may stand in a file of rules.d that does not belong to root"})
				r.whole = false
			}
		}
	}
	w := walker{file: s.Name, found: make(map[string]place), arrays: r.arrays}
	w.walk(s.Text)
	r.merge(r.tree, tree, "", w.found)
	maps.Copy(w.found, r.found) // the first place wins
	maps.Copy(r.found, w.found)
}

// merge adds a file's tree to what was read before. Places are those of the file.
func (r *reader) merge(into, tree map[string]any, path string, found map[string]place) {
	for key, value := range tree {
		before, known := into[key]
		if !known {
			into[key] = value
			continue
		}
		path := join(path, key)
		switch old := before.(type) {
		case map[string]any:
			if table, ok := value.(map[string]any); ok {
				r.merge(old, table, path, found)
				continue
			}
		case []any:
			if list, ok := value.([]any); ok && tables(old) && tables(list) {
				into[key] = append(old, list...)
				continue
			}
		}
		first, again := nearest(r.found, path), nearest(found, path)
		r.mistakes = append(r.mistakes, Mistake{again.file, again.line, again.column, path, "",
			fmt.Sprintf("is set already in %s:%d", first.file, first.line)})
	}
}

// tables tells whether a list is one of tables.
func tables(list []any) bool {
	for _, v := range list {
		if _, ok := v.(map[string]any); !ok {
			return false
		}
	}
	return true
}

// mistake notes a problem of a key that may be in a file.
func (r *reader) mistake(key, value, problem string) {
	p := nearest(r.found, key)
	if p.file == "" {
		p.file = "configuration"
	}
	r.mistakes = append(r.mistakes, Mistake{p.file, p.line, p.column, key, value, problem})
}
