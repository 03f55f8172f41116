package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// firstUID is where the lab's own users begin.
const firstUID = 5001

// unixUser is a unix user that exists inside the lab only.
type unixUser struct {
	name     string
	uid, gid int
}

// userFiles writes the passwd and group files that are seen inside: the machine's with the lab's users added. Homes are made
// too.
func (e *Exim) userFiles() error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		return err
	}
	passwd, group = endLine(passwd), endLine(group)
	e.users = map[string]unixUser{"root": {name: "root"}}
	uid := firstUID
	for _, name := range e.options.Users {
		for taken(uid) {
			uid++
		}
		if _, err := user.Lookup(name); err == nil {
			return fmt.Errorf("unix user %q exists on this machine: choose another name for the lab", name)
		}
		u := unixUser{name, uid, uid}
		passwd = fmt.Appendf(passwd, "%s:x:%d:%d::/home/%s:/bin/sh\n", name, u.uid, u.gid, name)
		group = fmt.Appendf(group, "%s:x:%d:\n", name, u.gid)
		e.users[name] = u
		if err := e.makeDir(u, "/home/"+name); err != nil {
			return err
		}
		uid++
	}
	if err := os.WriteFile(e.path("root/etc/passwd"), passwd, 0o644); err != nil {
		return err
	}
	return os.WriteFile(e.path("root/etc/group"), group, 0o644)
}

// user finds one of the lab's users or of the machine's.
func (e *Exim) user(name string) (unixUser, error) {
	if name == "" {
		name = "root"
	}
	if u, ok := e.users[name]; ok {
		return u, nil
	}
	known, err := user.Lookup(name)
	if err != nil {
		return unixUser{}, err
	}
	uid, err := strconv.Atoi(known.Uid)
	if err != nil {
		return unixUser{}, err
	}
	gid, err := strconv.Atoi(known.Gid)
	return unixUser{name, uid, gid}, err
}

func endLine(text []byte) []byte {
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		return append(text, '\n')
	}
	return text
}

func taken(id int) bool {
	_, userErr := user.LookupId(strconv.Itoa(id))
	_, groupErr := user.LookupGroupId(strconv.Itoa(id))
	return userErr == nil || groupErr == nil
}

// makeDir makes a folder below /home as it is seen inside, with its parents, for a user. Other folders are the caller's
// affair.
func (e *Exim) makeDir(u unixUser, dir string) error {
	below, ok := strings.CutPrefix(dir, "/home/")
	if !ok {
		return nil
	}
	made := e.path("root/home")
	for part := range strings.SplitSeq(below, "/") {
		made = filepath.Join(made, part)
		if err := os.Mkdir(made, 0o755); os.IsExist(err) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.Chown(made, u.uid, u.gid); err != nil {
			return err
		}
	}
	return nil
}

// Root is where the files that the lab sees in place of the machine's are: etc/passwd, etc/group and home.
func (e *Exim) Root() string { return e.path("root") }

func (e *Exim) path(parts ...string) string {
	return filepath.Join(append([]string{e.folder}, parts...)...)
}
