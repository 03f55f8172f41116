package exim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What osm writes into a file that is not its own stands between these lines, and a line that it replaces stands there as
// a comment: so the file as it was can be had from the file as it is, whatever else an administrator has changed in it.
const (
	blockBegin = "# osm begin: osm exim uninstall removes this"
	blockBare  = "# osm begin: osm exim uninstall removes this, and the line end before it"
	blockEnd   = "# osm end"
	blockWas   = "# osm was: "
)

func block(text string) string { return blockBegin + "\n" + text + blockEnd + "\n" }

// appendBlock adds a block at the end of a file's text, whose last line may lack its end.
func appendBlock(before, text string) string {
	if before == "" || strings.HasSuffix(before, "\n") {
		return before + block(text)
	}
	return before + "\n" + blockBare + "\n" + text + blockEnd + "\n"
}

// strip takes osm's blocks out of a text.
func strip(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch bare := strings.TrimSuffix(line, "\n"); {
		case bare == blockBegin:
			inside = true
		case bare == blockBare:
			inside = true
			kept := strings.TrimSuffix(b.String(), "\n")
			b.Reset()
			b.WriteString(kept)
		case inside && bare == blockEnd:
			inside = false
		case inside:
			if was, ok := strings.CutPrefix(line, blockWas); ok {
				b.WriteString(was)
			}
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// Change is what an installation does to one file.
type Change struct {
	Path    string `json:"path"`
	Existed bool   `json:"existed"` // the file was there before
	Before  []byte `json:"before"`
	After   []byte `json:"-"`
}

// draft gathers changes. Files are read without what osm has written before, so that a second installation makes the
// same of them as the first.
type draft struct {
	root    string
	config  string    // what Exim reads
	before  *manifest // of the installation that is there; nil when none is
	changes []Change
}

// own tells whether osm made the file.
func (d *draft) own(path string) bool {
	return d.before != nil && slices.ContainsFunc(d.before.Files, func(c Change) bool { return c.Path == path && !c.Existed })
}

// read returns a file as it was before osm, and whether it was there.
func (d *draft) read(path string) (text string, exists bool, err error) {
	for _, c := range d.changes {
		if c.Path == path {
			return string(c.After), true, nil
		}
	}
	data, err := os.ReadFile(filepath.Join(d.root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read Exim's configuration: %w", err)
	}
	text = strip(string(data))
	return text, text != "" || !d.own(path), nil
}

// write sets a file's text.
func (d *draft) write(path, after string) error {
	for i := range d.changes {
		if c := &d.changes[i]; c.Path == path {
			c.After = []byte(after)
			return nil
		}
	}
	before, existed, err := d.read(path)
	if err != nil {
		return err
	}
	d.changes = append(d.changes, Change{Path: path, Existed: existed, Before: []byte(before), After: []byte(after)})
	return nil
}

// create makes a file of osm's own.
func (d *draft) create(path, text string) error { return d.write(path, block(text)) }

// add puts a block at the end of a file, which need not exist.
func (d *draft) add(path, text string) error {
	before, _, err := d.read(path)
	if err != nil {
		return err
	}
	return d.write(path, appendBlock(before, text))
}

// check makes sure of every change that it can be taken back byte for byte.
func (d *draft) check() error {
	for _, c := range d.changes {
		if strip(string(c.After)) != string(c.Before) {
			return fmt.Errorf("%s has lines like those by which osm marks its own: it can't be changed in a way that could be "+
				"undone", c.Path)
		}
	}
	return nil
}

// replaceFile writes a file whole or not at all, with the mode and owner of the one it replaces, else mode 0644.
func replaceFile(path string, data []byte) error {
	mode, uid, gid := fs.FileMode(0o644), -1, -1
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		uid, gid = ownerOf(info)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
			return nil
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".osm-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if uid >= 0 {
		err = errors.Join(err, f.Chown(uid, gid))
	}
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Diff shows what a change adds and takes away, line by line.
func (c Change) Diff() string {
	var b strings.Builder
	from := c.Path
	if !c.Existed {
		from = "/dev/null"
	}
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", from, c.Path)
	inside, number := false, 0
	for line := range strings.Lines(string(c.After)) {
		number++
		bare := strings.TrimSuffix(line, "\n")
		if begins := bare == blockBegin || bare == blockBare; begins {
			inside = true
			fmt.Fprintf(&b, "@@ line %d @@\n", number)
		}
		if inside {
			if was, ok := strings.CutPrefix(line, blockWas); ok {
				b.WriteString("-" + was)
			}
			b.WriteString("+" + bare + "\n")
		}
		if bare == blockEnd {
			inside = false
		}
	}
	return b.String()
}
