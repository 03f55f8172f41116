package exim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func (i *Installer) run(ctx context.Context, text string, command ...string) (string, error) {
	if i.Run != nil {
		return i.Run(ctx, text, command...)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("run %s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}

// exim runs Exim itself.
func (i *Installer) exim(ctx context.Context, text string, args ...string) (string, error) {
	if i.Binary == "" {
		found, err := FindBinary("/")
		if err != nil {
			return "", err
		}
		i.Binary = found
	}
	return i.run(ctx, text, append([]string{i.Binary}, args...)...)
}

// configFile asks Exim which file it reads.
func (i *Installer) configFile(ctx context.Context) (string, error) {
	said, err := i.exim(ctx, "", "-bV")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(said) {
		if file, ok := strings.CutPrefix(line, "Configuration file is "); ok {
			return strings.TrimSpace(file), nil
		}
	}
	return "", errors.New("exim -bV does not name its configuration file: name it with --file")
}

// activate builds the configuration, checks it, and has the daemon read it. A broken one would end the daemon.
func (i *Installer) activate(ctx context.Context, s *system) error {
	if s.try != nil {
		dir, err := os.MkdirTemp(i.path("/var/tmp"), "osm-exim-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		candidate := filepath.Join("/var/tmp", filepath.Base(dir), "exim.conf")
		if _, err := i.run(ctx, "", append(s.try, candidate)...); err != nil {
			return err
		}
		if err := i.trial(ctx, candidate); err != nil {
			return err
		}
	}
	if s.build != nil {
		if _, err := i.run(ctx, "", s.build...); err != nil {
			return err
		}
	}
	if err := i.trial(ctx, s.config); err != nil {
		return err
	}
	return i.reload(ctx, s.config)
}

// tryCopy checks a system's configuration before anything of it changes: on a copy that includes copies.
func (i *Installer) tryCopy(ctx context.Context, s *system, d *draft) error {
	dir, err := os.MkdirTemp(i.path("/var/tmp"), "osm-exim-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // Exim's user reads the ACLs
		return err
	}
	main, err := os.ReadFile(i.path(s.config))
	if err != nil {
		return fmt.Errorf("read Exim's configuration: %w", err)
	}
	inside := filepath.Join("/var/tmp", filepath.Base(dir))
	var names []string
	for n, c := range d.changes {
		if c.Path == s.config {
			main = c.After
		} else {
			names = append(names, c.Path, fmt.Sprintf("%s/%d", inside, n))
		}
	}
	moved := strings.NewReplacer(names...)
	for n, c := range d.changes {
		if c.Path != s.config {
			if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, n), []byte(moved.Replace(string(c.After))), 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.WriteFile(dir+"/exim.conf", []byte(moved.Replace(string(main))), 0o644); err != nil {
		return err
	}
	return i.trial(ctx, inside+"/exim.conf")
}

// trialLetter is a whole SMTP dialogue that Exim plays through with -bh, without taking the message.
const trialLetter = "EHLO osm.invalid\r\nMAIL FROM:<postmaster@localhost>\r\nRCPT TO:<postmaster@localhost>\r\n" +
	"RCPT TO:<osm@osm.invalid>\r\nDATA\r\nSubject: trial\r\n\r\nA trial of osm exim install.\r\n.\r\nQUIT\r\n"

// trouble is what Exim says when a configuration is valid and yet does not work.
var trouble = regexp.MustCompile(`(?i)(failed to expand|local configuration|local problem|error in ACL|unknown ACL|panic|` +
	`unrecognized|macro .* unknown|yielded unparseable).*`)

// trial checks a configuration: its syntax (-bV), a message (-bh), the routing of an address (-bt) and the rewriting of one (-brw).
func (i *Installer) trial(ctx context.Context, config string) error {
	if _, err := i.exim(ctx, "", "-C", config, "-bV"); err != nil {
		return err
	}
	for _, t := range []struct {
		what, text string
		args       []string
	}{
		{"a trial message", trialLetter, []string{"-bh", "127.0.0.1"}},
		{"the trial of an address", "", []string{"-bt", "postmaster@localhost", "osm@" + HoldDomain}},
		{"the trial of a rewriting", "", []string{"-brw", "postmaster@localhost"}},
	} {
		// The exit status tells whether the address is good, not the configuration.
		said, err := i.exim(ctx, t.text, append([]string{"-C", config}, t.args...)...)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if found := trouble.FindString(said); found != "" {
			return fmt.Errorf("%s (exim %s): %s", t.what, strings.Join(t.args, " "), found)
		}
		if t.text != "" && (err != nil || !strings.Contains(said, "221 ")) {
			return fmt.Errorf("%s (exim %s) does not come to its end: %w: %s", t.what, strings.Join(t.args, " "), err, lastLine(said))
		}
	}
	return nil
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// reload makes the daemon read its configuration again. Where none runs there is nothing to do: local submissions read it
// at every call.
func (i *Installer) reload(ctx context.Context, config string) error {
	said, err := i.exim(ctx, "", "-C", config, "-bP", "pid_file_path", "spool_directory")
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		settings[name] = value
	}
	for _, file := range []string{settings["pid_file_path"], settings["spool_directory"] + "/exim-daemon.pid", "/run/exim4/exim.pid", "/run/exim.pid"} {
		text, err := os.ReadFile(i.path(file))
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			return hangUp(ctx, pid)
		}
	}
	return nil
}

// How long a daemon may take to read its configuration again, and to end because of it.
const (
	reloadTime = 10 * time.Second
	afterwards = 300 * time.Millisecond
)

// hangUp sends SIGHUP to an Exim daemon and waits until it has executed itself, under the same process id (specification
// 52.7), and lives on. A signal that comes just before Exim begins to wait for connections is only seen after the next
// one, so it is sent again.
func hangUp(ctx context.Context, pid int) error {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.HasPrefix(filepath.Base(program), "exim") {
		return nil // the pid file is of a daemon that has ended
	}
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	tick, again, lived := time.NewTicker(20*time.Millisecond), time.NewTicker(time.Second), (<-chan time.Time)(nil)
	defer tick.Stop()
	defer again.Stop()
	before := stackOf(pid)
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload Exim: %w", err)
	}
	for {
		if err := syscall.Kill(pid, 0); err != nil {
			return errors.New("the daemon of Exim has ended after it was told to read its configuration again: start it, and see " +
				"its main log and panic log")
		}
		if lived == nil && stackOf(pid) != before {
			lived = time.After(afterwards)
		}
		select {
		case <-lived:
			return nil
		case <-again.C:
			if lived == nil {
				syscall.Kill(pid, syscall.SIGHUP) // whether it is there is looked at above
			}
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the daemon of Exim (pid %d) does not read its configuration again: reload it by hand", pid)
		}
	}
}

// stackOf is where a process's stack is: at another random place after every execve (proc(5), startstack).
func stackOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	const startstack = 28 - 3 // the fields after the name begin with the third
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= startstack {
		return ""
	}
	return fields[startstack]
}

// Check tells what is wrong with the installation, nothing when it is in order: files that were changed or replaced (as by
// an upgrade of a panel), and a configuration that does not work.
func (i *Installer) Check(ctx context.Context) (*Installed, []string, error) {
	m, err := i.readManifest()
	if m == nil {
		return nil, nil, err
	}
	i.Snippets, i.System, i.Config = m.Snippets, m.System, m.Config
	var problems []string
	s, d, err := i.plan(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range d.changes {
		data, err := os.ReadFile(i.path(c.Path))
		if err != nil || !bytes.Equal(data, c.After) {
			problems = append(problems, c.Path+" is not as osm would write it: run osm exim install again")
		}
	}
	if err := i.trial(ctx, s.config); err != nil {
		problems = append(problems, err.Error())
	}
	var dialer net.Dialer
	if conn, err := dialer.DialContext(ctx, "unix", m.Snippets.Socket); err != nil {
		problems = append(problems, "osm does not answer: "+err.Error())
	} else {
		conn.Close()
	}
	return &Installed{System: m.System, When: m.When, Changes: d.changes}, problems, nil
}
