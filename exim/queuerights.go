package exim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ServiceRights is the systemd drop-in that gives the packaged service what a Queue needs.
const ServiceRights = "/usr/share/doc/osm/active.conf"

// ErrRights says that this process can't look into Exim's queue or change it.
var ErrRights = errors.New("no right to work on Exim's queue")

// Rights looks for what keeps this process from reading the spool, or from running Exim on it with Exim's own rights: its
// program is setuid root. The error wraps ErrRights, and says what to do and what is missing; nil is no promise, Exim's own
// configuration can refuse. Nothing is run.
func (q *Queue) Rights() error {
	if os.Geteuid() == 0 {
		return nil
	}
	var missing []string
	if text := q.unreadable(); text != "" {
		missing = append(missing, text)
	}
	const readOnly = 1 // ST_RDONLY, statfs(2)
	var fsys syscall.Statfs_t
	if syscall.Statfs(q.Spool, &fsys) == nil && fsys.Flags&readOnly != 0 {
		missing = append(missing, q.Spool+" is read-only here")
	}
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		missing = append(missing, withheld(status)...)
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the service needs the drop-in %s: %s", ErrRights, ServiceRights, strings.Join(missing, ", "))
}

// unreadable says why the spool can't be read, "" when it can or is not there.
func (q *Queue) unreadable() string {
	folder, err := os.Open(filepath.Join(q.Spool, "input"))
	if err == nil {
		folder.Close()
		return ""
	}
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	text := q.Spool + " can't be read"
	if info, err := os.Stat(q.Spool); err == nil {
		if file, ok := info.Sys().(*syscall.Stat_t); ok {
			text += ", its user must be in the group " + groupName(file.Gid)
		}
	}
	return text
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// withheld reads from /proc/PID/status (proc(5)) what keeps a setuid program from its rights.
func withheld(status []byte) (missing []string) {
	const setgid, setuid = 1 << 6, 1 << 7 // capabilities(7)
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(string(bytes.TrimSpace(line)), ":\t")
		switch name {
		case "NoNewPrivs":
			if value == "1" {
				missing = append(missing, "NoNewPrivileges is set")
			}
		case "CapBnd":
			set, err := strconv.ParseUint(value, 16, 64)
			if err == nil && set&(setgid|setuid) != setgid|setuid {
				missing = append(missing, "CapabilityBoundingSet lacks CAP_SETUID or CAP_SETGID")
			}
		}
	}
	return missing
}
