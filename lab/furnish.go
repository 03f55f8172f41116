package lab

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// furnish writes everything that Exim needs into the folder.
func (e *Exim) furnish() (err error) {
	if e.uid, e.gid, err = eximUser(e.binary); err != nil {
		return err
	}
	if e.configPath, err = configPath(e.binary); err != nil {
		return err
	}
	if e.smtp, e.submission, err = freePorts(); err != nil {
		return err
	}
	if err := e.makeFolders(); err != nil {
		return err
	}
	if err := e.userFiles(); err != nil {
		return err
	}
	if e.certificate, err = newCertificate(); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	return e.writeFiles()
}

func (e *Exim) makeFolders() error {
	for _, f := range []struct {
		name  string
		mode  os.FileMode
		exims bool // owned by Exim's user
	}{
		{"exim", 0o755, false}, {"run", 0o755, false}, {"root", 0o755, false}, {"root/etc", 0o755, false},
		{"root/home", 0o755, false}, {"spool", 0o750, true}, {"log", 0o755, true}, {"mail", 0o755, true},
	} {
		dir := e.path(f.name)
		if err := errors.Join(os.Mkdir(dir, f.mode), os.Chmod(dir, f.mode)); err != nil {
			return err
		}
		if f.exims {
			if err := os.Chown(dir, e.uid, e.gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeFiles writes Exim's files and some of the C library's. Exim reads a configuration only when root alone can have
// written it.
func (e *Exim) writeFiles() error {
	logins, mailboxes := map[string]string{}, map[string]string{}
	for _, a := range e.options.Accounts {
		logins[a.Address] = a.Password
		mailboxes[a.Address] = a.Address
	}
	configuration, err := e.configuration()
	if err != nil {
		return err
	}
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil {
		return err
	}
	hosts = endLine(hosts)
	if e.options.Sink != nil {
		hosts = append(hosts, e.options.Sink.hosts()...)
	}
	for _, f := range []struct {
		name   string
		text   []byte
		secret bool // for Exim's group only
	}{
		{"exim/" + filepath.Base(e.configPath), []byte(configuration), false},
		{"exim/cert.pem", e.certificate.cert, false},
		{"exim/key.pem", e.certificate.key, true},
		{"exim/logins", lookupFile(logins), true},
		{"exim/mailboxes", lookupFile(mailboxes), false},
		{"exim/aliases", lookupFile(e.options.Aliases), false},
		{"root/etc/hosts", hosts, false},
		{"root/etc/userdomains", lookupFile(e.options.Owners), false},
		{"root/etc/localdomains", []byte(strings.Join(e.options.domains(), "\n") + "\n"), false},
		{"root/etc/nsswitch.conf", []byte("passwd: files\ngroup: files\nshadow: files\nhosts: files\n"), false},
		// Exim asks the DNS about a client's name past the C library's sources: nobody listens here, which it learns at once.
		{"root/etc/resolv.conf", []byte("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"), false},
	} {
		mode, gid := os.FileMode(0o644), 0
		if f.secret {
			mode, gid = 0o640, e.gid
		}
		path := e.path(f.name)
		err := errors.Join(os.WriteFile(path, f.text, mode), os.Chown(path, 0, gid), os.Chmod(path, mode))
		if err != nil {
			return err
		}
	}
	return nil
}

// lookupFile is a file for Exim's lsearch, specification 9.3.
func lookupFile(entries map[string]string) []byte {
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		b = fmt.Appendf(b, "%s: %s\n", key, entries[key])
	}
	return b
}

// binds is the shell text that puts the lab's files where Exim, the C library and scripts look for them.
func (e *Exim) binds() string {
	var b strings.Builder
	for _, m := range []struct{ from, to string }{
		{"exim", filepath.Dir(e.configPath)}, {"root/etc/passwd", "/etc/passwd"}, {"root/etc/group", "/etc/group"},
		{"root/etc/hosts", "/etc/hosts"}, {"root/etc/nsswitch.conf", "/etc/nsswitch.conf"}, {"root/home", "/home"},
	} {
		fmt.Fprintf(&b, "mount --bind %s %s\n", quote(e.path(m.from)), quote(m.to))
	}
	const resolver = "/etc/resolv.conf" // a machine need not have one
	fmt.Fprintf(&b, "if [ -e %s ]; then mount --bind %s %[1]s; fi\n", resolver, quote(e.path("root"+resolver)))
	return b.String()
}

// quote makes a word of the shell's.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// configAnswer is how Exim names the place of its configuration, when it finds one, none, or one that is broken.
var configAnswer = regexp.MustCompile(
	`(?m)(?:^Configuration file search path is |non-existent configuration file\(s\): | error in line \d+ of )(/[^:\n]+)`)

// configPath is the first place where this Exim looks for its configuration.
func configPath(binary string) (string, error) {
	out, err := exec.Command(binary, "-bV").CombinedOutput()
	if m := configAnswer.FindSubmatch(out); m != nil {
		return string(m[1]), nil
	}
	return "", fmt.Errorf("ask %s for its configuration's place: %w: %s", binary, cmp.Or(err, errors.New("no answer")),
		bytes.TrimSpace(out))
}

// eximUser is the user that Exim gives up root for, compiled into it.
func eximUser(binary string) (uid, gid int, err error) {
	out, err := exec.Command(binary, "-C", "/dev/null", "-bP", "exim_user").Output()
	name, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "exim_user = ")
	if err != nil || !ok {
		return 0, 0, fmt.Errorf("ask %s for its user: %w", binary, cmp.Or(err, errors.New("no answer")))
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// Ports below those that the kernel gives to outgoing connections (ip_local_port_range, from 32768): nobody takes one of
// them by chance between the look and Exim's own bind.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePorts finds two ports on loopback that nobody listens on.
func freePorts() (one, two netip.AddrPort, err error) {
	port := firstPort + rand.IntN(lastPort-firstPort)
	var free []netip.AddrPort
	for range lastPort - firstPort {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
		if l, err := net.Listen("tcp4", at.String()); err == nil {
			l.Close()
			free = append(free, at)
		}
		if len(free) == 2 {
			return free[0], free[1], nil
		}
		if port++; port == lastPort {
			port = firstPort
		}
	}
	return one, two, fmt.Errorf("no two ports are free between %d and %d", firstPort, lastPort)
}
