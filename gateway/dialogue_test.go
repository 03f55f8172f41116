package gateway_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"osm"
	"osm/gateway"
	"osm/policy"
)

// TestDialogue goes through the commands one by one, in right and wrong orders.
func TestDialogue(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.Limit.Errors = 50
	f := newFront(t, cfg, nil)
	c := dial(t, f.addr)
	c.want("220 gate.osm.test")
	c.ask("MAIL FROM:<a@osm.test>", "503 5.5.1")
	c.ask("EHLO", "501 5.5.4")
	offered := c.ask("EHLO client.example", "250-gate.osm.test")
	for _, want := range []string{"PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "ENHANCEDSTATUSCODES"} {
		if !strings.Contains(offered, want) {
			t.Errorf("%s is not offered: %q", want, offered)
		}
	}
	for _, not := range []string{"STARTTLS", "AUTH", "XCLIENT", "LIMITS"} {
		if strings.Contains(offered, not) {
			t.Errorf("%s is offered: %q", not, offered)
		}
	}
	for _, step := range []struct{ line, answer string }{
		{"NOOP", "250 2.0.0"}, {"VRFY a", "252 2.0.0"}, {"HELP", "214 2.0.0"}, {"EXPN a", "500 5.5.2"},
		{"RCPT TO:<b@far.example>", "503 5.5.1"}, {"DATA", "503 5.5.1"}, {"BDAT 3", "503 5.5.1"},
	} {
		if c.ask(step.line, step.answer); strings.HasPrefix(step.line, "BDAT") {
			c.send("abc") // the chunk belongs to it
		}
	}
	for _, bad := range []string{"MAIL FROM:a@osm.test", "MAIL FROM:<a@osm.test", "MAIL FROM:<a b@osm.test>", "MAIL FROM:<a@osm.test>X", "MAIL FROM:<a@b@c>",
		"MAIL TO:<a@osm.test>"} {
		c.ask(bad, "501 5.1.7")
	}
	c.ask("RSET", "250 2.0.0")
	c.ask("QUIT", "221 2.0.0")
	c.ended()

	c = dial(t, f.addr)
	c.hello()
	c.ask("MAIL FROM:<a@osm.test> SIZE=12 BODY=8BITMIME", "250 2.0.0 Roger") // the sink's own words
	c.ask("MAIL FROM:<a@osm.test>", "503 5.5.1")
	c.ask("RCPT TO:<>", "501 5.1.3")
	if got := c.ask("RCPT TO:<no@far.example>", "550-nobody here\r\n550 5.1.1 of that name, says the sink\r\n"); got == "" {
		t.Error(got)
	}
	c.ask("RCPT TO:<later@far.example>", "450 4.2.1 come again, says the sink")
	c.ask("DATA", "502 5.5.1 Missing RCPT") // the sink's
	c.ask("RCPT TO:<b@far.example> NOTIFY=NEVER", "250 2.0.0 I'll make sure")
	c.ask("RCPT TO:<c@far.example> FOO=BAR", "555 5.5.4")
	c.ask("DATA", "354 ")
	c.send("Subject: hello\r\n\r\n..dots\r\n.\r\n")
	c.want("250 2.0.0 OK id=1\r\n")
	c.ask("MAIL FROM:<>", "250 ")
	c.ask("RCPT TO:<\"odd name\"@far.example>", "250 ")
	c.ask("RSET", "250 2.0.0")
	c.ask("DATA", "503 5.5.1")
	c.ask("QUIT", "221 ")
	letters := s.all()
	if len(letters) != 1 || letters[0].from != "a@osm.test" || fmt.Sprint(letters[0].to) != "[b@far.example]" ||
		string(letters[0].text) != "Subject: hello\r\n\r\n.dots\r\n" {
		t.Errorf("the sink has %+v", letters)
	}
	p := f.told()
	if len(p) != 2 || p[0].Stage != gateway.Sending || p[1].Stage != gateway.Accepted || p[1].QueueID != "1" || p[1].Message.Subject != "hello" ||
		p[1].Message.ID == "" || p[1].Message.Size != int64(len("Subject: hello\r\n\r\n..dots\r\n")) {
		t.Errorf("told %+v", p)
	}
}

