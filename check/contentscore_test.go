package check

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"osm"
)

// patience is how long a test waits for what should happen at once, on the busiest machine.
const patience = time.Minute

const (
	plainMail = "From: Ann <ann@shop.example>\r\nTo: bob@friend.example\r\nSubject: Lunch\r\nMessage-ID: <1@shop.example>\r\n" +
		"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\nShall we meet at noon?\r\n"
	spamMail = "From: Ann <ann@shop.example>\r\nTo: bob@friend.example\r\nSubject: Lunch\r\nMessage-ID: <2@shop.example>\r\n" +
		"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
)

// submission is a message with the worst of envelopes.
func submission() *osm.Message {
	return &osm.Message{ID: "1wEoXY-000000003RZ-0bHA", Class: osm.Login, Login: "ann", Client: netip.MustParseAddr("192.0.2.7"),
		Helo: "x\r\nScore: -99\x00\xff", ClientHost: "höst.example", Sender: "ann\n@shop.example", Recipients: []string{"bob@friend.example", "<\r\n>"}}
}

// program runs a server of somebody else's until the test ends; it returns when the server has written a line with ready.
func program(t *testing.T, name, ready string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Skipf("%s is not installed: make need", name)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up, ended := make(chan struct{}), make(chan string, 1)
	go func() {
		var log strings.Builder
		started := false
		for lines := bufio.NewScanner(read); lines.Scan(); {
			fmt.Fprintln(&log, lines.Text())
			if !started && strings.Contains(lines.Text(), ready) {
				started = true
				close(up)
			}
		}
		ended <- log.String()
	}()
	t.Cleanup(func() {
		stop()
		cmd.Wait() // it was ended by a signal
		write.Close()
		if log := <-ended; t.Failed() {
			t.Log(log)
		}
	})
	select {
	case <-up:
	case <-time.After(patience):
		t.Fatalf("%s does not start", name)
	}
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// scan asks the checks of a configuration about a message.
func scan(t *testing.T, change func(*Config), text string) osm.Opinions {
	t.Helper()
	cfg := DefaultConfig()
	change(&cfg)
	cfg.Check(func(key, problem string) { t.Fatalf("%s: %s", key, problem) })
	checks := New(cfg, Options{Now: time.Now})
	if int64(len(text)) > checks.Limit() {
		text = text[:checks.Limit()]
	}
	done := make(chan osm.Opinions, 1)
	go func() {
		var o osm.Opinions
		checks.Look(context.Background(), &Request{Stage: AtData, Message: submission(), Content: []byte(text), Whole: true}, &o)
		done <- o
	}()
	select {
	case o := <-done:
		return o
	case <-time.After(patience):
		t.Fatal("the checks never answer")
		return osm.Opinions{}
	}
}

// scannerAlive shows a real scanner good mail and bad.
func scannerAlive(t *testing.T, by string, enable func(*Config)) {
	t.Helper()
	if o := scan(t, enable, plainMail); o.Worst().By != by || o.Worst().Points >= 5 || o.Verdict.Stops() || len(o.Failed) > 0 {
		t.Errorf("good mail: %+v", o)
	}
	o := scan(t, enable, spamMail)
	if o.Worst().By != by || o.Worst().Points < 10 || o.Verdict.Action != osm.Hold || o.Verdict.Rule != "check-"+by || !strings.Contains(o.Verdict.Detail, "GTUBE") {
		t.Errorf("bad mail: %+v", o)
	}
}

// fake is a server that treats every connection in one way. It returns its address.
func fake(t *testing.T, treat func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			treat(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr().String()
}

// said answers so as soon as something was asked.
func said(text string) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Read(make([]byte, 1<<16))
		io.WriteString(conn, text)
	}
}

// dripping sends a byte again and again, slowly.
func dripping(start, drop string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, start)
		for range time.Tick(10 * time.Millisecond) {
			if _, err := io.WriteString(conn, drop); err != nil {
				return
			}
		}
	}
}

// endless sends without an end.
func endless(start string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, start)
		for block := strings.Repeat(" ", 1<<16); ; {
			if _, err := io.WriteString(conn, block); err != nil {
				return
			}
		}
	}
}

// silent reads and says nothing.
func silent(conn net.Conn) { io.Copy(io.Discard, conn) }

// unreliable shows a message to a server that does not do what it should. Nothing it does may be taken for a score, or make
// mail wait for longer than the deadline: what follows is what the configuration says.
func unreliable(t *testing.T, by string, lies map[string]func(net.Conn), set func(cfg *Config, s *string) *Scanner) {
	t.Helper()
	lies["silent"], lies["gone"] = silent, func(net.Conn) {}
	for name, treat := range lies {
		t.Run(name, func(t *testing.T) {
			address := fake(t, treat)
			for _, failure := range []osm.Action{osm.Defer, osm.Accept} {
				o := scan(t, func(cfg *Config) {
					s := set(cfg, &address)
					s.Enabled, s.OnFailure, s.Deadline, s.Action = true, failure, osm.Duration(100*time.Millisecond), osm.Reject
					if strings.HasPrefix(name, "big ") { // it takes a while to send
						s.Deadline = osm.Duration(30 * time.Second)
					}
				}, spamMail)
				if o.Worst().By != "" || o.Verdict.Action != failure || !slices.Equal(o.Failed, []string{by}) {
					t.Errorf("on failure %s: %+v", failure, o)
				}
			}
		})
	}
	t.Run("dead", func(t *testing.T) {
		address := "127.0.0.1:" + freePort(t)
		o := scan(t, func(cfg *Config) {
			s := set(cfg, &address)
			s.Enabled, s.OnFailure = true, osm.Hold
		}, plainMail)
		if o.Verdict.Action != osm.Hold || o.Verdict.Reason != "failed" || !slices.Equal(o.Failed, []string{by}) {
			t.Errorf("%+v", o)
		}
	})
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct {
		score, required, threshold, reject float64
		action                             osm.Action
		want                               osm.Action
	}{
		{4.9, 5, 0, 0, osm.Hold, osm.Accept},
		{5, 5, 0, 0, osm.Hold, osm.Hold},
		{5, 5, 8, 0, osm.Hold, osm.Accept},
		{8, 15, 8, 0, osm.Defer, osm.Defer},
		{8, 15, 8, 12, osm.Hold, osm.Hold},
		{12, 15, 8, 12, osm.Hold, osm.Reject},
		{12, 15, 8, 12, osm.Accept, osm.Reject},
		{9, 15, 8, 12, osm.Accept, osm.Accept}, // the score is a fact for rules
		{0, 0, 0, 0, osm.Reject, osm.Accept},   // a scanner that requires nothing
		{1, -5, 0, 0, osm.Reject, osm.Accept},
		{-3, 5, 0, 0, osm.Hold, osm.Accept},
	} {
		k := &one{name: "rspamd", settings: Common{Action: c.action}}
		var o osm.Opinions
		k.opine("rspamd", score{Score: c.score, Required: c.required, Symbols: []string{"A\x1b[2J", "B"}},
			&Scanner{Threshold: c.threshold, Reject: c.reject}, &o)
		if o.Worst().Points != c.score || o.Worst().By != "rspamd" || o.Verdict.Action != c.want {
			t.Errorf("%+v: %+v", c, o)
		}
		if strings.Contains(o.Verdict.Detail, "\x1b") {
			t.Errorf("the scanner's words are shown as they are: %q", o.Verdict.Detail)
		}
	}
}
