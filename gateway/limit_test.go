package gateway_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/gateway"
	"osm/policy"
)

// TestLimits goes to each limit and one step beyond.
func TestLimits(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.RelayFrom, cfg.RelayTo = nil, []string{"ours.example"}
	cfg.Limit.Size, cfg.Limit.Errors, cfg.Limit.Commands, cfg.Limit.Line = 64<<10, 5, 20, 512
	f := newFront(t, cfg, nil, func(o *gateway.Options) { o.Ask = accept })
	t.Run("size", func(t *testing.T) {
		cfg := cfg
		cfg.RelayFrom = []string{"127.0.0.0/8"}
		f := newFront(t, cfg, nil)
		c := dial(t, f.addr)
		if offered := c.hello(); !strings.Contains(offered, "SIZE 65536\r\n") {
			t.Errorf("offered %q", offered)
		}
		c.ask("MAIL FROM:<a@osm.test> SIZE=65537", "552 5.3.4")
		c.ask("MAIL FROM:<a@osm.test> SIZE=x", "501 5.5.4")
		c.ask("MAIL FROM:<a@osm.test> SIZE=65536", "250 ")
		c.ask("RCPT TO:<b@x.example>", "250 ")
		c.ask("DATA", "354 ")
		c.send(strings.Repeat(strings.Repeat("x", 62)+"\r\n", 1025) + ".\r\n")
		c.want("552 5.3.4")
		c.ask("MAIL FROM:<a@osm.test>", "250 ")
		c.ask("RCPT TO:<b@x.example>", "250 ")
		c.ask("DATA", "354 ")
		c.send(strings.Repeat(strings.Repeat("x", 62)+"\r\n", 1024) + ".\r\n")
		c.want("250 ")
		if l := s.all(); len(l) != 1 || len(l[0].text) != 64<<10 {
			t.Errorf("%d letters", len(l))
		}
	})
	t.Run("line", func(t *testing.T) {
		c := dial(t, f.addr)
		c.hello()
		c.ask("NOOP "+strings.Repeat("x", 512-len("NOOP \r\n")), "250 ")
		c.ask("NOOP "+strings.Repeat("x", 513-len("NOOP \r\n")), "500 5.5.2")
		c.ended()
		c = dial(t, f.addr)
		c.want("220 ")
		c.send(strings.Repeat("x", 5000)) // no line end at all
		c.want("500 5.5.2")
		c.ended()
	})
	t.Run("errors", func(t *testing.T) {
		c := dial(t, f.addr)
		c.hello()
		for range 5 {
			c.ask("WRONG", "500 ")
		}
		c.ask("WRONG", "500 ")
		c.want("421 4.7.0 too many errors")
		c.ended()
	})
	t.Run("commands", func(t *testing.T) {
		c := dial(t, f.addr)
		c.hello()
		for range 19 {
			c.ask("NOOP", "250 ")
		}
		c.ask("RSET", "250 ")
		c.want("421 4.7.0 too many commands")
		c.ended()
	})
}

func accept(context.Context, *policy.Request) osm.Verdict { return osm.Verdict{} }

// TestConnections counts them, in all and by network, and lets others in when some leave.
func TestConnections(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.ProxyFrom, cfg.RejectAt = []string{"127.0.0.9"}, gateway.AtData
	cfg.Limit.Connections, cfg.Limit.PerNetwork, cfg.Limit.Rate = 5, 2, 4
	now := time.Unix(1_800_000_000, 0)
	f := newFront(t, cfg, nil, func(o *gateway.Options) { o.Now = func() time.Time { return now } })
	from := func(d byte, greeting string) *talker {
		t.Helper()
		c := dialFrom(t, f.addr, netip.MustParseAddr("127.0.0.9"))
		c.send(proxyHead + "\x21\x11\x00\x0c\xc0\x00\x02" + string([]byte{d}) + "\x7f\x00\x00\x01\x12\x34\x00\x19")
		c.want(greeting)
		return c
	}
	leave := func(c *talker) {
		t.Helper()
		c.ask("QUIT", "221 ")
		c.ended()
	}
	a := from(1, "220 ")
	b := from(200, "220 ") // the same /24
	from(3, "421 4.7.0 gate.osm.test too many connections at once").ended()
	leave(a)
	leave(b)
	c := from(4, "220 ")
	from(5, "421 4.7.0 gate.osm.test too many connections in a minute").ended()
	leave(c)
	now = now.Add(time.Minute)
	leave(from(6, "220 "))
	for range 5 {
		dial(t, f.addr).want("220 ") // loopback is not counted by network
	}
	dial(t, f.addr).want("421 4.7.0 gate.osm.test too many connections, ")
}

