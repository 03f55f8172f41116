package policy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"osm"
	"osm/daemon"
	"osm/detect"
	"osm/enrich"
	"osm/exim"
	"osm/hold"
	"osm/policy"
	"osm/track"
)

// patience is how long the test waits for what should happen at once, on the busiest machine.
const patience = time.Minute

// asked is osm's engine behind a policy socket, with what it was asked.
type asked struct {
	mu          sync.Mutex
	engine      *daemon.Engine
	questions   []policy.Request
	connections atomic.Int64
	refused     []osm.Message
}

func (a *asked) Line(*exim.Entry)                     {}
func (a *asked) Forged(exim.Attempt)                  {}
func (a *asked) Delivery(*osm.Message, *osm.Delivery) {}
func (a *asked) Other(*exim.Entry, *track.Event)      {}
func (a *asked) Arrival(m *osm.Message)               { a.refused = append(a.refused, *m) }

func (a *asked) ask(r *policy.Request) osm.Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.engine.Ask(r, time.Now())
	a.questions = append(a.questions, *r)
	return v
}

// counted is a listener that counts its connections.
type counted struct {
	net.Listener
	n *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

// serveEngine opens a socket on which an engine with rules answers until the test ends.
func serveEngine(t *testing.T, socket string, rules ...policy.Rule) *asked {
	t.Helper()
	decides, err := policy.New(policy.Options{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	a := &asked{}
	a.engine = &daemon.Engine{Track: track.New(track.Options{Config: track.DefaultConfig()}), Policy: decides, Sink: a,
		Enrich: enrich.New(enrich.Options{Config: enrich.DefaultConfig()}), Detect: detect.New(detect.DefaultConfig()),
		Lane: hold.NewLane(0), User: func(int) string { return "" }}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	server := policy.NewServer(policy.ServerOptions{Ask: a.ask})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, counted{l, &a.connections}) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, a.engine.Close()); err != nil {
			t.Error(err)
		}
		if n := server.Stats().Malformed.Load(); n > 0 {
			t.Errorf("%d of Postfix's requests could not be read", n)
		}
	})
	return a
}

// postfix is a private Postfix on loopback: its configuration, queue and log are in a folder of the test's own, and its programs
// may be those of a package that is only unpacked. The machine's mail server is never touched.
type postfix struct {
	dir, port string
	log       string
}

// postfixPrograms finds Postfix's programs: those of the system, or those of Debian's package, which can't be installed beside
// Exim's.
func postfixPrograms(t *testing.T, dir string) (root string) {
	t.Helper()
	if _, err := os.Stat("/usr/lib/postfix/sbin/master"); err == nil {
		return ""
	}
	for _, args := range [][]string{{"apt-get", "download", "-q", "postfix"}, {"sh", "-c", "dpkg -x postfix_*.deb root"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("Postfix is not installed and its package can't be had: %v: %s", err, bytes.TrimSpace(out))
		}
	}
	return filepath.Join(dir, "root")
}

