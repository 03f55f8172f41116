package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crasher makes this test program start a lab, say where it is, and wait to be killed.
const crasher = "OSM_LAB_CRASHER"

func TestMain(m *testing.M) {
	if os.Getenv(crasher) == "" {
		os.Exit(m.Run())
	}
	e, err := Start(context.Background(), Options{Users: []string{"shop"}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(e.Folder(), e.daemon.Process.Pid)
	io.Copy(io.Discard, os.Stdin)
}

func folders(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(parent(), prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStopLeavesNothing(t *testing.T) {
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	e, err := Start(within(t), Options{Users: []string{"shop"}, QueueEvery: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	folder, smtp, daemon := e.Folder(), e.SMTP(), e.daemon.Process.Pid
	// A script that is still running must not live on.
	idle := exec.Command("/bin/cat")
	hung, err := idle.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	if err := e.inside.start(idle); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() { waited <- idle.Wait() }()
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a process inside ended by itself: %v", err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := unix.Kill(daemon, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("Exim's process %d: %v", daemon, err)
	}
	if err := e.Deliver(within(t), smtp, Caller{}, "a@b.example", []string{"c@d.example"}, ""); err == nil {
		t.Error("Exim still answers")
	}
	if err := e.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

// TestCrash kills a program that runs a lab: its Exim goes with it, and the next lab removes its folder.
func TestCrash(t *testing.T) {
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), crasher+"=1")
	hold, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var folder string
	var pid int
	line, _ := bufio.NewReader(out).ReadString('\n')
	if _, err := fmt.Sscan(line, &folder, &pid); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	exim, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(exim)
	if err := sweep(nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("a running lab's folder was swept: %v", err)
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	program.Wait()
	ready, err := unix.Poll([]unix.PollFd{{Fd: int32(exim), Events: unix.POLLIN}}, int(patience/time.Millisecond))
	if ready != 1 {
		t.Errorf("Exim outlives its lab: %v", err)
	}
	if err := sweep(nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the crashed lab's folder is still there: %v", err)
	}
}
