package exim_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"osm"
	"osm/exim"
	"osm/lab"
	"osm/policy"
)

var installed = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// server is a private copy of this machine's Exim: its /etc, spool and log are the test's own, in a mount namespace.
type server struct {
	t      *testing.T
	root   string
	holder int // process whose mounts they are
	port   int
}

// newServer makes a server; furnish changes its files below root before anything runs.
func newServer(t *testing.T, furnish func(s *server)) *server {
	t.Helper()
	eximBinary(t)
	root, err := os.MkdirTemp("", "osm-install-")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, root: root}
	t.Cleanup(func() { os.RemoveAll(root) })
	s.sh("chmod 755 $R; mkdir -p $R/var/lib $R/var/tmp $R/var/spool $R/var/log $R/run $R/usr/local/bin; chmod 1777 $R/var/tmp; " +
		"cp -a /etc $R/etc; cp -a /var/lib/exim4 $R/var/lib/; rm -rf $R/etc/exim4/osm; " +
		"for d in var/spool var/log run; do install -d -m 2750 -o Debian-exim -g Debian-exim $R/$d/exim4; done")
	furnish(s)
	setup := "mount --make-rprivate /; for d in etc usr/local var/tmp var/lib/exim4 var/spool/exim4 var/log/exim4 run/exim4; do " +
		"mount --bind " + root + "/$d /$d || exit 1; done; echo ready; exec cat"
	cmd := exec.Command("/bin/sh", "-c", setup)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("no mount namespace: ", err)
	}
	t.Cleanup(func() { leash.Close(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	s.holder = cmd.Process.Pid
	return s
}

// sh changes the files, from outside; $R is the root.
func (s *server) sh(script string) {
	s.t.Helper()
	cmd := exec.Command("/bin/sh", "-ec", script)
	cmd.Env = append(os.Environ(), "R="+s.root)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v: %s", script, err, out)
	}
}

func (s *server) write(path, text string) {
	s.t.Helper()
	path = filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command inside.
func (s *server) run(ctx context.Context, text string, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(s.holder), "-m", "--wd=/", "--"}, command...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}

func (s *server) must(command ...string) string {
	s.t.Helper()
	out, err := s.run(s.t.Context(), "", command...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *server) installer(o exim.Snippets) *exim.Installer {
	return &exim.Installer{Root: s.root, Run: s.run, Snippets: o}
}

// state is every file below the folders, with its mode, owner and content.
func (s *server) state(dirs ...string) map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(s.root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			sum := ""
			if info.Mode().IsRegular() {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				sum = fmt.Sprintf("%x", sha256.Sum256(data))
			}
			owner := info.Sys().(*syscall.Stat_t)
			all[strings.TrimPrefix(path, s.root)] = fmt.Sprint(info.Mode(), owner.Uid, owner.Gid, sum)
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return all
}

func (s *server) same(before map[string]string, dirs ...string) {
	s.t.Helper()
	after := s.state(dirs...)
	for path, was := range before {
		if after[path] != was {
			s.t.Errorf("%s was %s, and is %q", path, was, after[path])
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			s.t.Errorf("%s is new", path)
		}
	}
}

// startDaemon starts Exim on a free port, with a configuration file, or with its own.
func (s *server) startDaemon(args ...string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	s.must(append([]string{"/usr/sbin/exim4"}, append(args, "-bd", "-oX", fmt.Sprintf("<; [127.0.0.1]:%d", s.port), "-oP", "/run/exim4/exim.pid")...)...)
	pid := s.pid()
	s.t.Cleanup(func() { syscall.Kill(pid, syscall.SIGTERM) })
}

func (s *server) pid() int {
	s.t.Helper()
	for ctx := within(s.t); ctx.Err() == nil; {
		text, _ := os.ReadFile(filepath.Join(s.root, "run/exim4/exim.pid"))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return pid
		}
	}
	s.t.Fatal("the daemon has no pid file")
	return 0
}

func (s *server) alive() {
	s.t.Helper()
	if err := syscall.Kill(s.pid(), 0); err != nil {
		s.t.Errorf("the daemon has ended: %v", err)
	}
}

// deliver gives the daemon a message as a program on the same machine does.
func (s *server) deliver() error {
	client, err := smtp.Dial(fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := lab.Transmit(client, "x@osm.invalid", []string{"smtp@far.invalid"}, "Subject: by SMTP\n\nBody\n"); err != nil {
		return err
	}
	return client.Quit()
}

// heldSubjects are the subjects of all messages that osm holds, sorted.
func (s *server) heldSubjects() []string {
	s.t.Helper()
	var all []string
	q := &exim.Queue{Spool: filepath.Join(s.root, "var/spool/exim4")}
	for m, err := range q.Messages(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		if _, _, ok := m.Verdict(); ok && m.Held() {
			all = append(all, m.Header("subject"))
		}
	}
	slices.Sort(all)
	return all
}

func holding(t *testing.T) *oracle {
	o := &oracle{answer: func(*policy.Request) osm.Verdict {
		return osm.Verdict{Action: osm.Hold, Detail: "on trial", ID: "V0TRIAL"}
	}}
	startOracle(t, o)
	return o
}

func split(yes bool) func(s *server) {
	return func(s *server) {
		s.sh(fmt.Sprintf("sed -i \"s/^dc_use_split_config=.*/dc_use_split_config='%v'/\" $R/etc/exim4/update-exim4.conf.conf", yes))
	}
}

// TestDebian installs into Debian's own packages' configuration, both kinds, with the real Exim and update-exim4.conf.
func TestDebian(t *testing.T) {
	for _, kind := range []string{"debian-split", "debian-single"} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, split(kind == "debian-split"))
			o := holding(t)
			s.must("update-exim4.conf")
			touched := []string{"etc", "var/lib/exim4", "var/tmp"}
			before := s.state(touched...)
			s.startDaemon()
			i := s.installer(exim.Snippets{Socket: o.socket})
			life(t, s, i, kind, touched, before)
			if err := s.deliver(); err != nil {
				t.Error(err)
			}
			if got := s.heldSubjects(); len(got) != 2 {
				t.Errorf("held after it was uninstalled: %q", got)
			}
		})
	}
}

