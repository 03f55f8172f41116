package check

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"osm"
)

// greyBench makes greylisting of strangers, with 5 minutes to wait.
func greyBench(t testing.TB) *bench {
	return newBench(t, func(c *Config) {
		c.Greylist.Enabled = true
		c.Greylist.Classes = append(c.Greylist.Classes, osm.Login)
	})
}

func TestGreylist(t *testing.T) {
	b := greyBench(t)
	ask := func(client, sender, recipient, want string) {
		t.Helper()
		m := from(client)
		m.Sender = sender
		o := b.at(&Request{Stage: AtRcpt, Message: m, Recipient: recipient})
		if o.Greylist != want || (o.Verdict.Action == osm.Defer) != (want == greyNew || want == greyEarly) {
			t.Errorf("%s %s to %s: %q, want %q; %+v", client, sender, recipient, o.Greylist, want, o.Verdict)
		}
	}
	ask("192.0.2.9", "a@far.example", "x@here.example", greyNew)
	b.clock.pass(4 * time.Minute)
	ask("192.0.2.9", "a@far.example", "x@here.example", greyEarly)
	ask("198.51.100.9", "a@far.example", "x@here.example", greyNew) // another network
	ask("192.0.2.9", "b@far.example", "x@here.example", greyNew)    // another sender
	ask("192.0.2.9", "a@far.example", "y@here.example", greyNew)    // another recipient
	b.clock.pass(2 * time.Minute)
	ask("192.0.2.200", "A@Far.example", "X@here.example", greyPassed) // a host next door
	ask("192.0.2.9", "a@far.example", "z@here.example", greyKnown)    // from now on to anybody
	ask("192.0.2.9", "b@far.example", "x@here.example", greyEarly)
	b.clock.pass(49 * time.Hour)
	ask("192.0.2.9", "b@far.example", "x@here.example", greyNew) // too late
	ask("2001:db8::1", "list-bounces+17@far.example", "x@here.example", greyNew)
	b.clock.pass(6 * time.Minute)
	ask("2001:db8::ffff", "list-bounces+18@far.example", "x@here.example", greyPassed) // the same /64, the next number
	ask("2001:db8:0:1::1", "list-bounces+19@far.example", "x@here.example", greyNew)
	b.clock.pass(32 * 24 * time.Hour)
	ask("192.0.2.9", "a@far.example", "x@here.example", greyKnown)
	b.clock.pass(32 * 24 * time.Hour)
	ask("192.0.2.9", "a@far.example", "x@here.example", greyKnown) // its latest mail counts, not its first
	b.clock.pass(36 * 24 * time.Hour)
	ask("192.0.2.9", "a@far.example", "x@here.example", greyNew)
	ask("127.0.0.1", "a@far.example", "x@here.example", "")
}

// TestGreylistSpares those who would never come again, or have a past.
func TestGreylistSpares(t *testing.T) {
	b := greyBench(t)
	m := from("192.0.2.9")
	if o := b.at(&Request{Stage: AtData, Message: m, Taken: true}); o.Greylist != "" || o.Verdict.Action != osm.Accept {
		t.Errorf("a message that is here already: %+v", o)
	}
	for _, class := range []osm.Class{osm.Local, osm.Localhost, osm.System, osm.List} {
		if b.Wants(AtData, class) {
			t.Errorf("%s is asked", class)
		}
	}
	asked := 0
	b.table[0] = b.grey.row(func(m *osm.Message) bool { asked++; return m.Login == "old" }, b.clock.now)
	b.table[0].guard = newGuard("greylist", time.Second, b.clock.now, b.log)
	m.Class, m.Login = osm.Login, "old"
	if o := b.look(m); o.Greylist != greyKnown || asked != 1 {
		t.Errorf("a login with a past: %+v", o)
	}
	m.Login = "fresh"
	if o := b.look(m); o.Greylist != greyNew {
		t.Errorf("a login without: %+v", o)
	}
	b.clock.pass(6 * time.Minute)
	m.Recipients = []string{"new@here.example", "b@here.example"}
	if o := b.look(m); o.Greylist != greyPassed {
		t.Errorf("one of the recipients is enough: %+v", o)
	}
}

// TestGreylistOutlivesRestart and is as good afterwards as before; only what has changed is written.
func TestGreylistOutlivesRestart(t *testing.T) {
	b := greyBench(t)
	saved := map[string][]byte{}
	save := func() (n int) {
		if err := b.Dirty(func(key string, blob []byte) { saved[key] = blob; n++ }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 20 {
		m := from(fmt.Sprintf("198.51.%d.1", i))
		b.look(m)
	}
	if n := save(); n < 10 || n > 20 || b.Changed() {
		t.Errorf("%d pieces were written", n)
	}
	b.look(from("192.0.2.1"))
	if n := save(); n != 1 {
		t.Errorf("%d pieces were written for one stranger", n)
	}
	again := greyBench(t)
	for key, blob := range maps.All(saved) {
		if err := again.Restore(key, blob); err != nil {
			t.Fatal(err)
		}
	}
	again.clock.pass(6 * time.Minute)
	for _, client := range []string{"198.51.3.1", "192.0.2.1"} {
		if o := again.look(from(client)); o.Greylist != greyPassed {
			t.Errorf("%s: %q", client, o.Greylist)
		}
	}
	if err := again.Restore(greyState+"000", []byte("torn")); err == nil {
		t.Error("a torn piece is accepted")
	}
}

// TestGreylistIsBounded whatever strangers invent, and keeps who is known before who is not.
func TestGreylistIsBounded(t *testing.T) {
	g := newGreylist(GreylistConfig{Remember: 10 * greyPieces, Delay: osm.Duration(time.Minute), Window: osm.Duration(time.Hour), Keep: osm.Duration(24 * time.Hour)})
	now := newClock().now()
	network := netip.MustParsePrefix("192.0.2.0/24")
	never := func() bool { return false }
	g.look(network, "friend@far.example", []string{"x@here.example"}, never, now)
	now = now.Add(2 * time.Minute)
	if said := g.look(network, "friend@far.example", []string{"x@here.example"}, never, now); said != greyPassed {
		t.Fatal(said)
	}
	for i := range 50_000 {
		g.look(network, fmt.Sprintf("%c%c%c%c@evil.example", 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26, 'a'+i/17576), []string{"x@here.example"}, never, now)
	}
	n := 0
	for i := range g.pieces {
		n += len(g.pieces[i].all)
	}
	if n > 10*greyPieces || n < 9*greyPieces {
		t.Errorf("%d are remembered, want at most %d", n, 10*greyPieces)
	}
	if said := g.look(network, "friend@far.example", []string{"y@here.example"}, never, now); said != greyKnown {
		t.Errorf("a flood of strangers has pushed out a known one: %s", said)
	}
}

func BenchmarkGreylist(b *testing.B) {
	v := greyBench(b)
	r := &Request{Stage: AtRcpt, Message: from("192.0.2.9"), Recipient: "x@here.example"}
	v.at(r)
	b.ReportAllocs()
	for b.Loop() {
		o := osm.Opinions{}
		v.Look(b.Context(), r, &o)
	}
}
