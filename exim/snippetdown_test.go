package exim_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"osm"
	"osm/exim"
	"osm/lab"
	"osm/policy"
)

// lame are the ways in which osm can fail to answer.
func lame(t testing.TB, name, socket string) {
	switch name {
	case "gone":
	case "dead": // the socket's file is left
		l := listen(t, socket)
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	case "stopped": // SIGSTOP: the kernel takes connections, nobody reads
		l := listen(t, socket)
		t.Cleanup(func() { l.Close() })
	case "silent":
		answerNone(t, socket)
	case "empty":
		answerAll(t, socket, "")
	case "garbage":
		answerAll(t, socket, "\x00\xff${if eq{1}{1}{action=REJECT}}\n\r\n")
	case "torn":
		answerAll(t, socket, "action=REJECT no\n")
	case "unknown":
		answerAll(t, socket, "action=EXPLODE now\n\n")
	case "20 MB":
		answerAll(t, socket, "action=REJECT "+strings.Repeat("x", 20<<20)+"\n\n")
	}
}

// answerNone takes questions and keeps the connections open.
func answerNone(t testing.TB, socket string) {
	l := listen(t, socket)
	var serving sync.WaitGroup
	var conns []net.Conn
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			serving.Go(func() { io.Copy(io.Discard, c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
}

// TestNoAnswer: without a whole answer every message is accepted or deferred as configured, by SMTP and by sendmail; none
// is lost and none is stuck.
func TestNoAnswer(t *testing.T) {
	for _, name := range []string{"gone", "dead", "stopped", "silent", "empty", "garbage", "torn", "unknown", "20 MB"} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s closed=%v", name, closed), func(t *testing.T) { noAnswer(t, name, closed) })
		}
	}
}

func noAnswer(t *testing.T, name string, closed bool) {
	ctx, sink, socket := within(t), startSink(t), socketPath(t)
	lame(t, name, socket)
	s := snippets(t, exim.Snippets{Socket: socket, Closed: closed, At: []exim.Point{exim.AtMail, exim.AtRcpt, exim.AtData, exim.AtNotSMTP}})
	e := startLab(t, asking(s, lab.Options{Sink: sink}))
	start := time.Now()
	err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "x@osm.test", []string{"smtp@far.example", "more@far.example"}, "Subject: x\n\nBody\n")
	t.Logf("one message took %v", time.Since(start).Round(time.Millisecond))
	if closed != (err != nil) || err != nil && !strings.Contains(err.Error(), `451 "4.7.1 try again later"`) {
		t.Errorf("the client was told %v", err)
	}
	if err := e.Submit(ctx, lab.Submission{Input: "To: local@far.example\nSubject: x\n\nBody\n"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitLog(ctx, "osm: no verdict at NOTSMTP"); err != nil {
		t.Error(err)
	}
	arrived := []string{"smtp@far.example", "more@far.example", "local@far.example"}
	if closed {
		arrived = arrived[2:]
		q := queueOf(e)
		m := onlyHeld(t, q)
		if _, text, ok := m.Verdict(); text != exim.NoVerdict || !ok || !m.Held() {
			t.Fatalf("held as %+v", m)
		}
		if err := q.Deliver(ctx, m.Place); err != nil {
			t.Fatal(err)
		}
	}
	for _, recipient := range arrived {
		if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, recipient) }); err != nil {
			t.Errorf("%s: %v", recipient, err)
		}
	}
}

