package gateway_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"osm/gateway"
)

// relay stands between the gateway and a sink, and cuts the connection at a point that a test chooses.
type relay struct {
	addr string
	to   string
	cut  atomic.Pointer[func(direction string, n int) int] // how many of n bytes still pass; -1: all
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	r := &relay{to: to}
	r.addr = listen(t, r.pass)
	return r
}

func (r *relay) pass(client net.Conn) {
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	copyTo := func(to, from net.Conn, direction string) {
		defer to.Close()
		defer from.Close()
		buf := make([]byte, 1<<10)
		for {
			n, err := from.Read(buf)
			pass := n
			if cut := r.cut.Load(); cut != nil && n > 0 {
				if most := (*cut)(direction, n); most >= 0 {
					pass = most
				}
			}
			if _, werr := to.Write(buf[:pass]); err != nil || werr != nil || pass < n {
				return
			}
		}
	}
	both.Go(func() { copyTo(server, client, "to") })
	both.Go(func() { copyTo(client, server, "from") })
	both.Wait()
}

// sent tells whether a client was told that its message was taken. It starts anew as long as the server asks for that.
func trySend(t *testing.T, addr, text string) (taken bool) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := talk(t, conn)
	for _, step := range []struct{ line, answer string }{{"", "220"}, {"EHLO client.example\r\n", "250"}, {"MAIL FROM:<a@osm.test>\r\n", "250"},
		{"RCPT TO:<b@x.example>\r\n", "250"}, {"DATA\r\n", "354"}, {text + ".\r\n", "250"}} {
		if _, err := io.WriteString(conn, step.line); err != nil {
			return false
		}
		if got := c.read(); !strings.HasPrefix(got, step.answer) {
			if got != "" && got[0] != '4' {
				t.Errorf("%.40q was answered with %q: only a temporary refusal keeps the message", step.line, got)
			}
			return false
		}
	}
	return true
}

// TestUpstreamKilledAnywhere cuts the connection to the upstream after every single byte of the dialogue, in both
// directions. A message that the client was told is taken has arrived once and whole; one that it was not told so has
// not arrived at all, but where the upstream's last answer itself was lost (RFC 1047).
func TestUpstreamKilledAnywhere(t *testing.T) {
	s := newSink(t, nil)
	r := newRelay(t, s.addr)
	var seconds atomic.Int64 // a lost upstream is not looked at again at once
	f := newFront(t, settings(r.addr), nil, func(o *gateway.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(seconds.Load()) * time.Second) }
	})
	text := func(n int) string {
		return fmt.Sprintf("Subject: number %d\r\n\r\n%s", n, strings.Repeat("a line\r\n", 10))
	}
	number := 0
	for _, direction := range []string{"to", "from"} {
		for at := 0; ; at++ {
			number++
			var cut atomic.Bool
			var passed atomic.Int64
			once := func(d string, n int) int {
				if d != direction {
					return -1
				}
				sofar := int(passed.Add(int64(n))) - n
				if at >= sofar && at < sofar+n && !cut.Swap(true) {
					return at - sofar
				}
				return -1
			}
			r.cut.Store(&once)
			taken := trySend(t, f.addr, text(number))
			r.cut.Store(nil)
			seconds.Add(2)
			arrived := 0
			for _, l := range s.all() {
				if string(l.text) == text(number) {
					arrived++
				} else if strings.HasPrefix(string(l.text), fmt.Sprintf("Subject: number %d\r\n", number)) {
					t.Fatalf("cut %s at %d: a part arrived: %q", direction, at, l.text)
				}
			}
			lost := slices.ContainsFunc(f.told(), func(p gateway.Passage) bool {
				return p.Stage == gateway.Lost && p.Message.Subject == fmt.Sprintf("number %d", number)
			})
			if taken && arrived != 1 || !taken && arrived > 0 && !lost {
				t.Errorf("cut %s at %d: taken %v, arrived %d times", direction, at, taken, arrived)
			}
			if !taken && !trySend(t, f.addr, text(1_000_000+number)) {
				t.Errorf("cut %s at %d: the next message does not go through", direction, at)
			}
			if !cut.Load() { // behind the end of the dialogue
				break
			}
		}
	}
	if number < 200 {
		t.Errorf("only %d points were tried", number)
	}
}

// TestFailover takes the next upstream when the first is gone, tells why when none is left, and comes back.
func TestFailover(t *testing.T) {
	one, two := newSink(t, nil), newSink(t, nil)
	r := newRelay(t, one.addr)
	cfg := settings(r.addr, two.addr)
	f := newFront(t, cfg, nil)
	if !trySend(t, f.addr, "one\r\n") || len(one.all()) != 1 {
		t.Fatal("the first upstream is not used")
	}
	nothing := func(string, int) int { return 0 }
	r.cut.Store(&nothing) // connects, and says nothing
	if !trySend(t, f.addr, "two\r\n") || len(two.all()) != 1 {
		t.Error("the second upstream is not used")
	}
	two.server.Close()
	c := dial(t, f.addr)
	if got := c.read(); strings.HasPrefix(got, "220") { // nobody knows yet that it is gone
		c.ask("EHLO client.example", "250")
		c.ask("MAIL FROM:<a@osm.test>", "421 4.3.2 no mail server can be reached, try again later: connection lost, connection refused\r\n")
		c.ended()
		c = dial(t, f.addr)
	}
	c.want("421 4.3.2")
	c.ended()
}

// TestNoUpstreamFromTheBeginning is told in the greeting, but not where it should be.
func TestNoUpstreamFromTheBeginning(t *testing.T) {
	dead := deadAddress(t)
	c := dial(t, newFront(t, settings(dead), nil).addr)
	c.want("421 4.3.2 no mail server can be reached, try again later: connection refused\r\n")
	c.ended()
}

// TestUpstreamRefusesTheClient hands its own words on.
func TestUpstreamRefusesTheClient(t *testing.T) {
	first := true
	var mu sync.Mutex
	up := newScript(t, true, func(line string) string {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(line, "EHLO bad.example") {
			return "550-your name is on a list\r\n550 5.7.1 says the upstream\r\n"
		}
		first = false
		return agree(line)
	})
	cfg := settings(up.addr)
	cfg.HandOn = gateway.ByProxy
	f := newFront(t, cfg, nil)
	c := dial(t, f.addr)
	c.want("220 ")
	c.ask("EHLO bad.example", "250")
	c.ask("MAIL FROM:<a@osm.test>", "550-your name is on a list\r\n550 5.7.1 says the upstream\r\n")
	c.ended()
	c = dial(t, f.addr)
	c.hello()
	c.ask("MAIL FROM:<a@osm.test>", "250 fine")
	if first {
		t.Error("the upstream was not asked")
	}
}

// TestWaitingConnectionIsGone uses a connection that the upstream has closed meanwhile: nobody notices.
func TestWaitingConnectionIsGone(t *testing.T) {
	var mu sync.Mutex
	closing := 0
	up := newScript(t, false, func(line string) string {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(line, "MAIL") {
			if closing++; closing == 2 {
				return ""
			}
			if closing == 4 {
				return "421 4.4.2 idle for too long\r\n"
			}
		}
		return agree(line)
	})
	f := newFront(t, settings(up.addr), nil)
	c := dial(t, f.addr)
	c.hello()
	for range 4 {
		c.ask("MAIL FROM:<a@osm.test>", "250 fine")
		c.ask("RCPT TO:<b@x.example>", "250 fine")
		c.ask("RSET", "250 ")
	}
}
