package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"osm"
)

// Step is one thing to do: a program to run, or a line to add to a file or to remove from it.
type Step struct {
	Argv   []string `json:"argv,omitempty"`
	Reply  string   `json:"reply,omitempty"` // how the program tells that it did not work
	File   string   `json:"file,omitempty"`
	Line   string   `json:"line,omitempty"` // its first field; a colon and the time follow
	Remove bool     `json:"remove,omitempty"`
}

// String is the step for people.
func (s Step) String() string {
	switch {
	case s.File == "":
		quoted := make([]string, len(s.Argv))
		for i, a := range s.Argv {
			if quoted[i] = a; strings.ContainsAny(a, " '\"\\$`") || a == "" {
				quoted[i] = strconv.Quote(a)
			}
		}
		return osm.Printable(strings.Join(quoted, " "))
	case s.Remove:
		return osm.Printable(fmt.Sprintf("remove %s from %s", s.Line, s.File))
	}
	return osm.Printable(fmt.Sprintf("add %s to %s", s.Line, s.File))
}

func (s *Step) prefix(argv []string) {
	if len(s.Argv) > 0 && len(argv) > 0 {
		s.Argv = append(append([]string{}, argv...), s.Argv...)
	}
}

// stepDeadline is how long a panel's program may take.
const stepDeadline = 2 * time.Minute

// Carry carries a step out below root ("/" but in tests), and returns what a program printed. No shell is involved.
func (s Step) Carry(ctx context.Context, root string, now time.Time) (output string, err error) {
	if s.File != "" {
		return "", s.edit(filepath.Join(root, s.File), now)
	}
	if len(s.Argv) == 0 {
		return "", errors.New("there is nothing to do")
	}
	ctx, cancel := context.WithTimeout(ctx, stepDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, s.Argv[0]), s.Argv[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HESTIA=/usr/local/hestia"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if s.Reply != "" {
		cmd.Stderr = nil // what is to be read is on the standard output alone
	}
	err = cmd.Run()
	text := osm.Printable(clip(strings.TrimSpace(said.String()), 500))
	if err != nil {
		return text, fmt.Errorf("run %s: %w: %s", s, err, text)
	}
	if err := replyForm(s.Reply).failed(said.Bytes()); err != nil {
		return text, fmt.Errorf("run %s: %w", s, err)
	}
	return text, nil
}

// fileMark ends the lines that are ours. What follows the time is free (DirectAdmin's own form is a=b&c=d).
const fileMark = ":by=osm"

// edit adds or removes a line, and replaces the file as a whole: its reader never sees half of it. To add one that
// somebody else has added is an error: the sender is stopped, and not by us.
func (s Step) edit(path string, now time.Time) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	var kept strings.Builder
	ours, theirs := false, false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		name, rest, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == s.Line {
			ours, theirs = ours || strings.HasSuffix(rest, fileMark), theirs || !strings.HasSuffix(rest, fileMark)
			if strings.HasSuffix(rest, fileMark) && s.Remove {
				continue
			}
		}
		kept.WriteString(line + "\n")
	}
	switch {
	case theirs && !s.Remove:
		return fmt.Errorf("%s is in %s already: somebody else put it there", s.Line, path)
	case ours != s.Remove: // it is there, or gone, already
		return nil
	case !s.Remove:
		fmt.Fprintf(&kept, "%s:%d%s\n", s.Line, now.Unix(), fileMark)
	}
	return replaceFile(path, kept.String())
}

// replaceFile writes a file anew with the owner and the rights of the old one.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".osm-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.WriteString(text)
	mode := fs.FileMode(0o644)
	if info, statErr := os.Stat(path); statErr == nil {
		mode = info.Mode().Perm()
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			err = errors.Join(err, f.Chown(int(owner.Uid), int(owner.Gid)))
		}
	}
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