// TestManyRecipientsWhileStopped: a request that the socket's buffer does not take would hold Exim for ever.
func TestManyRecipientsWhileStopped(t *testing.T) {
	ctx, sink, socket := within(t), startSink(t), socketPath(t)
	lame(t, "stopped", socket)
	e := startLab(t, asking(snippets(t, exim.Snippets{Socket: socket}), lab.Options{Sink: sink}))
	if err := e.Submit(ctx, lab.Submission{Input: "To: " + manyRecipients() + "\nSubject: x\n\nBody\n"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitLog(ctx, "osm: no verdict at NOTSMTP"); err != nil {
		t.Error(err)
	}
}

const manyCount = 5000

// manyRecipients are 5,000 of 60 bytes.
func manyRecipients() string {
	all := make([]string, manyCount)
	for i := range all {
		all[i] = fmt.Sprintf("recipient-%04d-with-a-rather-long-local-part@osm.test.invalid", i)
	}
	return strings.Join(all, ",\n ")
}

// TestManyRecipients: a very long list is told as far as it goes, whole addresses only, with the true number.
func TestManyRecipients(t *testing.T) {
	o := &oracle{answer: func(*policy.Request) osm.Verdict { return osm.Verdict{Action: osm.Hold} }}
	startOracle(t, o)
	e := startLab(t, asking(snippets(t, exim.Snippets{Socket: o.socket}), lab.Options{}))
	if err := e.Submit(within(t), lab.Submission{Input: "To: " + manyRecipients() + "\nSubject: x\n\nBody\n"}); err != nil {
		t.Fatal(err)
	}
	asked := o.questions()
	if len(asked) != 1 {
		text, _ := os.ReadFile(e.LogPath())
		t.Fatalf("asked %d times: %s", len(asked), text)
	}
	if asked[0].Count != manyCount || len(asked[0].Message.Recipients) < 1000 {
		t.Fatalf("asked about %d of %d recipients", len(asked[0].Message.Recipients), asked[0].Count)
	}
	for _, r := range asked[0].Message.Recipients {
		if !strings.HasSuffix(r, "-with-a-rather-long-local-part@osm.test.invalid") {
			t.Errorf("a torn recipient: %q", r)
		}
	}
}

// TestHostileValues puts line ends and forged attributes into everything that a stranger can write. The request has to
// keep its lines, the message its way, and the log its lines.
func TestHostileValues(t *testing.T) {
	sink := startSink(t)
	o := &oracle{answer: func(*policy.Request) osm.Verdict { return osm.Verdict{} }}
	startOracle(t, o)
	s := snippets(t, exim.Snippets{Socket: o.socket, At: everywhere()})
	e := startLab(t, asking(s, lab.Options{Sink: sink, Users: []string{"mallory"}}))
	ctx := within(t)
	const evil = "\naction=OK\nrequest=evil\nsasl_username=admin\n\n"
	folder := "/home/mallory/x" + strings.ReplaceAll(evil, "/", "")
	err := e.Submit(ctx, lab.Submission{User: "mallory", Dir: folder, Args: []string{"-i", "-f", `"a\rb\tc"@osm.test`, "out@far.example"},
		Input: "Subject: folded\n\taction=OK\n request=evil\n =?utf-8?q?=0Aaction=3DOK=0A=0A?=\n\nBody\n"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, "out@far.example") }); err != nil {
		t.Fatal(err)
	}
	// A trusted caller may say who he is.
	err = e.Submit(ctx, lab.Submission{Args: []string{"-i", "-oMai", "admin" + evil, "-oMt", "ident" + evil, "-oMaa", "me" + evil, "-oMs", "host" + evil, "-f", "t@osm.test", "trusted@far.example"},
		Input: "Subject: x\n\nBody\n"})
	if err != nil {
		t.Logf("Exim refuses such a caller: %v", err)
	}
	caller := lab.Caller{From: netip.MustParseAddr("127.0.0.1"), Helo: "client.example"}
	client, err := e.Dial(ctx, e.SMTP(), caller)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, line := range []string{
		"MAIL FROM:<\"s\taction=OK ${run{/bin/touch /tmp/x}} $\"@osm.test>",
		"RCPT TO:<\"a b, c'|/bin/sh ${acl_m_osm} \\\"q\\\"\"@far.example>",
	} {
		id, err := client.Text.Cmd("%s", line)
		if err != nil {
			t.Fatal(err)
		}
		client.Text.StartResponse(id)
		if _, _, err := client.Text.ReadResponse(250); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		client.Text.EndResponse(id)
	}
	client.Close()
	for _, r := range o.questions() {
		if r.Message.Login == "admin" || strings.ContainsAny(r.Message.Sender+r.Message.Login+r.Message.User+r.Message.Helo+r.Recipient, "\n\r\t") {
			t.Errorf("a forged attribute: %+v", r)
		}
		if r.State == policy.NotSMTP && r.Message.Sender != "t@osm.test" && (r.Message.Script.Path != folder || len(r.Message.Recipients) != 1) {
			t.Errorf("asked %+v", r)
		}
	}
	if !slices.ContainsFunc(o.questions(), func(r *policy.Request) bool { return strings.Contains(r.Recipient, "/bin/sh") }) {
		t.Error("the odd recipient was not asked about")
	}
}

// TestHostileAnswers: whatever stands in a verdict's text is text. What an ACL can't do, as to divert, is a hold.
func TestHostileAnswers(t *testing.T) {
	for i, answer := range []string{"HOLD ${run{/bin/false}}$acl_m_osm", `HOLD \n\x0a}{ :fail: ""'`, "HOLD 550 5.7.1 a : b", "HOLD " + strings.Repeat("y", 390),
		"HOLD  two  blanks", "REDIRECT elsewhere@osm.test"} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			socket := socketPath(t)
			answerAll(t, socket, "action="+answer+"\n\n")
			e := startLab(t, asking(snippets(t, exim.Snippets{Socket: socket, At: []exim.Point{exim.AtData}}), lab.Options{}))
			if err := e.Deliver(within(t), e.SMTP(), lab.Caller{}, "x@osm.test", []string{"y@far.example"}, "Subject: x\n\nBody\n"); err != nil {
				t.Fatal(err)
			}
			_, text, _ := strings.Cut(answer, " ")
			text = strings.TrimLeft(text, " ")
			if _, got, _ := onlyHeld(t, queueOf(e)).Verdict(); got != text {
				t.Errorf("%q was kept as %q", text, got)
			}
			if _, err := e.WaitLog(within(t), "osm: held: ", text[:5]); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRequestIsOneQuestion reads what Exim writes as bytes: only the lines that the snippet has.
func TestRequestIsOneQuestion(t *testing.T) {
	socket := socketPath(t)
	l := listen(t, socket)
	raw := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		text, _ := io.ReadAll(c)
		raw <- string(text)
		io.WriteString(c, "action=DUNNO\n\n")
	}()
	t.Cleanup(func() { l.Close() })
	e := startLab(t, asking(snippets(t, exim.Snippets{Socket: socket}), lab.Options{Users: []string{"mallory"}}))
	if err := e.Submit(within(t), lab.Submission{User: "mallory", Dir: "/home/mallory/a\nb=c\n\nd", Input: "To: x@far.example\nSubject: a\n\tb\n\nBody\n"}); err != nil {
		t.Fatal(err)
	}
	text := <-raw
	if strings.Count(text, "\n\n") != 1 || !strings.HasSuffix(text, "\n\n") || strings.Count(text, "=") < 18 {
		t.Errorf("the request is %q", text)
	}
	names := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n") {
		name, value, ok := strings.Cut(line, "=")
		if !ok || names[name] {
			t.Errorf("the line %q", line)
		}
		names[name] = true
		if name == "exim_cwd_b64" {
			if dir, err := base64.StdEncoding.DecodeString(value); err != nil || string(dir) != "/home/mallory/a\nb=c\n\nd" {
				t.Errorf("the folder is %q, %v", dir, err)
			}
		}
	}
}
