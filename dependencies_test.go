package osm_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDependenciesPage compares doc/dependencies.md with what is imported, and with the versions of go.mod.
func TestDependenciesPage(t *testing.T) {
	mod := read(t, "go.mod")
	versions := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^(?:\t|require )(\S+\.\S+) (v\S+)`).FindAllStringSubmatch(mod, -1) {
		versions[m[1]] = m[2]
	}
	used := make(map[string]bool)
	for path := range imports(t) {
		used[module(versions, path)] = true
	}
	for _, tool := range regexp.MustCompile(`(?m)^\t(\S+/cmd/\S+)$`).FindAllStringSubmatch(mod, -1) {
		used[module(versions, tool[1])] = true
	}
	page := read(t, "doc/dependencies.md")
	for m := range used {
		if row := fmt.Sprintf("| %s | %s |", m, versions[m]); !strings.Contains(page, row) {
			t.Errorf("doc/dependencies.md has no row that begins with %q", row)
		}
	}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+\.\S+) \| v`).FindAllStringSubmatch(page, -1) {
		if !used[row[1]] {
			t.Errorf("doc/dependencies.md has %s, which nothing uses", row[1])
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// module finds the module that a package belongs to.
func module(versions map[string]string, path string) string {
	for m := path; m != "."; m = filepath.Dir(m) {
		if versions[m] != "" {
			return m
		}
	}
	return path
}

// imports are the paths that any file of the module imports, tests too, but for the standard library's and its own.
func imports(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
				all[path] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
