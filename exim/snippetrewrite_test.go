package exim_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"osm"
	"osm/exim"
	"osm/lab"
	"osm/policy"
)

// rewriting adds the rewriting way to a lab's configuration. The lab's own retry rule is for every address: what it says
// comes after.
func rewriting(s exim.Snippets, o lab.Options) lab.Options {
	o.Selector = lab.SelectorBest
	o.Rewrite = s.RewriteRule()
	o.Routers = s.Router()
	return o
}

// rewritingOracle answers as osm does when verdict is what it thinks of every message.
func rewritingOracle(t *testing.T, verdict *atomic.Pointer[osm.Verdict], released *atomic.Bool) *oracle {
	w, err := policy.NewRewriter([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	w.Released = func(string, string) bool { return released.Load() }
	o := &oracle{}
	o.answer = func(r *policy.Request) osm.Verdict {
		return w.Answer(r, func(string) osm.Verdict { return *verdict.Load() })
	}
	startOracle(t, o)
	return o
}

// TestRewriting holds messages with recipients of every kind by rewriting, releases them and looks at what arrives.
func TestRewriting(t *testing.T) {
	sink := startSink(t)
	var verdict atomic.Pointer[osm.Verdict]
	var released atomic.Bool
	verdict.Store(&osm.Verdict{})
	o := rewritingOracle(t, &verdict, &released)
	e := startLab(t, rewriting(snippets(t, exim.Snippets{Way: exim.ByRewrite, Socket: o.socket}), lab.Options{Sink: sink,
		Main: "smtputf8_advertise_hosts = *\n"}))
	ctx, q := within(t), queueOf(e)
	if err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "x@osm.test", []string{"accepted@far.example"}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, "accepted@far.example") }); err != nil {
		t.Fatal(err)
	}
	verdict.Store(&osm.Verdict{Action: osm.Hold, ID: "V0TRIAL", Detail: "on trial"})
	for i, recipients := range [][]string{
		{"plain@far.example"}, {`"a b"@far.example`, `"c,d"@far.example`, "two@far.example"}, {`"|/bin/sh"@far.example`},
		{"O'Neil+tag=x/y@far.example"}, {strings.Repeat("l", 110) + "@far.example"}, {"jos\xc3\xa9@far.example"}, {"Caps@Far.Example"},
	} {
		t.Run(recipients[0], func(t *testing.T) {
			released.Store(false)
			body := fmt.Sprintf("Body %d", i)
			if err := e.Submit(ctx, lab.Submission{Args: append([]string{"-i", "-f", "x@osm.test", "--"}, recipients...),
				Input: "Subject: x\nTo: someone@far.example\n\n" + body + "\n"}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.WaitLog(ctx, "== ", "held (V0TRIAL)", "R=osm_hold", "defer"); err != nil {
				t.Fatal(err)
			}
			if err := e.QueueRun(ctx); err != nil {
				t.Fatal(err)
			}
			m := onlyHeld(t, q)
			if id, _, ok := m.Verdict(); len(m.Recipients) != len(recipients) || !m.Held() || id != "V0TRIAL" || !ok {
				t.Fatalf("held as %+v", m)
			}
			released.Store(true)
			for err := q.Deliver(ctx, m.Place); err != nil; err = q.Deliver(ctx, m.Place) {
				if ctx.Err() != nil { // until then the first attempt may not have ended, and its message is locked
					t.Fatal(err)
				}
			}
			var got []string
			seen := map[*lab.Received]bool{} // on a crowded machine a recipient may come in a second transaction
			if _, err := sink.Wait(ctx, func(r *lab.Received) bool {
				if !seen[r] && strings.Contains(string(r.Data), body) {
					seen[r], got = true, append(got, r.Recipients...)
				}
				return len(got) >= len(recipients)
			}); err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(recipients)
			if i == 5 {
				want[0] = "xn--jos-dma@far.example" // as Exim writes it to a receiver without SMTPUTF8
			}
			slices.Sort(want)
			slices.Sort(got)
			unquote := strings.NewReplacer(`"`, "") // as the sink does
			if unquote.Replace(strings.Join(want, "\n")) != unquote.Replace(strings.Join(got, "\n")) {
				t.Errorf("to %q instead of %q", got, recipients)
			}
			if len(slices.Collect(places(t, q))) != 0 {
				t.Error("something is left in the queue")
			}
		})
	}
}

