package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"osm"
	"osm/gateway"
	"osm/policy"
)

// blockedOnce is an Ask that finds nothing.
func blockedOnce(testing.TB) func(context.Context, *policy.Request) osm.Verdict {
	return func(context.Context, *policy.Request) osm.Verdict { return osm.Verdict{} }
}

var (
	reject  = osm.Verdict{Action: osm.Reject, Rule: "test", Detail: "not\nyou", ID: "VTEST"}
	later   = osm.Verdict{Action: osm.Defer, Rule: "test", Detail: "not now"}
	discard = osm.Verdict{Action: osm.Discard, Rule: "test", Detail: "away"}
	hold    = osm.Verdict{Action: osm.Hold, Rule: "test", Detail: "to be looked at", ID: "VHOLD"}
)

// TestRejectAt refuses a client at each configured point of the dialogue, and not before.
func TestRejectAt(t *testing.T) {
	for _, c := range []struct {
		at    gateway.Point
		steps []string // answers to connecting, MAIL, RCPT, DATA and the content
	}{
		{gateway.AtConnect, []string{"554 5.7.1 not?you (VTEST)"}},
		{gateway.AtMail, []string{"220 ", "550 5.7.1 not?you (VTEST)"}},
		{gateway.AtRcpt, []string{"220 ", "250 ", "550 5.7.1 not?you (VTEST)", "502 "}},
		{gateway.AtData, []string{"220 ", "250 ", "250 ", "354 ", "550 5.7.1 not?you (VTEST)"}},
	} {
		t.Run(string(c.at), func(t *testing.T) {
			s := newSink(t, nil)
			cfg := settings(s.addr)
			cfg.RejectAt = c.at
			f := newFront(t, cfg, func(*policy.Request) osm.Verdict { return reject })
			k := dial(t, f.addr)
			k.want(c.steps[0])
			if len(c.steps) == 1 {
				k.ended()
				return
			}
			k.ask("EHLO client.example", "250")
			for i, line := range []string{"MAIL FROM:<a@osm.test>", "RCPT TO:<b@x.example>", "DATA", "Subject: x\r\n\r\n."}[:len(c.steps)-1] {
				k.ask(line, c.steps[i+1])
			}
			k.ask("QUIT", "221 ")
			k.ended()
			if n := len(s.all()); n != 0 {
				t.Errorf("%d messages arrived", n)
			}
			p := f.told()
			if len(p) != 1 || p[0].Stage != gateway.Stopped || p[0].Asked != (c.at == gateway.AtData) || p[0].Message.Sender != "a@osm.test" {
				t.Errorf("told %+v", p)
			}
		})
	}
}

// TestMixedVerdicts gives every recipient its own verdict: the message goes to those let through.
func TestMixedVerdicts(t *testing.T) {
	s := newSink(t, nil)
	f := newFront(t, settings(s.addr), func(r *policy.Request) osm.Verdict {
		switch {
		case r.State != policy.Rcpt:
		case strings.HasPrefix(r.Recipient, "never"):
			return reject
		case strings.HasPrefix(r.Recipient, "notnow"):
			return later
		case strings.HasPrefix(r.Recipient, "away"):
			return discard
		case strings.HasPrefix(r.Recipient, "held"):
			return hold // it is for the whole message, and osm says it there
		}
		return osm.Verdict{}
	})
	c := dial(t, f.addr)
	c.hello()
	c.send("MAIL FROM:<a@osm.test>\r\nRCPT TO:<never@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<notnow@x.example>\r\nRCPT TO:<away@x.example>\r\n" +
		"RCPT TO:<no@x.example>\r\nRCPT TO:<held@x.example>\r\nDATA\r\n")
	c.want("250 ", "550 5.7.1 not?you", "250 ", "451 4.7.1 not now", "250 2.1.5", "550-nobody", "250 ", "354 ")
	c.send("Subject: x\r\n\r\nhi\r\n.\r\n")
	c.want("250 2.0.0 OK id=1")
	if l := s.all(); len(l) != 1 || fmt.Sprint(l[0].to) != "[b@x.example held@x.example]" {
		t.Errorf("the sink has %+v", l)
	}
	stopped := 0
	for _, p := range f.told() {
		if p.Stage == gateway.Stopped {
			stopped++
			if fmt.Sprint(p.Message.Recipients) != "[never@x.example notnow@x.example]" {
				t.Errorf("stopped %v", p.Message.Recipients)
			}
		}
	}
	if stopped != 1 {
		t.Errorf("told %d times of those stopped", stopped)
	}
	c.send("MAIL FROM:<a@osm.test>\r\nRCPT TO:<away@x.example>\r\nDATA\r\n")
	c.want("250 ", "250 2.1.5", "354 ")
	c.send("Subject: nobody\r\n\r\nhi\r\n.\r\n")
	c.want("250 2.0.0 OK\r\n")
	if n := len(s.all()); n != 1 {
		t.Errorf("%d messages arrived", n)
	}
}

