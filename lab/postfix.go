package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// PostfixOptions say what kind of Postfix runs.
type PostfixOptions struct {
	Main      string         // more lines of main.cf; the last setting of a name counts
	Master    string         // more lines of master.cf
	Relayhost netip.AddrPort // takes all mail; without one it is discarded
}

// Postfix is a private one on loopback: its configuration, queue and log are in a folder of its own, and its programs may be
// those of a package that is only unpacked, because Debian's can't be installed beside Exim's. The machine's mail server is
// never touched.
type Postfix struct {
	folder string
	at     netip.AddrPort
	master *exec.Cmd
	ended  chan struct{}
	said   bytes.Buffer
}

// ErrNoPostfix says that Postfix can't be had here; tests skip with it.
var ErrNoPostfix = errors.New("no Postfix can be run here")

// Two accounts that nothing else uses, for Postfix to run as.
const (
	postfixUser  = "uucp"
	postfixGroup = "games"
)

// StartPostfix starts one, and returns when it answers. ctx bounds the start.
func StartPostfix(ctx context.Context, o PostfixOptions) (*Postfix, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: it needs root", ErrNoPostfix)
	}
	folder, err := os.MkdirTemp("", "osm-postfix") // short enough for the names of its sockets
	if err != nil {
		return nil, err
	}
	p := &Postfix{folder: folder}
	if err := p.start(ctx, o); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Postfix) start(ctx context.Context, o PostfixOptions) error {
	if err := os.Chmod(p.folder, 0o755); err != nil {
		return err
	}
	root, err := p.programs(ctx)
	if err != nil {
		return err
	}
	if p.at, _, err = freePorts(); err != nil {
		return err
	}
	libraries := root + "/usr/lib/postfix"
	if err := p.furnish(ctx, root, libraries, o); err != nil {
		return err
	}
	if err := p.run(libraries); err != nil {
		return err
	}
	return p.answers(ctx)
}

// programs finds those of the system, or unpacks those of Debian's package.
func (p *Postfix) programs(ctx context.Context) (root string, err error) {
	if _, err := os.Stat("/usr/lib/postfix/sbin/master"); err == nil {
		return "", nil
	}
	file, err := postfixPackage(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: it is not installed and its package can't be had: %w", ErrNoPostfix, err)
	}
	root = filepath.Join(p.folder, "root")
	if out, err := exec.CommandContext(ctx, "dpkg", "-x", file, root).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: its package can't be unpacked: %w: %s", ErrNoPostfix, errors.Join(err, os.Remove(file)), bytes.TrimSpace(out))
	}
	return root, nil
}

