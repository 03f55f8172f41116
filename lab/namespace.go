package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A namespace is a private view of the machine for the processes started in it: mounts of its own, so that Exim finds
// the lab's files at its compiled-in paths without -C (with which it gives up its rights and nobody but root could
// submit), and process ids of its own, so that the end of its first process is the end of all of them. That first
// process reads from a pipe that only this program writes to: however this program ends, the pipe ends too, and the
// kernel takes away the processes and the mounts.
type namespace struct {
	holder *exec.Cmd
	leash  io.Closer // the write end of that pipe
	starts chan start
	gone   chan struct{} // closed by close
}

type start struct {
	cmd  *exec.Cmd
	done chan error
}

// hold keeps the namespace. Orphans of Exim become children of its first process: with SIGCHLD ignored, which exec
// keeps, the kernel buries them.
const hold = `set -e
mount --make-rprivate /
mount -t proc proc /proc
%s
trap '' CHLD
echo ready
exec cat`

// newNamespace makes a namespace; setup is shell text that mounts what is wanted in it.
func newNamespace(setup string) (*namespace, error) {
	holder := exec.Command("/bin/sh", "-c", fmt.Sprintf(hold, setup))
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Setpgid: true}
	var complaint bytes.Buffer
	holder.Stderr = &complaint
	leash, err := holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	answer, err := holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, fmt.Errorf("make a mount and process namespace: %w (needs root with the right to mount: in a "+
			"container, --privileged)", err)
	}
	n := &namespace{holder: holder, leash: leash, starts: make(chan start), gone: make(chan struct{})}
	if ready, _ := bufio.NewReader(answer).ReadString('\n'); ready != "ready\n" {
		err := n.close()
		return nil, fmt.Errorf("set up a mount namespace: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	entered := make(chan error)
	go n.serve(entered)
	if err := <-entered; err != nil {
		return nil, errors.Join(fmt.Errorf("enter the mount namespace: %w", err), n.close())
	}
	return n, nil
}

// serve starts processes from a thread that has entered the namespace. The thread is never given back: it ends with this
// goroutine.
func (n *namespace) serve(entered chan<- error) {
	runtime.LockOSThread()
	err := enter(n.holder.Process.Pid)
	entered <- err
	if err != nil {
		return
	}
	for {
		select {
		case s := <-n.starts:
			s.done <- s.cmd.Start()
		case <-n.gone:
			return
		}
	}
}

// enter moves the calling thread into the mounts of a process, and the children it will have among its processes.
func enter(pid int) error {
	// Both are opened first: in the other mounts /proc shows other process ids.
	mounts, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return err
	}
	defer mounts.Close()
	pids, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return err
	}
	defer pids.Close()
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // setns(2): a thread that shares its root can't change it
		return err
	}
	if err := unix.Setns(int(pids.Fd()), unix.CLONE_NEWPID); err != nil {
		return err
	}
	return unix.Setns(int(mounts.Fd()), unix.CLONE_NEWNS)
}

// start starts a command inside. The caller waits for it.
func (n *namespace) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // a Ctrl-C on the terminal is for this program, which then stops the lab in order
	s := start{cmd, make(chan error)}
	select {
	case n.starts <- s:
		return <-s.done
	case <-n.gone:
		return errors.New("the lab has been stopped")
	}
}

// close ends every process inside and the namespace with them.
func (n *namespace) close() error {
	close(n.gone)
	n.leash.Close()
	if err := n.holder.Wait(); err != nil {
		return fmt.Errorf("end the lab's processes: %w", err)
	}
	return nil
}