// TestVerdictsOnMessages looks at what becomes of whole messages, and that the connection to the upstream is used on.
func TestVerdictsOnMessages(t *testing.T) {
	s, quarantine := newSink(t, nil), newSink(t, nil)
	cfg := settings(s.addr)
	cfg.Hold = quarantine.addr
	f := newFront(t, cfg, func(r *policy.Request) osm.Verdict {
		if r.State != policy.Data {
			return osm.Verdict{}
		}
		switch r.Message.Subject {
		case "reject":
			return reject
		case "defer":
			return later
		case "discard":
			return discard
		case "hold":
			return hold
		case "divert":
			return osm.Verdict{Action: osm.Divert, Detail: "postmaster@osm.test"}
		case "shadow":
			return osm.Verdict{Action: osm.Reject, Shadow: true}
		}
		return osm.Verdict{}
	})
	c := dial(t, f.addr)
	c.hello()
	body := strings.Repeat("a line of text\r\n", 10_000)
	for _, step := range []struct{ subject, answer string }{
		{"reject", "550 5.7.1 not?you (VTEST)"}, {"fine", "250 2.0.0 OK id=1"}, {"defer", "451 4.7.1 not now"}, {"discard", "250 2.0.0 OK\r\n"},
		{"hold", "250 2.0.0 OK id=1"}, {"shadow", "250 2.0.0 OK id=2"}, {"divert", "250 2.0.0 OK id=3"}, {"refuse this", "554 5.7.1 not this, says the sink"},
		{"fine", "250 2.0.0 OK id=4"},
	} {
		c.ask("MAIL FROM:<a@osm.test> BODY=8BITMIME", "250 ")
		c.ask("RCPT TO:<b@x.example> NOTIFY=FAILURE", "250 ")
		c.ask("DATA", "354 ")
		c.send("Subject: " + step.subject + "\r\n\r\n" + body + ".\r\n")
		c.want(step.answer)
	}
	var subjects []string
	conns := map[any]bool{}
	for _, l := range s.all() {
		subject, _, _ := strings.Cut(string(l.text), "\r\n")
		subjects = append(subjects, subject+" "+strings.Join(l.to, " "))
		conns[l.conn] = true
	}
	want := "[Subject: fine b@x.example Subject: shadow b@x.example Subject: divert postmaster@osm.test Subject: fine b@x.example]"
	if fmt.Sprint(subjects) != want || len(conns) != 1 {
		t.Errorf("the sink has %v over %d connections", subjects, len(conns))
	}
	if l := quarantine.all(); len(l) != 1 || string(l[0].text) != "Subject: hold\r\n\r\n"+body || fmt.Sprint(l[0].to) != "[b@x.example]" {
		t.Errorf("the quarantine has %d", len(l))
	}
	stages := map[gateway.Stage]int{}
	for _, p := range f.told() {
		stages[p.Stage]++
		if p.Quarantined != (p.Held && p.Message.Subject == "hold") {
			t.Errorf("%s: quarantined %v", p.Message.Subject, p.Quarantined)
		}
	}
	if stages[gateway.Sending] != 6 || stages[gateway.Accepted] != 5 || stages[gateway.Refused] != 1 || stages[gateway.Stopped] != 3 {
		t.Errorf("told %v", stages)
	}
}

// TestHoldWithoutPlace defers what nobody can hold.
func TestHoldWithoutPlace(t *testing.T) {
	s := newSink(t, nil)
	for _, place := range []string{"", deadAddress(t)} {
		cfg := settings(s.addr)
		cfg.Hold = place
		f := newFront(t, cfg, func(r *policy.Request) osm.Verdict {
			if r.State == policy.Data {
				return hold
			}
			return osm.Verdict{}
		})
		c := dial(t, f.addr)
		c.hello()
		c.ask("MAIL FROM:<a@osm.test>", "250 ")
		c.ask("RCPT TO:<b@x.example>", "250 ")
		c.ask("DATA", "354 ")
		c.send("Subject: x\r\n\r\nhi\r\n.\r\n")
		c.want("451 4.7.1 to be looked at (VHOLD)")
		c.ask("QUIT", "221 ")
	}
	if n := len(s.all()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// TestTarpit slows down suspected clients, as many as there are places.
func TestTarpit(t *testing.T) {
	s := newSink(t, nil)
	cfg := settings(s.addr)
	cfg.RejectAt, cfg.Tarpit, cfg.TarpitMost = gateway.AtRcpt, osm.Duration(1e6), 1
	var asked atomic.Int64
	f := newFront(t, cfg, func(r *policy.Request) osm.Verdict {
		asked.Add(1)
		if r.State == policy.Connect {
			return reject
		}
		return osm.Verdict{}
	})
	c := dial(t, f.addr)
	c.hello()
	c.ask("NOOP", "250 ")
	c.ask("QUIT", "221 ")
	c.ended()
	if n := f.Stats().Slowed.Load(); n < 4 || asked.Load() != 1 {
		t.Errorf("%d answers were slow, %d questions", n, asked.Load())
	}
	cfg.TarpitMost = 0
	f = newFront(t, cfg, func(*policy.Request) osm.Verdict { return reject })
	c = dial(t, f.addr)
	c.hello()
	if n := f.Stats().Slowed.Load(); n != 0 {
		t.Errorf("%d answers were slow without a place", n)
	}
}