// startPostfix starts one that asks the policy server on a socket at every stage.
func startPostfix(t *testing.T, dir, socket string) *postfix {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a private Postfix needs root")
	}
	root := postfixPrograms(t, dir)
	p := &postfix{dir: dir, port: freePort(t), log: filepath.Join(dir, "log")}
	for _, name := range []string{"etc", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ask := "check_policy_service unix:" + socket
	libraries := root + "/usr/lib/postfix"
	main := fmt.Sprintf(`compatibility_level = 3.6
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
# Any two accounts that nothing else uses.
mail_owner = uucp
setgid_group = games
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.osm.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
default_transport = discard
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = %[4]s, permit
smtpd_data_restrictions = %[4]s
smtpd_end_of_data_restrictions = %[4]s
smtpd_policy_service_timeout = 60s
`, dir, libraries, root, ask)
	write(t, filepath.Join(dir, "etc", "main.cf"), main)
	write(t, filepath.Join(dir, "etc", "dynamicmaps.cf"), "")
	write(t, filepath.Join(dir, "etc", "master.cf"), "127.0.0.1:"+p.port+" inet n - n - 1 smtpd\n"+`cleanup unix n - n - 0 cleanup
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
postlog unix-dgram n - n - 1 postlogd
`)
	for name, mode := range map[string]os.FileMode{"active": 0o700, "bounce": 0o700, "corrupt": 0o700, "defer": 0o700, "deferred": 0o700,
		"flush": 0o700, "hold": 0o700, "incoming": 0o700, "maildrop": 0o730, "pid": 0o755, "private": 0o700, "public": 0o710, "saved": 0o700, "trace": 0o700} {
		if err := os.Mkdir(filepath.Join(dir, "queue", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	own := exec.Command("sh", "-c", "cd queue && chown uucp active bounce corrupt defer deferred flush hold incoming maildrop private saved trace public ../data && chgrp games maildrop public")
	own.Dir = dir
	if out, err := own.CombinedOutput(); err != nil {
		t.Skipf("the accounts that Postfix shall run as: %v: %s", err, out)
	}
	p.start(t, libraries)
	return p
}

func (p *postfix) start(t *testing.T, libraries string) {
	t.Helper()
	master := exec.Command(libraries+"/sbin/master", "-c", filepath.Join(p.dir, "etc"), "-d")
	master.Env = []string{"LD_LIBRARY_PATH=" + libraries, "PATH=/usr/sbin:/usr/bin:/bin", "MAIL_CONFIG=" + filepath.Join(p.dir, "etc")}
	var said bytes.Buffer
	master.Stderr = &said
	master.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // nothing is left when the test is killed
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal comes when the thread ends that has started the program
		err := master.Start()
		started <- err
		if err == nil {
			ended <- master.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Skipf("Postfix does not start: %v", err)
	}
	t.Cleanup(func() {
		if err := master.Process.Signal(os.Interrupt); err == nil { // master takes its servers with it
			<-ended
		}
	})
	deadline := time.After(patience)
	for {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+p.port); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Postfix has ended: %v: %s\n%s", err, said.String(), p.logged())
		case <-deadline:
			t.Fatalf("Postfix does not answer:\n%s", p.logged())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *postfix) dial(t *testing.T) *smtp.Client {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "mx.osm.test")
	if err != nil {
		t.Fatalf("Postfix does not greet: %v\n%s", err, p.logged())
	}
	return c
}

func (p *postfix) logged() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// waitLog waits for a line that has all parts.
func (p *postfix) waitLog(t *testing.T, parts ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		for line := range strings.Lines(p.logged()) {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				return
			}
		}
		select {
		case <-deadline:
			t.Fatalf("Postfix's log has no line with %q:\n%s", parts, p.logged())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// transmit sends one message over a connection. It returns Postfix's answer to what it refused, "" for a message that it took.
func transmit(t *testing.T, c *smtp.Client, sender string, recipients ...string) (refusal string) {
	t.Helper()
	said := func(err error) string {
		if e, ok := errors.AsType[*textproto.Error](err); ok {
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%d %s", e.Code, e.Msg)
		}
		t.Fatalf("the connection has failed: %v", err)
		return ""
	}
	if err := c.Mail(sender); err != nil {
		return said(err)
	}
	for _, r := range recipients {
		if err := c.Rcpt(r); err != nil {
			return said(err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return said(err)
	}
	if _, err := w.Write([]byte("Subject: a letter\r\n\r\nDear reader.\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		return said(err)
	}
	return ""
}

// TestPostfix lets a real Postfix ask (SMTPD_POLICY_README) and looks at what becomes of the mail.
func TestPostfix(t *testing.T) {
	dir, err := os.MkdirTemp("", "osm-postfix") // short enough for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "policy")
	rule := func(name string, action osm.Action) policy.Rule {
		return policy.Rule{Name: name, When: fmt.Sprintf("sender == %q", name+"@osm.test"), Action: action, Text: "because of " + name}
	}
	many := policy.Rule{Name: "many", When: "recipient_count > 2", Action: osm.Reject, Text: "too many recipients"}
	a := serveEngine(t, socket, rule("rejected", osm.Reject), rule("deferred", osm.Defer), rule("held", osm.Hold), rule("discarded", osm.Discard), many)
	a.engine.Policy.Lists.Set([]policy.Entry{{ID: 1, Key: osm.Key{Kind: osm.KeyRecipient, Value: "blocked@far.example"}, Reason: "asked us to stop"}})
	p := startPostfix(t, dir, socket)
	c := p.dial(t)
	for _, step := range []struct {
		sender     string
		recipients []string
		refusal    []string // parts of the answer
	}{
		{"fine@osm.test", []string{"a@far.example"}, nil},
		{"rejected@osm.test", []string{"a@far.example"}, []string{"554 5.7.1", "because of rejected", "(V"}},
		{"deferred@osm.test", []string{"a@far.example"}, []string{"450 4.7.1", "because of deferred", "(V"}},
		{"held@osm.test", []string{"a@far.example", "b@far.example"}, nil},
		{"discarded@osm.test", []string{"a@far.example"}, nil},
		{"fine@osm.test", []string{"a@far.example", "blocked@far.example"}, []string{"554 5.7.1", "<blocked@far.example>", "asked us to stop"}},
		{"fine@osm.test", []string{"a@far.example", "b@far.example", "c@far.example"}, []string{"554 5.7.1", "too many recipients"}},
		{"fine@osm.test", []string{"a@far.example", "b@far.example"}, nil},
	} {
		got := transmit(t, c, step.sender, step.recipients...)
		if step.refusal == nil && got != "" {
			t.Errorf("%s to %v: refused with %q", step.sender, step.recipients, got)
		}
		for _, part := range step.refusal {
			if !strings.Contains(got, part) {
				t.Errorf("%s to %v: %q, want %q in it", step.sender, step.recipients, got, part)
			}
		}
	}
	p.waitLog(t, "to=<a@far.example>", "relay=none", "status=sent")
	p.waitLog(t, "hold:", "because of held")
	p.waitLog(t, "discard:", "because of discarded")
	if held, err := filepath.Glob(filepath.Join(dir, "queue", "hold", "*")); err != nil || len(held) != 1 {
		t.Errorf("%d messages are on hold, %v", len(held), err)
	}
	checkQuestions(t, a)
}

// checkQuestions looks at how Postfix asked: all on one connection, recipient by recipient, and osm knew them all at the end.
func checkQuestions(t *testing.T, a *asked) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.connections.Load(); n != 1 || len(a.questions) < 20 {
		t.Errorf("%d questions on %d connections, want one", len(a.questions), n)
	}
	states := map[policy.State]int{}
	for _, q := range a.questions {
		states[q.State]++
		if q.Message.Client.String() != "127.0.0.1" || q.Message.Helo != "localhost" {
			t.Errorf("%s: from %v, %q", q.State, q.Message.Client, q.Message.Helo)
		}
	}
	if states[policy.Rcpt] != 13 || states[policy.Data] == 0 || states[policy.EndOfMessage] == 0 {
		t.Errorf("asked at %v", states)
	}
	a.engine.Refused()
	var refused []string
	for _, m := range a.refused {
		refused = append(refused, fmt.Sprintf("%s %s %d", m.Verdict.Action, m.Verdict.Rule, len(m.Recipients)))
	}
	if want := []string{"reject rejected 1", "defer deferred 1", "reject many 3"}; !slices.Equal(refused, want) {
		t.Errorf("the history would have %q, want %q", refused, want)
	}
}
