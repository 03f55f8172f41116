package exim_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"osm"
	"osm/exim"
	"osm/lab"
	"osm/policy"
)

// oracle is a policy server with a scripted answer.
type oracle struct {
	socket string
	answer func(*policy.Request) osm.Verdict // set before the first question

	mu    sync.Mutex
	asked []*policy.Request
}

func (o *oracle) ask(r *policy.Request) osm.Verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r)
	return o.answer(r)
}

func (o *oracle) questions() []*policy.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

// socketPath is a place for a socket that Exim's user can reach.
func socketPath(t testing.TB) string {
	dir, err := os.MkdirTemp("", "osm-socket-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "policy.sock")
}

func listen(t testing.TB, socket string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	return l
}

func startOracle(t *testing.T, o *oracle) {
	t.Helper()
	o.socket = socketPath(t)
	l := listen(t, o.socket)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	server := policy.NewServer(policy.ServerOptions{Ask: o.ask})
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// everywhere is all points.
func everywhere() []exim.Point {
	return []exim.Point{exim.AtConnect, exim.AtAuth, exim.AtMail, exim.AtRcpt, exim.AtData, exim.AtNotSMTP}
}

func snippets(t testing.TB, s exim.Snippets) exim.Snippets {
	t.Helper()
	u, err := exim.UserOf(t.Context(), eximBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	s.EximUID = u.UID
	s, err = s.Ready()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func eximBinary(t testing.TB) string {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	binary, err := exim.FindBinary("/")
	if err != nil {
		t.Skip(err)
	}
	return binary
}

// asking adds the ACL way to a lab's configuration.
func asking(s exim.Snippets, o lab.Options) lab.Options {
	o.Selector = lab.SelectorBest
	o.ACL = s.ACLs()
	o.Main += "strict_acl_vars = true\n" // the strictest that a configuration can be
	options := map[exim.Point]string{exim.AtConnect: "acl_smtp_connect", exim.AtAuth: "acl_smtp_auth", exim.AtMail: "acl_smtp_mail",
		exim.AtRcpt: "acl_smtp_rcpt", exim.AtData: "acl_smtp_data", exim.AtNotSMTP: "acl_not_smtp"}
	for _, at := range s.At {
		inner := ""
		if at == exim.AtRcpt {
			inner = "lab_rcpt"
		}
		o.Main += fmt.Sprintf("%s = osm_check_%s\n", options[at], at)
		o.ACL += s.Around(at, inner)
	}
	return o
}

// verdictByRecipient answers in the words of the recipient: hold.at.DATA@far.example is held at DATA.
func verdictByRecipient(r *policy.Request) osm.Verdict {
	all := r.Message.Recipients
	if r.Recipient != "" {
		all = append(all, r.Recipient)
	}
	for _, recipient := range append(all, r.Message.Sender) {
		local, _, _ := strings.Cut(recipient, "@")
		name, state, ok := strings.Cut(local, ".at.")
		if !ok || !strings.EqualFold(state, r.State.String()) {
			continue
		}
		for _, a := range []osm.Action{osm.Reject, osm.Defer, osm.Hold, osm.Discard} {
			if a.String() == name {
				return osm.Verdict{Action: a, Detail: "on trial", ID: "V0TRIAL"}
			}
		}
	}
	return osm.Verdict{}
}

const home = "203.0.113.7"

// letter has what does not survive every way through a mail server.
const letter = "Subject: =?utf-8?q?caf=C3=A9?=\n folded\nX-Odd:  two  blanks \n\n.\n..dots\n trailing blanks  \n8 bit \xe4\xf6\xfc\n\tTAB\n" +
	"From the beginning of a line\n\n\nlast\n"

// TestVerdictsOverSMTP: each verdict at each point, from a real client.
func TestVerdictsOverSMTP(t *testing.T) {
	sink := startSink(t)
	o := &oracle{answer: verdictByRecipient}
	startOracle(t, o)
	s := snippets(t, exim.Snippets{Socket: o.socket, At: everywhere()})
	e := startLab(t, asking(s, lab.Options{Sink: sink, Accounts: []lab.Account{{Address: "alice@osm.test", Password: "secret"}}}))
	q := queueOf(e)
	alice := lab.Caller{From: netip.MustParseAddr(home), Login: "alice@osm.test", Password: "secret"}
	for _, c := range []struct {
		verdict, state string
		refused        string // what the client is told
		arrives        bool
		queue          string // where it is held
	}{
		{"accept", "DATA", "", true, ""},
		{"reject", "MAIL", "550 5.7.1 on trial (V0TRIAL)", false, ""},
		{"defer", "MAIL", "451 4.7.1 on trial (V0TRIAL)", false, ""},
		{"reject", "RCPT", "550 5.7.1 on trial (V0TRIAL)", false, ""},
		{"defer", "RCPT", "451 4.7.1 on trial (V0TRIAL)", false, ""},
		{"discard", "RCPT", "", false, ""},
		{"hold", "RCPT", "", false, exim.HoldQueue},
		{"hold", "MAIL", "", false, exim.HoldQueue},
		{"reject", "DATA", "550 5.7.1 on trial (V0TRIAL)", false, ""},
		{"defer", "DATA", "451 4.7.1 on trial (V0TRIAL)", false, ""},
		{"discard", "DATA", "", false, ""},
		{"hold", "DATA", "", false, ""},
	} {
		t.Run(c.verdict+" at "+c.state, func(t *testing.T) {
			ctx := within(t)
			local := c.verdict + ".at." + c.state
			recipient, sender := local+"@far.example", "alice@osm.test"
			if c.state == "MAIL" {
				recipient, sender = c.verdict+".mail@far.example", local+"@osm.test"
			}
			err := e.Deliver(ctx, e.SMTP(), alice, sender, []string{recipient}, letter)
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), c.refused) {
				t.Fatalf("the client was told %v, not %q", err, c.refused)
			}
			if err != nil {
				return
			}
			isHeld := c.verdict == "hold"
			if isHeld {
				m := onlyHeld(t, q)
				if id, text, ok := m.Verdict(); m.Queue != c.queue || m.Frozen.IsZero() || id != "V0TRIAL" || text != "on trial (V0TRIAL)" || !ok {
					t.Fatalf("held as %+v", m)
				}
				if err := q.Deliver(ctx, m.Place); err != nil {
					t.Fatal(err)
				}
			}
			if c.arrives || isHeld {
				got, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, recipient) })
				want := strings.ReplaceAll(letter, "\n", "\r\n")
				if err != nil || !strings.Contains(string(got.Data), want[:strings.Index(want, "\r\n\r\n")]) || !strings.HasSuffix(string(got.Data), want[strings.Index(want, "\r\n\r\n"):]) {
					t.Fatalf("%v, %+v", err, got)
				}
			}
		})
	}
	if waiting := slices.Collect(places(t, q)); len(waiting) != 0 {
		t.Errorf("left in the queue: %v", waiting)
	}
	if sink.Totals().Messages != 4 {
		t.Errorf("%d messages have arrived: an accepted one and three released ones should have", sink.Totals().Messages)
	}
}