// postfixPackage is the file of Debian's package. It is downloaded once, into this user's cache.
func postfixPackage(ctx context.Context) (file string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "osm-lab")
	const name = "postfix_*.deb"
	if have, _ := filepath.Glob(filepath.Join(cache, name)); len(have) > 0 { // the pattern is a valid one
		return have[0], nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(cache, "new")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	download := exec.CommandContext(ctx, "apt-get", "download", "-q", "postfix")
	download.Dir = folder
	if out, err := download.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	got, _ := filepath.Glob(filepath.Join(folder, name))
	if len(got) != 1 {
		return "", errors.New("apt-get has downloaded no package")
	}
	file = filepath.Join(cache, filepath.Base(got[0]))
	return file, os.Rename(got[0], file) // another test may have been quicker: it is the same file
}

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
daemon_directory = %[2]s/sbin
shlib_directory = %[2]s
meta_directory = %[1]s/etc
command_directory = %[3]s/usr/sbin
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
import_environment = MAIL_CONFIG LD_LIBRARY_PATH=%[2]s
export_environment = LD_LIBRARY_PATH=%[2]s
mail_owner = ` + postfixUser + `
setgid_group = ` + postfixGroup + `
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.osm.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
default_transport = discard
message_size_limit = 104857600
mailbox_size_limit = 0
smtpd_peername_lookup = no
smtp_host_lookup = native
smtpd_relay_restrictions = permit_mynetworks, reject
`

const postfixMaster = `127.0.0.1:%d inet n - n - 40 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
postlog unix-dgram n - n - 1 postlogd
`

// furnish writes the configuration and makes the queue's folders, as postfix-files has them.
func (p *Postfix) furnish(ctx context.Context, root, libraries string, o PostfixOptions) error {
	main := fmt.Sprintf(postfixMain, p.folder, libraries, root)
	if o.Relayhost.IsValid() {
		main += fmt.Sprintf("default_transport = smtp\nrelayhost = [%s]:%d\n", o.Relayhost.Addr(), o.Relayhost.Port())
	}
	for name, mode := range map[string]os.FileMode{"etc": 0o755, "data": 0o755, "queue": 0o755, "queue/active": 0o700, "queue/bounce": 0o700,
		"queue/corrupt": 0o700, "queue/defer": 0o700, "queue/deferred": 0o700, "queue/flush": 0o700, "queue/hold": 0o700, "queue/incoming": 0o700,
		"queue/maildrop": 0o730, "queue/pid": 0o755, "queue/private": 0o700, "queue/public": 0o710, "queue/saved": 0o700, "queue/trace": 0o700} {
		if err := os.MkdirAll(filepath.Join(p.folder, name), mode); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(p.folder, name), mode); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"main.cf": main + o.Main, "dynamicmaps.cf": "", "master.cf": fmt.Sprintf(postfixMaster, p.at.Port()) + o.Master} {
		if err := os.WriteFile(filepath.Join(p.folder, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	own := exec.CommandContext(ctx, "sh", "-c", "chown "+postfixUser+" active bounce corrupt defer deferred flush hold incoming maildrop private saved trace public ../data && chgrp "+
		postfixGroup+" maildrop public")
	own.Dir = filepath.Join(p.folder, "queue")
	if out, err := own.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: the accounts that it shall run as: %w: %s", ErrNoPostfix, err, bytes.TrimSpace(out))
	}
	return nil
}

// run starts its master. Nothing is left when this program is killed.
func (p *Postfix) run(libraries string) error {
	etc := filepath.Join(p.folder, "etc")
	master := exec.Command(libraries+"/sbin/master", "-c", etc, "-d")
	master.Env = []string{"LD_LIBRARY_PATH=" + libraries, "PATH=/usr/sbin:/usr/bin:/bin", "MAIL_CONFIG=" + etc}
	master.Stderr = &p.said
	master.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the signal comes when the thread ends that has started the program
		err := master.Start()
		started <- err
		if err == nil {
			master.Wait() // how it ended is of interest to nobody: answers tells what it said
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%w: %w", ErrNoPostfix, err)
	}
	p.master, p.ended = master, ended
	return nil
}

func (p *Postfix) answers(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", p.at.String()); err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("Postfix has ended: %s\n%s", p.said.String(), p.Logged())
		case <-ctx.Done():
			return fmt.Errorf("Postfix does not answer: %w\n%s", ctx.Err(), p.Logged())
		case <-tick.C:
		}
	}
}

// Stop ends it and removes its folder.
func (p *Postfix) Stop() error {
	if p.master != nil {
		if err := p.master.Process.Signal(os.Interrupt); err == nil { // master takes its servers with it
			<-p.ended
		}
	}
	return os.RemoveAll(p.folder)
}

// Folder is where everything of it is.
func (p *Postfix) Folder() string { return p.folder }

// SMTP is the address that it listens on.
func (p *Postfix) SMTP() netip.AddrPort { return p.at }

// Logged is its log so far.
func (p *Postfix) Logged() string {
	text, err := os.ReadFile(filepath.Join(p.folder, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// WaitLog waits for a line of the log that has all parts.
func (p *Postfix) WaitLog(ctx context.Context, parts ...string) (line string, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for line := range strings.Lines(p.Logged()) {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				return line, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %q in Postfix's log: %w; it is\n%s", parts, ctx.Err(), p.Logged())
		case <-tick.C:
		}
	}
}