// TestPipelining sends whole messages in one piece up to DATA, and what may not be sent so.
func TestPipelining(t *testing.T) {
	s := newSink(t, nil)
	f := newFront(t, settings(s.addr), nil)
	c := dial(t, f.addr)
	c.hello()
	for range 3 {
		c.send("RSET\r\nMAIL FROM:<a@osm.test>\r\nRCPT TO:<no@x.example>\r\nRCPT TO:<b@x.example>\r\nNOOP\r\nRCPT TO:<later@x.example>\r\nDATA\r\n")
		c.want("250 2.0.0 OK", "250 ", "550-nobody", "250 ", "250 2.0.0 OK", "450 ", "354 ")
		c.send("\r\ntext\r\n.\r\nRSET\r\nQUI")
		c.want("250 2.0.0 OK id=", "250 2.0.0 OK")
		c.ask("TT", "500 ")
	}
	for _, early := range []string{"MAIL FROM:<a@osm.test>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nSubject: bot\r\n\r\n.\r\n"} {
		c.send(early)
		c.want("250 ", "250 ", "554 5.5.0")
		c.ended()
	}
	if n := len(s.all()); n != 3 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestHundredsOfRecipientsAtOnce(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.Limit.Recipients = 500
	f := newFront(t, cfg, nil)
	c := dial(t, f.addr)
	c.hello()
	var b strings.Builder
	b.WriteString("MAIL FROM:<a@osm.test>\r\n")
	for i := range 600 {
		fmt.Fprintf(&b, "RCPT TO:<r%d@x.example>\r\n", i)
	}
	c.send(b.String())
	c.want("250 ")
	for i := range 600 {
		if got := c.read(); strings.HasPrefix(got, "250 ") != (i < 500) || i >= 500 && !strings.HasPrefix(got, "452 4.5.3") {
			t.Fatalf("recipient %d: %q", i, got)
		}
	}
	c.ask("DATA", "354 ")
	c.send(".\r\n")
	c.want("250 ")
	if l := s.all(); len(l) != 1 || len(l[0].to) != 500 || len(l[0].text) != 0 {
		t.Errorf("%d letters", len(l))
	}
}

// TestChunking sends a message by BDAT: in chunks that split lines, with dots, without a last line end.
func TestChunking(t *testing.T) {
	s := newSink(t, nil)
	f := newFront(t, settings(s.addr), nil)
	c := dial(t, f.addr)
	c.hello()
	c.ask("MAIL FROM:<a@osm.test>", "250 ")
	c.ask("RCPT TO:<b@x.example>", "250 ")
	first := "Subject: chunks\r\n\r\n.one\r"
	long := strings.Repeat("x", 50_000) // no line end within go-smtp's limit: its own server drops such a chunk
	c.send(fmt.Sprintf("BDAT %d\r\n%s", len(first), first))
	c.want("250 2.0.0 24 bytes received")
	c.send(fmt.Sprintf("BDAT %d\r\n%s", len("\n.\r\n..two\r\n"), "\n.\r\n..two\r\n"))
	c.want("250 ")
	c.ask("MAIL FROM:<c@osm.test>", "503 ")
	c.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(long), long))
	c.want("250 2.0.0 OK id=1")
	if l := s.all(); len(l) != 1 || string(l[0].text) != first+"\n.\r\n..two\r\n"+long+"\r\n" {
		t.Fatalf("%d letters", len(l))
	}
	c.ask("MAIL FROM:<a@osm.test>", "250 ")
	c.ask("RCPT TO:<b@x.example>", "250 ")
	c.send("BDAT 7\r\nbare\nlf")
	c.want("550 5.6.0")
	c.ended()
	c = dial(t, f.addr)
	c.hello()
	c.ask("MAIL FROM:<a@osm.test>", "250 ")
	c.ask("RCPT TO:<b@x.example>", "250 ")
	c.send("BDAT 4\r\nabcd")
	c.want("250 ")
	c.ask("RSET", "250 ")
	c.ask("BDAT x", "501 ")
	c.ended()
	if n := len(s.all()); n != 1 {
		t.Errorf("%d letters", n)
	}
}