func places(t *testing.T, q *exim.Queue) func(func(exim.Place) bool) {
	return func(yield func(exim.Place) bool) {
		for p, err := range q.Places(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(p) {
				return
			}
		}
	}
}

func onlyHeld(t *testing.T, q *exim.Queue) *exim.Queued {
	t.Helper()
	waiting := slices.Collect(places(t, q))
	if len(waiting) != 1 {
		t.Fatalf("%d messages wait, not 1: %v", len(waiting), waiting)
	}
	m, err := q.Read(waiting[0])
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestVerdictsOfSubmissions: the same through sendmail. A rejection is a bounce to the submitter, and a deferral can only be a hold.
func TestVerdictsOfSubmissions(t *testing.T) {
	sink := startSink(t)
	o := &oracle{answer: verdictByRecipient}
	startOracle(t, o)
	e := startLab(t, asking(snippets(t, exim.Snippets{Socket: o.socket}), lab.Options{Sink: sink, Users: []string{"shop"}}))
	q := queueOf(e)
	// Exim's own exit status is that of a failure for a discarded message too.
	refused := map[string][]string{"reject": {"rejected by non-SMTP ACL", "osm: 5.7.1 on trial (V0TRIAL)"},
		"discard": {"=> blackhole (non-SMTP ACL discarded recipients)"}}
	for _, verdict := range []string{"accept", "hold", "defer", "discard", "reject"} {
		t.Run(verdict, func(t *testing.T) {
			ctx := within(t)
			recipient := verdict + ".at.notsmtp@far.example"
			err := e.Submit(ctx, lab.Submission{User: "shop", Dir: "/home/shop/www", Input: "To: " + recipient + "\nSubject: x\n\nBody\n"})
			if words, ends := refused[verdict]; ends {
				if err == nil {
					t.Error("sendmail reports success")
				}
				if _, err := e.WaitLog(ctx, words...); err != nil {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if verdict != "accept" {
				m := onlyHeld(t, q)
				if id, _, ok := m.Verdict(); !m.Held() || id != "V0TRIAL" || !ok || m.User != "shop" {
					t.Fatalf("held as %+v", m)
				}
				if err := q.Deliver(ctx, m.Place); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, recipient) }); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, r := range o.questions() {
		if r.State != policy.NotSMTP || r.Message.Script.Path != "/home/shop/www" || r.Message.Subject != "x" || r.UID < 5001 || len(r.Message.Recipients) != 1 {
			t.Errorf("asked %+v", r)
		}
	}
}

// TestHeaderMark: PREPEND is the protocol's word for a header; osm's own verdicts do not use it, other servers' do.
func TestHeaderMark(t *testing.T) {
	sink := startSink(t)
	for _, c := range []struct{ text, want string }{{"X-Osm: seen", "X-Osm: seen\r\n"}, {"not a header", ""}} {
		socket := socketPath(t)
		answerAll(t, socket, "action=PREPEND "+c.text+"\n\n")
		e := startLab(t, asking(snippets(t, exim.Snippets{Socket: socket}), lab.Options{Sink: sink}))
		ctx := within(t)
		recipient := strings.ReplaceAll(c.text, " ", ".") + "@far.example"
		recipient = strings.ReplaceAll(recipient, ":", "")
		if err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "x@osm.test", []string{recipient}, "Subject: x\n\nBody\n"); err != nil {
			t.Fatal(err)
		}
		got, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, recipient) })
		if err != nil {
			t.Fatal(err)
		}
		if begins := strings.HasPrefix(string(got.Data), c.want); !begins || c.want == "" && strings.Contains(string(got.Data), c.text) {
			t.Errorf("%q arrived as %q", c.text, got.Data)
		}
	}
}

// answerAll gives every connection the same bytes and closes it, until the test ends.
func answerAll(t testing.TB, socket, answer string) {
	l := listen(t, socket)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				io.Copy(io.Discard, c) // Exim shuts its side
				io.WriteString(c, answer)
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
}
