package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"osm/config"
	"osm/daemon"
	"osm/lab"
	"osm/store"
	"osm/tail"
)

// Exim's pipe as Debian sets it up.
const (
	complaintRouter = `
complaints:
  driver = redirect
  local_parts = abuse
  data = "|%s complaint -c %s"
  pipe_transport = address_pipe
  user = LAB_USER
  group = LAB_GROUP

`
	complaintTransport = `
address_pipe:
  driver = pipe
  return_fail_output

`
)

// TestComplaintThroughExim: a receiver complains about a message that went out through a real Exim, by mail to an address whose
// mail Exim pipes into osm. While the daemon is away the report waits in the queue.
func TestComplaintThroughExim(t *testing.T) {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "osm-complaint-") // where Exim's user can go
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, conf := filepath.Join(dir, "osm"), filepath.Join(dir, "osm.toml")
	copyProgram(t, binary)
	sink, err := lab.NewSink(lab.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	ann := lab.Caller{Login: "ann@" + lab.Domain, Password: "secret"}
	exim, err := lab.Start(ctx, lab.Options{Sink: sink, Selector: lab.SelectorBest, Accounts: []lab.Account{{Address: ann.Login, Password: ann.Password}},
		Routers: fmt.Sprintf(complaintRouter, binary, conf), Transports: complaintTransport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := exim.Stop(); err != nil {
			t.Error(err)
		}
	})
	cfg := config.Defaults()
	cfg.Web.Listen = ""
	cfg.Exim.Log, cfg.Store.Path = exim.LogPath(), filepath.Join(t.TempDir(), "osm.db")
	cfg.Control.Socket, cfg.Policy.Socket = filepath.Join(dir, "control"), filepath.Join(dir, "policy")
	if err := os.WriteFile(conf, []byte(fmt.Sprintf("[control]\nsocket = %q\n", cfg.Control.Socket)), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := runDaemon(t, ctx, cfg)
	message := "From: " + ann.Login + "\r\nTo: bob@far.example\r\nSubject: offer\r\nMessage-ID: <offer.1@" + lab.Domain + ">\r\n" +
		"Date: " + time.Now().Format(time.RFC1123Z) + "\r\n\r\nBuy.\r\n"
	if err := exim.Deliver(ctx, exim.Submission(), ann, ann.Login, []string{"bob@far.example", "eve@far.example"}, message); err != nil {
		t.Fatal(err)
	}
	got, err := sink.Wait(ctx, func(r *lab.Received) bool { return bytes.Contains(r.Data, []byte("offer.1@")) })
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`\bid\s+(\w+-\w+-\w+)`).FindStringSubmatch(string(got.Data))[1]
	complain := func(recipient string) {
		t.Helper()
		report := "From: fbl@far.example\r\nTo: abuse@" + lab.Domain + "\r\nMIME-Version: 1.0\r\n" +
			"Content-Type: multipart/report; report-type=feedback-report; boundary=\"=\"\r\n\r\n--=\r\nContent-Type: message/feedback-report\r\n\r\n" +
			"Feedback-Type: abuse\r\nOriginal-Rcpt-To: <" + recipient + ">\r\n\r\n--=\r\nContent-Type: message/rfc822\r\n\r\n" + string(got.Data) + "\r\n--=--\r\n"
		if err := exim.Deliver(ctx, exim.SMTP(), lab.Caller{}, "fbl@far.example", []string{"abuse@" + lab.Domain}, report); err != nil {
			t.Fatal(err)
		}
	}
	awaitComplaints(t, ctx, cfg, id, 0)
	complain("bob@far.example")
	awaitComplaints(t, ctx, cfg, id, 1)
	stop()
	complain("eve@far.example")
	if _, err := exim.WaitLog(ctx, " == ", "complaint"); err != nil {
		t.Error(err)
	}
	runDaemon(t, ctx, cfg)
	if err := exim.QueueRun(ctx); err != nil {
		t.Fatal(err)
	}
	awaitComplaints(t, ctx, cfg, id, 2)
	log, err := os.ReadFile(exim.LogPath())
	if err != nil || strings.Contains(string(log), " ** ") || strings.Contains(string(log), "<= <>") {
		t.Errorf("somebody got a bounce (%v):\n%s", err, log)
	}
}

// copyProgram makes the osm command where Exim's user can run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable() // which is osm when it is called so: see TestMain
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Link(self, to) == nil {
		return
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, from); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// runDaemon runs a daemon, which answers, until stop is called or the test ends.
func runDaemon(t *testing.T, ctx context.Context, cfg config.Config) (stop func()) {
	t.Helper()
	d, err := daemon.New(cfg, daemon.Options{Start: tail.StartOldest})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	}
	t.Cleanup(stop)
	await(t, ctx, "the daemon answers", func() bool {
		conn, err := net.Dial("unix", cfg.Control.Socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return stop
}

// awaitComplaints waits until the history has so many complaints about a message.
func awaitComplaints(t *testing.T, ctx context.Context, cfg config.Config, id string, want int) {
	t.Helper()
	await(t, ctx, fmt.Sprintf("there are %d complaints about %s", want, id), func() bool {
		r, err := store.OpenReader(cfg.Store.Path)
		if err != nil {
			return false
		}
		defer r.Close()
		trace, err := r.Trace(ctx, id)
		if err != nil {
			return false
		}
		return len(slices.DeleteFunc(trace.Events, func(e store.Event) bool { return e.Kind != store.Complaint })) == want
	})
}

func await(t *testing.T, ctx context.Context, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting until %s took too long", what)
		}
	}
}
