package osm_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows says which other rooms each room may import: everything points towards the root package, and rooms of one
// level do not know each other but where it is written here. A new room gets a row.
var arrows = map[string][]string{
	"osm":    {},
	"access": {},
	"action": {"chart", "incident", "window"}, // a digest has pictures
	"cert":   {},                              // what listens has one
	"chart":  {}, "check": {}, "exim": {}, "fleet": {}, "netwatch": {}, "panel": {}, "store": {}, "tail": {},
	"window":   {},
	"track":    {"exim"}, // an entry goes in
	"enrich":   {"exim"},
	"detect":   {"window"},
	"policy":   {"window"},
	"incident": {"window"},
	"hold":     {"window"},
	"plugin":   {},
	"gateway":  append([]string{"cert"}, rooms...),
	"web":      append([]string{"cert", "chart"}, rooms...),
	"config":   append([]string{"gateway", "web"}, rooms...),
	"daemon":   append([]string{"chart", "config", "gateway", "web"}, rooms...),
	// The simulated world and the laboratory are for tests, the demo and benchmarks: only commands may import them.
	"sim": {"exim"},
	"lab": {"exim"},
	"cmd": append([]string{"chart", "config", "daemon", "gateway", "lab", "sim", "web"}, rooms...),
}

var rooms = []string{"action", "hold", "incident", "policy", "detect", "check", "enrich", "panel", "track", "store", "tail", "exim", "window",
	"netwatch", "fleet", "access", "plugin"}

// source is one Go file of the module that is not a test.
type source struct {
	path string
	room string
	file *ast.File
	set  *token.FileSet
}

// sources parses the whole module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		s := source{path: path, set: token.NewFileSet(), room: "osm"}
		if room, _, inside := strings.Cut(path, string(filepath.Separator)); inside {
			s.room = room
		}
		s.file, err = parser.ParseFile(s.set, path, nil, parser.ParseComments)
		all = append(all, s)
		return err
	})
	if err != nil || len(all) < 10 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	return all
}

func (s source) where(n ast.Node) string { return fmt.Sprint(s.set.Position(n.Pos())) }

func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		allowed, known := arrows[s.room]
		if !known {
			t.Errorf("%s: the room %s has no row in the table of arrows", s.path, s.room)
			continue
		}
		for _, i := range s.file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, inside := strings.CutPrefix(path, "osm/")
			if !inside {
				continue
			}
			to, _, _ = strings.Cut(to, "/")
			if to != s.room && !slices.Contains(allowed, to) {
				t.Errorf("%s: %s must not import %s", s.where(i), s.room, path)
			}
		}
	}
}

// TestHouse holds what can be counted of the house rules.
func TestHouse(t *testing.T) {
	const longestFile, longestFunction = 600, 80
	for _, s := range sources(t) {
		if n := s.set.Position(s.file.FileEnd).Line; n > longestFile {
			t.Errorf("%s has %d lines, more than %d", s.path, n, longestFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line; n > longestFunction {
				t.Errorf("%s: %s has %d lines, more than %d", s.where(f), f.Name.Name, n, longestFunction)
			}
			if f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init functions make packages that can't be used twice", s.where(f))
			}
		}
	}
}

// TestClock holds the rule that time is an argument: replay would lie otherwise. A connection's deadline is no time of
// the mail and may be reckoned anywhere.
func TestClock(t *testing.T) {
	mayRead := []string{"daemon", "cmd", "lab"}
	for _, s := range sources(t) {
		if slices.Contains(mayRead, s.room) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && strings.HasSuffix(f.Name.Name, "Deadline") {
				return false
			}
			if c, ok := n.(*ast.CallExpr); ok && isDeadline(c.Fun) {
				return false
			}
			if x, ok := n.(*ast.SelectorExpr); ok && (x.Sel.Name == "Now" || x.Sel.Name == "Since" || x.Sel.Name == "Until") {
				if p, ok := x.X.(*ast.Ident); ok && p.Name == "time" {
					t.Errorf("%s: %s reads the clock", s.where(x), s.room)
				}
			}
			return true
		})
	}
}

func isDeadline(call ast.Expr) bool {
	x, ok := call.(*ast.SelectorExpr)
	return ok && strings.HasPrefix(x.Sel.Name, "Set") && strings.HasSuffix(x.Sel.Name, "Deadline")
}

func TestPackagesSayWhatTheyDo(t *testing.T) {
	documented := make(map[string]bool)
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		documented[dir] = documented[dir] || s.file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}