// TestSmuggling tries every known way to hide a message's end in its content, or commands in a command, and other lines
// that servers read differently. Nothing of it may reach the upstream.
func TestSmuggling(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.Limit.TextLine, cfg.Limit.Errors = 2000, 100
	f := newFront(t, cfg, nil)
	inner := "MAIL FROM:<evil@osm.test>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nsmuggled\r\n"
	for _, end := range []string{"\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r.\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\r\n.\r\n",
		"\r\n.\r\r\n", "\n\n.\r\n", "\r\n.\n\r\n", "\x00", "a\rb\r\n", "a\nb\r\n", strings.Repeat("x", 2000) + "\r\n"} {
		for split := range 3 { // in one piece, cut in the middle of the sequence, and byte by byte
			c := dial(t, f.addr)
			c.hello()
			c.ask("MAIL FROM:<a@osm.test>", "250 ")
			c.ask("RCPT TO:<b@x.example>", "250 ")
			c.ask("DATA", "354 ")
			text := "Subject: outer\r\n\r\ntext" + end + inner + ".\r\n"
			switch split {
			case 0:
				c.send(text)
			case 1:
				at := strings.Index(text, end) + len(end)/2
				c.send(text[:at])
				c.send(text[at:])
			case 2:
				for i := range len(text) {
					c.send(text[i : i+1])
				}
			}
			if got := c.read(); !strings.HasPrefix(got, "550 5.6.0") && !strings.HasPrefix(got, "554 5.6.0") {
				t.Errorf("%q: %q", end, got)
			}
			if strings.HasPrefix(end, "x") {
				c.ask("QUIT", "221 ")
			}
			c.ended() // and no answer to what was in the content
		}
	}
	for _, line := range []string{"NOOP\n", "NOOP\rNOOP\r\n", "NOOP\x00\r\n", "MAIL FROM:<a@osm.test>\nRCPT TO:<b@x.example>\r\n"} {
		c := dial(t, f.addr)
		c.hello()
		c.send(line)
		c.want("500 5.5.2")
		c.send("QUIT\r\n")
		for got := c.read(); got != ""; got = c.read() {
			if strings.HasPrefix(got, "250") {
				t.Errorf("%q: %q", line, got)
			}
		}
	}
	if l := s.all(); len(l) != 0 {
		t.Errorf("the sink has %+v", l)
	}
	if n := f.Stats().Smuggling.Load(); n != 17*3 {
		t.Errorf("%d counted", n)
	}
}

// TestEarlyTalkers sends where nothing may be sent yet.
func TestEarlyTalkers(t *testing.T) {
	s := newSink(t, nil)
	dir := t.TempDir()
	cfg := settings(s.addr)
	cfg.Certificate, cfg.Key, _ = writeCertificate(t, dir, "gate.osm.test")
	cfg.Tarpit = osm.Duration(1)
	f := newFront(t, cfg, nil, func(o *gateway.Options) {
		o.Ask = blockedOnce(t)
	})
	c := dial(t, f.addr)
	c.want("220 ")
	c.send("EHLO a.example\r\nMAIL FROM:<a@osm.test>\r\n")
	c.want("554 5.5.0")
	c.ended()
	c = dial(t, f.addr)
	c.hello()
	c.send("STARTTLS\r\nMAIL FROM:<a@osm.test>\r\n")
	c.want("554 5.5.0")
	c.ended()
	for _, web := range []string{"GET / HTTP/1.1", "POST / HTTP/1.0"} {
		c = dial(t, f.addr)
		c.want("220 ")
		c.ask(web, "554 5.5.0")
		c.ended()
	}
}