// TestRewritingEnds: what is refused bounces, what is discarded goes, and a bounce is not asked about.
func TestRewritingEnds(t *testing.T) {
	var verdict atomic.Pointer[osm.Verdict]
	var released atomic.Bool
	verdict.Store(&osm.Verdict{Action: osm.Reject, ID: "V1"})
	o := rewritingOracle(t, &verdict, &released)
	sink := startSink(t)
	e := startLab(t, rewriting(snippets(t, exim.Snippets{Way: exim.ByRewrite, Socket: o.socket}), lab.Options{Sink: sink}))
	ctx := within(t)
	if err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "sender@far.example", []string{"refused@far.example"}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return r.Sender == "" && r.Recipients[0] == "sender@far.example" }); err != nil {
		t.Errorf("the bounce: %v", err)
	}
	verdict.Store(&osm.Verdict{Action: osm.Discard, ID: "V2"})
	if err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "sender@far.example", []string{"gone.with.the@far.example"}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitLog(ctx, "=> :blackhole: ", "R=osm_hold"); err != nil {
		t.Error(err)
	}
	// One that is too long to be rewritten must not slip through.
	verdict.Store(&osm.Verdict{Action: osm.Hold, ID: "V3"})
	long := strings.Repeat("l", 220) + "@far.example"
	if err := e.Submit(ctx, lab.Submission{Args: []string{"-i", "-f", "long@far.example", long}, Input: "Subject: x\n\nBody\n"}); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return r.Sender == "" && r.Recipients[0] == "long@far.example" }); err != nil {
		t.Errorf("the bounce of a long recipient: %v", err)
	}
	// Nobody can write such an address himself.
	if err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "sender@far.example", []string{"h.v1.forged.c9gg@" + exim.HoldDomain}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitLog(ctx, "== h.v1.forged.c9gg@"+exim.HoldDomain, "not an address that osm made"); err != nil {
		t.Error(err)
	}
	if n := sink.Totals().Messages; n != 2 {
		t.Errorf("%d messages have arrived, not only two bounces", n)
	}
}

// TestRewritingWithoutAnswer: open, mail goes its way; closed, it waits in the hold domain until osm is back.
func TestRewritingWithoutAnswer(t *testing.T) {
	for _, name := range []string{"gone", "silent", "garbage", "20 MB"} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s closed=%v", name, closed), func(t *testing.T) {
				ctx, sink, socket := within(t), startSink(t), socketPath(t)
				lame(t, name, socket)
				s := snippets(t, exim.Snippets{Way: exim.ByRewrite, Socket: socket, Closed: closed})
				e := startLab(t, rewriting(s, lab.Options{Sink: sink}))
				recipient := "\"a b\"@far.example"
				if err := e.Submit(ctx, lab.Submission{Args: []string{"-i", "-f", "x@osm.test", recipient}, Input: "Subject: x\n\nBody\n"}); err != nil {
					t.Fatal(err)
				}
				if !closed {
					if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return strings.Contains(r.Recipients[0], "a b") }); err != nil {
						t.Error(err)
					}
					return
				}
				want := "u." + base64.RawURLEncoding.EncodeToString([]byte(recipient)) + "@" + exim.HoldDomain
				if _, err := e.WaitLog(ctx, "== "+want, "held, osm does not answer"); err != nil {
					t.Error(err)
				}
				if m := onlyHeld(t, queueOf(e)); !slices.Equal(m.Recipients, []string{want}) || !m.Held() {
					t.Errorf("held as %+v", m)
				}
			})
		}
	}
}

// TestUnsignedIsReleased: what waited because osm was away is judged when it is back.
func TestUnsignedIsReleased(t *testing.T) {
	sink := startSink(t)
	var verdict atomic.Pointer[osm.Verdict]
	var released atomic.Bool
	verdict.Store(&osm.Verdict{})
	o := rewritingOracle(t, &verdict, &released)
	e := startLab(t, rewriting(snippets(t, exim.Snippets{Way: exim.ByRewrite, Socket: o.socket}), lab.Options{Sink: sink}))
	ctx := within(t)
	waiting := "u." + base64.RawURLEncoding.EncodeToString([]byte("late@far.example")) + "@" + exim.HoldDomain
	if err := e.Deliver(ctx, e.SMTP(), lab.Caller{}, "x@osm.test", []string{waiting}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Wait(ctx, func(r *lab.Received) bool { return r.Recipients[0] == "late@far.example" }); err != nil {
		t.Error(err)
	}
}
