package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"osm"
	"osm/check"
)

// complaintBox is the mailbox in which complaints arrive: a Maildir or an mbox file. What is read of it is not kept elsewhere:
// the history knows which complaints it has, and reading one twice changes nothing.
type complaintBox struct {
	session *session
	path    string
	told    string          // the latest trouble, which is told once
	stay    map[string]bool // names in a Maildir that can't be moved
	late    map[string]bool // and those that are not done with
	size    int64           // of an mbox file when it was last looked at
	read    int64           // how much of it was read
	again   []early         // of it: they may have come before the log told of their messages
}

// early is a complaint that is not done with.
type early struct {
	text []byte
	came time.Time
}

const (
	boxMost    = 200              // messages of a Maildir at one look, and of an mbox that are tried again
	mboxMost   = 16 << 20         // bytes of an mbox at one look, and of what is tried again
	boxPatient = 30 * time.Minute // so long a message may be missing from the history: the log may be read late
)

// keepComplaints looks into the mailbox again and again until ctx is done.
func (s *session) keepComplaints(ctx context.Context) {
	if s.arf.Mailbox == "" {
		return
	}
	box := &complaintBox{session: s, path: s.arf.Mailbox, stay: map[string]bool{}, late: map[string]bool{}}
	tick := time.NewTicker(time.Duration(s.arf.Every))
	defer tick.Stop()
	for {
		box.tell(box.look(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell reports trouble when it is another than before.
func (b *complaintBox) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != b.told && !errors.Is(err, context.Canceled) {
		b.session.options.Logger.Error("complaints can't be read from their mailbox; it is tried again", "error", osm.Printable(text))
	}
	b.told = text
}

// look reads what is new.
func (b *complaintBox) look(ctx context.Context) error {
	info, err := os.Stat(b.path)
	if err != nil {
		return fmt.Errorf("look for complaints: %w", err)
	}
	if info.IsDir() {
		return b.maildir(ctx)
	}
	if err := b.retry(ctx); err != nil {
		return err
	}
	return b.mbox(ctx, info)
}

// retry takes once more what was not done with at the last look into an mbox.
func (b *complaintBox) retry(ctx context.Context) error {
	var left []early
	for i, e := range b.again {
		done, err := b.take(ctx, e.text, e.came)
		if err != nil {
			b.again = append(left, b.again[i:]...)
			return err
		}
		if !done {
			left = append(left, e)
		}
	}
	b.again = left
	return nil
}

// keep notes a complaint to be taken once more. Where there are too many the oldest is forgotten: it has been tried most.
func (b *complaintBox) keep(e early) {
	b.again = append(b.again, e)
	size := 0
	for _, e := range b.again {
		size += len(e.text)
	}
	for ; size > mboxMost || len(b.again) > boxMost; b.again = b.again[1:] {
		size -= len(b.again[0].text)
	}
}

// maildir reads the messages in new. One that is saved, or is none of ours, goes to cur as read.
func (b *complaintBox) maildir(ctx context.Context) error {
	dir, err := os.Open(filepath.Join(b.path, "new"))
	if err != nil {
		return fmt.Errorf("look for complaints: %w", err)
	}
	defer dir.Close()
	var troubles []error
	var again []string
	for n := 0; n < boxMost; {
		names, err := dir.Readdirnames(boxMost)
		if err != nil { // io.EOF: that was all
			break
		}
		for _, name := range names {
			if b.stay[name] || strings.HasPrefix(name, ".") {
				continue
			}
			if b.late[name] {
				again = append(again, name)
				continue
			}
			n++
			if err := b.mail(ctx, name); err != nil {
				troubles = append(troubles, err)
			}
		}
	}
	// What is new comes first, and of the rest each has its chance: whoever sends reports of nothing holds up nobody.
	rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	for _, name := range again[:min(len(again), boxMost)] {
		if err := b.mail(ctx, name); err != nil {
			troubles = append(troubles, err)
		}
	}
	return errors.Join(troubles[:min(len(troubles), 5)]...)
}

// mail reads one message of a Maildir.
func (b *complaintBox) mail(ctx context.Context, name string) error {
	path := filepath.Join(b.path, "new", name)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	done := true
	if info.Size() <= check.MaxComplaint {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read a complaint: %w", err)
		}
		if done, err = b.take(ctx, text, info.ModTime()); err != nil {
			return err
		}
	}
	if !done {
		mark(b.late, name)
		return nil
	}
	delete(b.late, name)
	read := name
	if !strings.Contains(name, ":2,") {
		read += ":2,S"
	}
	if err := os.Rename(path, filepath.Join(b.path, "cur", read)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		mark(b.stay, name)
		return fmt.Errorf("move a complaint that was read: %w", err)
	}
	return nil
}

// mark notes a name. There is no end to them: when there are too many all are forgotten.
func mark(names map[string]bool, name string) {
	if len(names) >= seenMost {
		clear(names)
	}
	names[name] = true
}

// take counts a complaint, and tells whether it is done with: it is saved, or there is nothing more to come of it.
func (b *complaintBox) take(ctx context.Context, text []byte, came time.Time) (done bool, err error) {
	now := time.Now()
	c, err := b.session.complain(ctx, text, now)
	switch {
	case err != nil:
		return false, err
	case c.Result == Ignored, c.Result == NoReport:
		return true, nil
	case c.Result == Unknown:
		return now.Sub(came) > boxPatient, nil
	}
	return c.saved, nil
}

// mbox reads what was added to a file since the last look, once nobody adds to it. After a restart it is read anew: what the
// history has is not counted again.
func (b *complaintBox) mbox(ctx context.Context, info fs.FileInfo) error {
	if info.Size() < b.read { // emptied, or another file
		b.read = 0
	}
	still := info.Size() == b.size
	if b.size = info.Size(); !still || b.read == b.size {
		return nil
	}
	f, err := os.Open(b.path)
	if err != nil {
		return fmt.Errorf("look for complaints: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, b.read, mboxMost))
	if err != nil {
		return fmt.Errorf("read complaints from %s: %w", b.path, err)
	}
	atEnd := b.read+int64(len(text)) == b.size
	for len(text) > 0 {
		one := text
		if next := bytes.Index(text, []byte("\nFrom ")); next >= 0 {
			one = text[:next+1]
		} else if !atEnd && len(text) < mboxMost {
			return nil // the rest of it is read next time
		}
		if _, mail, ok := bytes.Cut(one, []byte("\n")); ok && len(mail) <= check.MaxComplaint { // after the line "From "
			came := time.Now()
			done, err := b.take(ctx, mail, came)
			if err != nil {
				return err
			}
			if !done {
				b.keep(early{bytes.Clone(mail), came})
			}
		}
		text = text[len(one):]
		b.read += int64(len(one))
	}
	return nil
}
