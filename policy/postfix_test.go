package policy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"osm"
	"osm/daemon"
	"osm/detect"
	"osm/enrich"
	"osm/exim"
	"osm/hold"
	"osm/lab"
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

// startPostfix starts one that asks the policy server on a socket at every stage.
func startPostfix(t *testing.T, socket string) *lab.Postfix {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ask := "check_policy_service unix:" + socket
	p, err := lab.StartPostfix(ctx, lab.PostfixOptions{Main: fmt.Sprintf("smtpd_recipient_restrictions = %[1]s, permit\nsmtpd_data_restrictions = %[1]s\n"+
		"smtpd_end_of_data_restrictions = %[1]s\nsmtpd_policy_service_timeout = 60s\n", ask)})
	if errors.Is(err, lab.ErrNoPostfix) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *lab.Postfix) *smtp.Client {
	t.Helper()
	conn, err := net.Dial("tcp", p.SMTP().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "mx.osm.test")
	if err != nil {
		t.Fatalf("Postfix does not greet: %v\n%s", err, p.Logged())
	}
	return c
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
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
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
	p := startPostfix(t, socket)
	c := dial(t, p)
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
	for _, parts := range [][]string{{"to=<a@far.example>", "relay=none", "status=sent"}, {"hold:", "because of held"}, {"discard:", "because of discarded"}} {
		if _, err := p.WaitLog(ctx, parts...); err != nil {
			t.Fatal(err)
		}
	}
	if held, err := filepath.Glob(filepath.Join(p.Folder(), "queue", "hold", "*")); err != nil || len(held) != 1 {
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
