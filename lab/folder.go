package lab

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// prefix is how the folders of labs begin: a crashed lab is found by it.
const prefix = "osm-lab-"

// lockName is a file that is locked while the lab's program lives.
const lockName = "lock"

// parent is where labs are made. The lab puts its own /home over the real one, so it can't be below that.
func parent() string {
	dir := os.TempDir()
	if dir == "/home" || strings.HasPrefix(dir, "/home/") {
		return "/var/tmp"
	}
	return dir
}

// newFolder makes a lab's folder, which everybody may enter, and locks it.
func newFolder() (folder string, lock *os.File, err error) {
	folder, err = os.MkdirTemp(parent(), prefix)
	if err != nil {
		return "", nil, fmt.Errorf("make a folder: %w", err)
	}
	// The file gets its name when it is locked, so that sweep never sees one that is not.
	unlocked := filepath.Join(folder, "unlocked")
	if lock, err = os.OpenFile(unlocked, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		err = errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX), os.Chmod(folder, 0o755),
			os.Rename(unlocked, filepath.Join(folder, lockName)))
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("make a folder: %w", err), removeFolder(folder))
	}
	return folder, lock, nil
}

// leave removes the folder or, when it is to be kept, the mark that it is a lab's.
func (e *Exim) leave() error {
	if e.options.Keep {
		return os.Remove(e.path(lockName))
	}
	return removeFolder(e.folder)
}

func removeFolder(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove the lab's folder: %w", err)
	}
	return nil
}

// sweep removes the folders of labs whose program has died. Their processes and mounts went with it.
func sweep(log *slog.Logger) error {
	folders, err := filepath.Glob(filepath.Join(parent(), prefix+"*"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if !abandoned(folder) {
			continue
		}
		if err := removeFolder(folder); err != nil {
			return err
		}
		if log != nil {
			log.Info("removed what a crashed lab left", "folder", folder)
		}
	}
	return nil
}

// abandoned tells whether a folder is a lab's whose program has died. Anyone can make a folder in /tmp: only a real
// one of our own with a lock that nobody holds counts.
func abandoned(folder string) bool {
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		return false
	}
	lock, err := os.OpenFile(filepath.Join(folder, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
