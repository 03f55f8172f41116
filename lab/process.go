package lab

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sendmail is the name by which scripts call Exim.
const sendmail = "/usr/sbin/sendmail"

// Submission is one call of sendmail by a unix user.
type Submission struct {
	User  string   // one of Options.Users, or one of the machine's, such as www-data; "" is root
	Dir   string   // working directory; made for the user when it is below /home; "" is /
	Args  []string // after the program's name; nil is -t -i
	Input string   // the message: headers, empty line, body
}

// Submit hands a message to Exim as a script on the server does. The error has what sendmail printed.
func (e *Exim) Submit(ctx context.Context, s Submission) error {
	u, err := e.user(s.User)
	if err != nil {
		return err
	}
	if err := e.makeDir(u, s.Dir); err != nil {
		return fmt.Errorf("make the script's folder: %w", err)
	}
	args := s.Args
	if args == nil {
		args = []string{"-t", "-i"}
	}
	cmd := e.command(ctx, args...)
	cmd.Args[0] = sendmail
	cmd.Dir = s.Dir
	cmd.Stdin = strings.NewReader(s.Input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}}
	_, err = e.run(cmd)
	return err
}

// Command runs Exim as root with other arguments, such as -bp or -M ID, and returns what it printed.
func (e *Exim) Command(ctx context.Context, args ...string) (string, error) {
	return e.run(e.command(ctx, args...))
}

// ConfigCheck asks Exim whether it can read its configuration.
func (e *Exim) ConfigCheck(ctx context.Context) error {
	_, err := e.Command(ctx, "-bV")
	return err
}

// QueueRun tries to deliver everything that waits, whatever the retry rules say, and returns when that is done. Frozen
// messages stay.
func (e *Exim) QueueRun(ctx context.Context) error {
	_, err := e.Command(ctx, "-qf")
	return err
}

// Freeze holds a message in the queue.
func (e *Exim) Freeze(ctx context.Context, id string) error {
	_, err := e.Command(ctx, "-Mf", id)
	return err
}

// Queued are the ids of all messages in a named queue, "" for the default one, oldest first.
func (e *Exim) Queued(queue string) ([]string, error) {
	const header = "-H"
	files, err := filepath.Glob(e.path("spool", queue, "input", "*"+header))
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), header)
	}
	return files, err
}

// Reload makes the daemon read its configuration again. A broken one would end it: it is checked first.
func (e *Exim) Reload(ctx context.Context) error {
	if err := e.ConfigCheck(ctx); err != nil {
		return err
	}
	return e.daemon.Process.Signal(syscall.SIGHUP)
}

// command is a call of Exim with nothing of this program's environment.
func (e *Exim) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.binary, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	return cmd
}

// run starts a command inside and waits for its end.
func (e *Exim) run(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := e.inside.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err,
			strings.TrimSpace(cmp.Or(complaint.String(), out.String())))
	}
	return out.String(), nil
}

// Start starts another program where Exim is: it sees the files that Exim sees. The caller waits for its end.
func (e *Exim) Start(program *exec.Cmd) error { return e.inside.start(program) }

// startDaemon starts Exim listening and returns when it does: it writes its pid file after it has bound its ports.
func (e *Exim) startDaemon(ctx context.Context) error {
	e.daemon = e.command(context.Background(), e.daemonArgs()...)
	var complaint bytes.Buffer
	e.daemon.Stdout, e.daemon.Stderr = &complaint, &complaint
	e.ended = make(chan struct{})
	if err := e.inside.start(e.daemon); err != nil {
		e.daemon = nil
		return err
	}
	go func() {
		e.failure = e.daemon.Wait()
		close(e.ended)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !e.listening() {
		select {
		case <-tick.C:
		case <-e.ended:
			return fmt.Errorf("it ended (%v): %s", e.failure, strings.TrimSpace(complaint.String()))
		case <-ctx.Done():
			return fmt.Errorf("wait until it listens: %w", ctx.Err())
		}
	}
	return nil
}

func (e *Exim) listening() bool {
	info, err := os.Stat(e.pidFile())
	return err == nil && info.Size() > 0
}