// TestOtherWay: an installation with other settings takes back what the one before wrote.
func TestOtherWay(t *testing.T) {
	s := newServer(t, split(true))
	o := holding(t)
	s.must("update-exim4.conf")
	before := s.state("etc", "var/lib/exim4")
	ctx := within(t)
	for _, way := range []exim.Way{exim.ByACL, exim.ByRewrite, exim.ByACL} {
		if _, err := s.installer(exim.Snippets{Way: way, Socket: o.socket}).Install(ctx, installed); err != nil {
			t.Fatal(err)
		}
		now := s.state("etc/exim4/conf.d")
		_, acl := now["/etc/exim4/conf.d/acl/05_osm"]
		_, rewrite := now["/etc/exim4/conf.d/rewrite/05_osm"]
		if acl != (way == exim.ByACL) || rewrite != (way == exim.ByRewrite) {
			t.Errorf("by %s: ACLs %v, rewriting %v", way, acl, rewrite)
		}
	}
	if _, err := s.installer(exim.Snippets{}).Uninstall(ctx); err != nil {
		t.Fatal(err)
	}
	s.same(before, "etc", "var/lib/exim4")
}

// life installs, uses, installs again, fails to, checks and uninstalls.
func life(t *testing.T, s *server, i *exim.Installer, kind string, touched []string, before map[string]string) {
	ctx := within(t)
	if plan, err := i.Plan(ctx); err != nil || plan.System != kind || len(plan.Changes) == 0 {
		t.Fatalf("the plan: %+v, %v", plan, err)
	}
	s.same(before, touched...)
	if _, err := i.Install(ctx, installed); err != nil {
		t.Fatal(err)
	}
	s.alive()
	if s.port != 0 {
		if err := s.deliver(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.run(ctx, "To: local@far.invalid\nSubject: by sendmail\n\nBody\n", "/usr/sbin/sendmail", "-t", "-i"); err != nil {
		t.Fatal(err)
	}
	if got := s.heldSubjects(); !slices.Equal(got, []string{"by SMTP", "by sendmail"}) {
		t.Errorf("held: %q; %s", got, s.must("cat", "/var/log/exim4/mainlog"))
	}
	active := s.state(touched...)
	if _, err := i.Install(ctx, installed); err != nil {
		t.Fatal(err)
	}
	s.same(active, touched...)
	if _, problems, err := i.Check(ctx); err != nil || len(problems) > 0 {
		t.Errorf("%v, %q", err, problems)
	}
	if _, err := i.Uninstall(ctx); err != nil {
		t.Fatal(err)
	}
	s.same(before, touched...)
	s.alive()
	if gone, err := i.Uninstall(ctx); gone != nil || err != nil {
		t.Errorf("a second time: %+v, %v", gone, err)
	}
}
