package panel

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// People have uids from 500 (old Red Hat and cPanel) or 1000; the rest but root belongs to the system, and 65534 is
// nobody.
const (
	firstUser = 500
	nobody    = 65534
)

// parsePasswd reads the users, and the homes of root and of people, from the users' file (passwd(5)).
func parsePasswd(data []byte) (f facts, err error) {
	err = eachLine(data, func(line string) error {
		if line[0] == '+' || line[0] == '-' { // names from a directory service (nsswitch.conf(5), compat)
			return nil
		}
		fields := strings.Split(line, ":")
		if len(fields) != 7 {
			return fmt.Errorf("%q has not seven fields", cut(fields[0]))
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			return fmt.Errorf("the uid of %q is not a number", cut(fields[0]))
		}
		name, err := account(fields[0])
		if err != nil {
			return err
		}
		f.users = append(f.users, user{uint32(uid), name})
		if !personal(uid) {
			return nil
		}
		home := strings.TrimRight(fields[5], "/")
		if home == "/root" || strings.HasPrefix(home, "/") && strings.Count(home, "/") > 1 {
			f.homes = append(f.homes, pair{home, name})
		}
		return nil
	})
	return f, err
}

func personal(uid uint64) bool { return uid == 0 || uid >= firstUser && uid != nobody }

// readSites finds whose the folders in a web server's folder are: those of a person are that person's account.
func readSites(dir string) (f facts, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return facts{}, cause(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.IsDir() {
			continue
		}
		sys, ok := info.Sys().(*syscall.Stat_t)
		if !ok || sys.Uid == 0 || !personal(uint64(sys.Uid)) {
			continue
		}
		f.sites = append(f.sites, site{e.Name(), sys.Uid})
	}
	return f, nil
}

// readNames takes the names in a folder for local domains: HestiaCP makes one entry for each.
func readNames(dir string) (f facts, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return facts{}, cause(err)
	}
	for _, e := range entries {
		d, bad := domain(e.Name())
		if bad != nil {
			err = bad
			continue
		}
		f.local = append(f.local, d)
	}
	return f, err
}