// TestQuestions looks at what osm is asked, and when.
func TestQuestions(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.RejectAt = gateway.AtConnect
	f := newFront(t, cfg, nil)
	c := dial(t, f.addr)
	c.hello()
	c.ask("MAIL FROM:<a@osm.test> SIZE=1000", "250 ")
	c.ask("RCPT TO:<b@x.example>", "250 ")
	c.ask("RCPT TO:<c@x.example>", "250 ")
	c.ask("DATA", "354 ")
	c.send("From: =?utf-8?q?J=C3=BCrgen?= <j@osm.test>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n and folded\r\nMessage-ID: <1@osm.test>\r\n\r\n" +
		strings.Repeat(strings.Repeat("y", 70)+"\r\n", 10_000) + ".\r\n")
	c.want("250 ")
	var states []string
	for _, q := range f.questions() {
		states = append(states, fmt.Sprintf("%s %s", q.State, q.Recipient))
	}
	if got := strings.Join(states, ","); got != "CONNECT ,MAIL ,RCPT b@x.example,RCPT c@x.example,DATA " {
		t.Errorf("asked at %s", got)
	}
	m := f.questions()[4].Message
	if m.Subject != "grün and folded" || m.From != "j@osm.test" || m.MessageID != "1@osm.test" || fmt.Sprint(m.Recipients) != "[b@x.example c@x.example]" ||
		m.Helo != "client.example" || m.Protocol != "esmtp" || m.Client.String() != "127.0.0.1" || m.Size != 1000 || m.ServerPort == 0 {
		t.Errorf("asked about %+v", m)
	}
}

// TestContent gives osm the whole content where it wants it, without the wire's dots, and no more of it than it wants.
func TestContent(t *testing.T) {
	s := newSink(t, nil)
	f := newFront(t, settings(s.addr), func(r *policy.Request) osm.Verdict {
		if bytes.Contains(r.Content, []byte("spam")) {
			return osm.Verdict{Action: osm.Reject, Detail: "no spam", ID: "VX"}
		}
		return osm.Verdict{}
	}, func(o *gateway.Options) { o.Content = func() int64 { return 100_000 } })
	c := dial(t, f.addr)
	c.hello()
	letter := func(body, answer string) {
		t.Helper()
		c.ask("MAIL FROM:<a@osm.test>", "250 ")
		c.ask("RCPT TO:<b@x.example>", "250 ")
		c.ask("DATA", "354 ")
		c.send("Subject: x\r\n\r\n" + body + ".\r\n")
		c.want(answer)
	}
	line := strings.Repeat("z", 70) + "\r\n"
	letter("..good\r\n", "250 2.0.0 OK id=1")
	letter("this is spam\r\n", "550 5.7.1 no spam (VX)")
	letter(strings.Repeat(line, 500)+"spam\r\n", "550 5.7.1 no spam")
	letter(strings.Repeat(line, 5000)+"spam\r\n", "250 2.0.0 OK id=2") // behind what was wanted
	q := slices.DeleteFunc(f.questions(), func(q policy.Request) bool { return q.State != policy.Data })
	if len(q) != 4 || string(q[0].Content) != "Subject: x\r\n\r\n.good\r\n" || !q[0].Whole || q[3].Whole || len(q[3].Content) < 100_000 || len(q[3].Content) > 150_000 {
		t.Errorf("%d questions, %d bytes", len(q), len(q[len(q)-1].Content))
	}
	if l := s.all(); len(l) != 2 || len(l[1].text) != len("Subject: x\r\n\r\nspam\r\n")+5000*len(line) {
		t.Errorf("%d letters", len(l))
	}
}