// TestMemory is about content that is kept for the verdict: what does not fit has to come again.
func TestMemory(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.Limit.Memory = 1 << 20
	f := newFront(t, cfg, nil, func(o *gateway.Options) { o.Content = func() int64 { return 10 << 20 } })
	send := func(lines int) string {
		c := dial(t, f.addr)
		c.hello()
		c.ask("MAIL FROM:<a@osm.test>", "250 ")
		c.ask("RCPT TO:<b@x.example>", "250 ")
		c.ask("DATA", "354 ")
		c.send(strings.Repeat(strings.Repeat("x", 62)+"\r\n", lines) + ".\r\n")
		return c.read()
	}
	for range 3 { // what was taken is given back
		if got := send(20_000); !strings.HasPrefix(got, "452 4.3.1") {
			t.Errorf("too much: %q", got)
		}
		if got := send(15_000); !strings.HasPrefix(got, "250 ") {
			t.Errorf("what fits: %q", got)
		}
	}
}

// TestSlowSender sends its message a byte at a time, beyond the time that it has. The clock is the test's own.
func TestSlowSender(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	f := newFront(t, cfg, nil, func(o *gateway.Options) {
		o.Now = func() time.Time { return time.Now().Add(-time.Duration(cfg.Limit.Data)).Add(50 * time.Millisecond) } // nearly over when it begins
	})
	c := dial(t, f.addr)
	c.hello()
	c.ask("MAIL FROM:<a@osm.test>", "250 ")
	c.ask("RCPT TO:<b@x.example>", "250 ")
	c.ask("DATA", "354 ")
	c.send("Subject: slo")
	c.want("421 4.4.2 you were silent")
	c.ended()
	if n := len(s.all()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// TestEnd stops the gateway while one client waits and another is in the middle of a message: that one may end it.
func TestEnd(t *testing.T) {
	s := newSink(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g, err := gateway.New(settings(s.addr), gateway.Options{Now: time.Now, Ask: accept})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx) }()
	addr := g.Addresses()[0].String()
	waits, sends := dial(t, addr), dial(t, addr)
	waits.hello()
	sends.hello()
	sends.ask("MAIL FROM:<a@osm.test>", "250 ")
	sends.ask("RCPT TO:<b@x.example>", "250 ")
	sends.ask("DATA", "354 ")
	cancel()
	waits.want("421 4.3.2")
	waits.ended()
	sends.send("Subject: the last\r\n\r\n.\r\n")
	sends.want("250 2.0.0 OK id=1", "421 4.3.2")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

// TestConfig wants a mistake to be told for each setting that can't work, and above all for what would make an open relay.
func TestConfig(t *testing.T) {
	for _, c := range []struct {
		key    string
		change func(*gateway.Config)
	}{
		{"listen", func(c *gateway.Config) { c.Listen = []string{"nowhere"} }},
		{"upstream", func(c *gateway.Config) { c.Upstream = nil }},
		{"upstream", func(c *gateway.Config) { c.Upstream = c.Listen }},
		{"listen_tls", func(c *gateway.Config) { c.ListenTLS = []string{"127.0.0.1:465"} }},
		{"key", func(c *gateway.Config) { c.Certificate = "/dev/null" }},
		{"certificate", func(c *gateway.Config) { c.Certificate, c.Key = "/nowhere/cert.pem", "/dev/null" }},
		{"reject_at", func(c *gateway.Config) { c.RejectAt = "sometime" }},
		{"hand_on", func(c *gateway.Config) { c.HandOn = "rumour" }},
		{"hold", func(c *gateway.Config) { c.Hold = "somewhere" }},
		{"tarpit", func(c *gateway.Config) { c.Tarpit = osm.Duration(time.Hour) }},
		{"relay_from", func(c *gateway.Config) { c.RelayFrom = []string{"0.0.0.0/0"} }},
		{"relay_from", func(c *gateway.Config) { c.RelayFrom = []string{"::/0"} }},
		{"relay_from", func(c *gateway.Config) { c.RelayFrom = []string{"128.0.0.0/1"} }},
		{"relay_from", func(c *gateway.Config) { c.RelayFrom = []string{"::ffff:0.0.0.0/96"} }},
		{"proxy_from", func(c *gateway.Config) { c.ProxyFrom = []string{"0.0.0.0/0"} }},
		{"xclient_from", func(c *gateway.Config) { c.XclientFrom = []string{"2000::/3"} }},
		{"relay_to", func(c *gateway.Config) { c.RelayTo = []string{"*"} }},
		{"relay_to", func(c *gateway.Config) { c.RelayTo = []string{"com"} }},
		{"limit.connections", func(c *gateway.Config) { c.Limit.Connections = 0 }},
		{"limit.recipients", func(c *gateway.Config) { c.Limit.Recipients = 0 }},
		{"limit.size", func(c *gateway.Config) { c.Limit.Size = 0 }},
		{"limit.idle", func(c *gateway.Config) { c.Limit.Idle = 0 }},
		{"limit.data", func(c *gateway.Config) { c.Limit.Data = 0 }},
	} {
		cfg := gateway.DefaultConfig()
		cfg.Listen = []string{"127.0.0.1:2525"}
		cfg.Check(func(key, problem string) { t.Errorf("the default: %s: %s", key, problem) })
		c.change(&cfg)
		var got []string
		cfg.Check(func(key, problem string) { got = append(got, key) })
		if len(got) != 1 || got[0] != c.key {
			t.Errorf("%v are reported, want %s", got, c.key)
		}
	}
}
