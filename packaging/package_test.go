// Package packaging holds what makes the Debian package; its test lets the package live: installed, upgraded, removed and
// purged by the real dpkg in a root that is thrown away.
package packaging

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestLife(t *testing.T) {
	consult(t)
	const cantBeTried = 77 // see packaging/test
	out, err := exec.CommandContext(t.Context(), "./test").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == cantBeTried {
		t.Skip(strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// consult looks at every file that the package is made of, so that go test knows when its result is out of date: it does
// not see what the script reads.
func consult(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "dist"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) { // other tests come and go
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
