package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"
)

// TestSenderSaidAgain: a client that says the same MAIL again gets the words that the upstream had for it, and the upstream hears of
// it with the next command. When it thinks otherwise then, that is what the recipients are answered with.
func TestSenderSaidAgain(t *testing.T) {
	var refusal atomic.Value
	refusal.Store("")
	up := newScript(t, false, func(line string) string {
		if no := refusal.Load().(string); no != "" && strings.HasPrefix(line, "MAIL") {
			return no
		}
		switch {
		case strings.HasPrefix(line, "MAIL"):
			return "250 welcome, " + line[5:] + "\r\n"
		case refusal.Load() != "" && (strings.HasPrefix(line, "RCPT") || line == "DATA"):
			return "503 no sender\r\n"
		}
		return agree(line)
	})
	heard := func() (n int) {
		for _, line := range up.lines() {
			if strings.HasPrefix(line, "MAIL") {
				n++
			}
		}
		return n
	}
	c := dial(t, newFront(t, settings(up.addr), nil).addr)
	c.hello()
	const from, words = "MAIL FROM:<a@osm.test>", "250 welcome, FROM:<a@osm.test>\r\n"
	c.ask(from, words)
	c.ask("RCPT TO:<b@x.example>", "250 fine")
	c.ask("RSET", "250 ")
	c.ask(from, words)
	if n := heard(); n != 1 {
		t.Errorf("the upstream has heard %d senders", n)
	}
	c.ask("RCPT TO:<b@x.example>", "250 fine")
	if n := heard(); n != 2 {
		t.Errorf("the upstream has heard %d senders", n)
	}
	c.ask("RSET", "250 ")
	c.ask("MAIL FROM:<b@osm.test>", "250 welcome, FROM:<b@osm.test>")
	c.ask("RSET", "250 ")
	c.ask("MAIL FROM:<b@osm.test>", "250 welcome, FROM:<b@osm.test>")
	c.ask("EHLO client.example", "250") // a dialogue begins anew
	c.ask("MAIL FROM:<b@osm.test>", "250 welcome, FROM:<b@osm.test>")
	if n := heard(); n != 5 {
		t.Errorf("the upstream has heard %d senders", n)
	}
	c.ask("RSET", "250 ")

	const no = "452-4.3.1 not now\r\n452 4.3.1 says the script\r\n"
	refusal.Store(no)
	c.ask("MAIL FROM:<b@osm.test>", "250 welcome, FROM:<b@osm.test>")
	for range 2 {
		c.ask("RCPT TO:<b@x.example>", no)
	}
	c.send("RCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n")
	c.want(no, no, "503 no sender")
	c.ask("RSET", "250 ")
	c.ask("MAIL FROM:<b@osm.test>", no) // it has changed its mind
	refusal.Store("")
	c.ask("MAIL FROM:<b@osm.test>", "250 welcome")
	c.ask("RCPT TO:<b@x.example>", "250 fine")
	c.ask("RSET", "250 ")

	refusal.Store("421 4.3.0 the script ends\r\n")
	c.ask("MAIL FROM:<b@osm.test>", "250 welcome")
	c.send("RCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\n")
	c.want("421 4.3.0 the script ends", "")
}

// TestUpstreamEndsAmongAnswers: what an upstream with a 421 in the middle of a group does not answer is not answered.
func TestUpstreamEndsAmongAnswers(t *testing.T) {
	up := newScript(t, false, func(line string) string {
		if strings.HasPrefix(line, "RCPT TO:<b@") {
			return "421 4.3.0 enough\r\n"
		}
		return agree(line)
	})
	f := newFront(t, settings(up.addr), nil)
	c := dial(t, f.addr)
	c.hello()
	c.send("MAIL FROM:<a@osm.test>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nNOOP\r\n")
	c.want("250 fine", "421 4.3.0 enough", "")
	c = dial(t, f.addr)
	c.hello()
	c.send("MAIL FROM:<a@osm.test>\r\nRCPT TO:<c@x.example>\r\nQUIT\r\n") // the client's own end leaves no answer out
	c.want("250 fine", "250 fine", "221 ", "")
}
