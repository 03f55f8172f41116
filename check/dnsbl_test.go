package check

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"osm"
)

// bench is a room of checks with a name server and a clock.
type bench struct {
	testing.TB
	*Checks
	zone  *zone
	clock *clock
}

// newBench makes checks of settings that a test fills in; what they enable is asked about inbound mail and logins.
func newBench(t testing.TB, set func(*Config)) *bench {
	t.Helper()
	b := &bench{TB: t, zone: newZone(t), clock: newClock()}
	cfg := DefaultConfig()
	cfg.DNS = asks(b.zone)
	set(&cfg)
	cfg.Check(func(key, problem string) { t.Errorf("%s: %s", key, problem) })
	b.Checks = New(cfg, Options{Now: b.clock.now, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.25"), netip.MustParseAddr("10.0.0.1")}})
	return b
}

// look asks about a message at its end.
func (b *bench) look(m *osm.Message) *osm.Opinions {
	return b.at(&Request{Stage: AtData, Message: m})
}

func (b *bench) at(r *Request) *osm.Opinions {
	b.Helper()
	if r.Message.Class == osm.NoClass {
		r.Message.Class = osm.Inbound
	}
	o := &osm.Opinions{}
	b.Look(b.Context(), r, o)
	return o
}

// withLists enables lists, with an action.
func withLists(action osm.Action, lists ...ListConfig) func(*Config) {
	return func(c *Config) {
		c.DNSBL.Enabled, c.DNSBL.Action, c.DNSBL.Lists = true, action, lists
	}
}

func from(client string) *osm.Message {
	return &osm.Message{Class: osm.Inbound, Client: netip.MustParseAddr(client), Sender: "a@sender.example", Recipients: []string{"b@here.example"}}
}

// names tells what was found, in short.
func names(o *osm.Opinions) string {
	var all []string
	for _, l := range o.Listings {
		all = append(all, strings.Join([]string{l.List, l.Of, l.Value, l.Name}, " "))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestListedClient(t *testing.T) {
	b := newBench(t, withLists(osm.Reject, ListConfig{Zone: "bl.example", Codes: map[string]string{"127.0.0.2": "spam", "127.0.0.3": "proxy"}}))
	b.zone.lists("9.2.0.192.bl.example", "127.0.0.2")
	b.zone.lists("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example", "127.0.0.3")
	b.zone.lists("8.2.0.192.bl.example", "127.0.0.77")
	for client, want := range map[string]string{
		"192.0.2.9": "bl.example client 192.0.2.9 spam", "::ffff:192.0.2.9": "bl.example client 192.0.2.9 spam",
		"2001:db8::1": "bl.example client 2001:db8::1 proxy", "2001:db8::2": "", "192.0.2.7": "", "192.0.2.8": "", "10.1.2.3": "", "127.0.0.1": ""} {
		o := b.look(from(client))
		if got := names(o); got != want || len(o.Failed) > 0 || (o.Verdict.Action == osm.Reject) != (want != "") {
			t.Errorf("%s: %q, want %q; %+v %v", client, got, want, o.Verdict, o.Failed)
		}
	}
	o := b.look(from("192.0.2.9"))
	if v := o.Verdict; v.Rule != "check-dnsbl" || v.Detail != "192.0.2.9 is listed by bl.example (spam)" || v.Key.String() != "client:192.0.2.9" {
		t.Errorf("%+v", v)
	}
	if n := b.zone.times("9.2.0.192.bl.example", dns.TypeA); n != 1 {
		t.Errorf("asked %d times for what is remembered", n)
	}
}

// TestErrorsAreNoListings: whatever a list answers that is no code of a listing makes it fail, in words.
func TestErrorsAreNoListings(t *testing.T) {
	wild := func(a *answering) {
		a.to.Rcode = dns.RcodeSuccess
		a.to.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: a.q.Question[0].Name, Rrtype: dns.TypeA, Class: 1, Ttl: 60}, A: []byte{127, 0, 0, 2}}}
		a.send()
	}
	for _, c := range []struct {
		name, answer, words string
		odd                 func(*answering)
	}{
		{name: "public resolver", answer: "127.255.255.254", words: "public resolver"},
		{name: "too much", answer: "127.255.255.255", words: "subscription"},
		{name: "misspelt", answer: "127.255.255.252", words: "misspelt"},
		{name: "any other refusal", answer: "127.255.255.7", words: "refuses"},
		{name: "SURBL's and URIBL's refusal", answer: "127.0.0.1", words: "refuses"},
		{name: "a search page", answer: "198.51.100.7", words: "no answer of a block list"},
		{name: "servfail", odd: servfail, words: "SERVFAIL"},
		{name: "the whole world", answer: "127.0.0.2", odd: wild, words: "never be listed"},
		{name: "dead", odd: mute, words: "timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(cfg *Config) {
				withLists(osm.Reject, ListConfig{Zone: "bl.example"}, ListConfig{Zone: "good.example"})(cfg)
				cfg.DNSBL.OnFailure, cfg.DNS.Timeout = osm.Defer, silence
			})
			if c.answer != "" {
				b.zone.lists("9.2.0.192.bl.example", c.answer)
			}
			if c.odd != nil {
				b.zone.does("9.2.0.192.bl.example", c.odd)
				b.zone.does("1.0.0.127.bl.example", c.odd)
			}
			o := b.look(from("192.0.2.9"))
			if len(o.Listings) > 0 || !slices.Equal(o.Failed, []string{"dnsbl"}) || o.Verdict.Action != osm.Defer || o.Verdict.Reason != "failed" {
				t.Errorf("%+v", o)
			}
			stats := b.Stats().Checks
			if got := stats[1]; got.Name != "dnsbl bl.example" || got.Failed != 1 || !strings.Contains(got.Error, c.words) {
				t.Errorf("%+v has no %q", got, c.words)
			}
			if got := stats[2]; got.Failed != 0 {
				t.Errorf("the other list failed, too: %+v", got)
			}
			b.zone.lists("9.2.0.192.good.example", "127.0.0.2")
			b.clock.pass(time.Hour)
			if o := b.look(from("192.0.2.9")); o.Verdict.Action != osm.Reject || len(o.Failed) != 1 {
				t.Errorf("a list that fails silences the other: %+v", o)
			}
		})
	}
}

// TestSlowList: nobody waits longer than the deadline, and what the others said by then counts.
func TestSlowList(t *testing.T) {
	b := newBench(t, func(cfg *Config) {
		withLists(osm.Reject, ListConfig{Zone: "slow.example"}, ListConfig{Zone: "bl.example"})(cfg)
		cfg.DNSBL.Deadline, cfg.DNS.Timeout = osm.Duration(100*time.Millisecond), osm.Duration(10*time.Second)
	})
	release := make(chan struct{})
	defer close(release)
	b.zone.does("9.2.0.192.slow.example", func(a *answering) { <-release; a.send() })
	b.zone.lists("9.2.0.192.bl.example", "127.0.0.2")
	o := b.look(from("192.0.2.9")) // a hanging test would be the failure
	if names(o) != "bl.example client 192.0.2.9 " || len(o.Failed) != 1 || o.Verdict.Action != osm.Reject {
		t.Errorf("%+v", o)
	}
}

// TestDeadList: after some failures in a row it is not asked, then one question tries.
func TestDeadList(t *testing.T) {
	b := newBench(t, withLists(osm.Reject, ListConfig{Zone: "bl.example"}))
	ask := func(i int) *osm.Opinions { return b.look(from(fmt.Sprintf("192.0.2.%d", i))) }
	for i := range failuresInRow {
		b.zone.does(fmt.Sprintf("%d.2.0.192.bl.example", i), servfail)
		ask(i)
	}
	if !b.Stats().Checks[1].Open {
		t.Fatalf("%+v", b.Stats().Checks[1])
	}
	b.zone.lists("50.2.0.192.bl.example", "127.0.0.2")
	if o := ask(50); len(o.Failed) != 1 || b.zone.times("50.2.0.192.bl.example", dns.TypeA) != 0 {
		t.Errorf("a dead list was asked: %+v", o)
	}
	b.clock.pass(pause)
	if o := ask(50); len(o.Listings) != 1 || b.Stats().Checks[1].Open {
		t.Errorf("%+v, %+v", o, b.Stats().Checks[1])
	}
}

func TestDomainsOnLists(t *testing.T) {
	b := newBench(t, withLists(osm.Accept,
		ListConfig{Zone: "dbl.example", Of: []string{OfHelo, OfSender, OfLink}, Codes: map[string]string{"&4": "phish", "&8": "malware"}, Weights: map[string]float64{"malware": 3}},
		ListConfig{Zone: "ip.example"}))
	b.zone.lists("evil.co.uk.dbl.example", "127.0.0.4")
	b.zone.lists("sender.example.dbl.example", "127.0.0.12")
	b.zone.lists("link.com.dbl.example", "127.0.0.2") // no bit that means something
	m := from("192.0.2.9")
	m.Helo, m.Sender = "mail.EVIL.co.uk", "x@Mx.Sender.Example"
	content := []byte("From: a@b.example\r\nContent-Type: text/plain\r\n\r\nsee http://www.evil.co.uk/x and https://a.b.link.com/ and http://co.uk/ http://192.0.2.1/\r\n")
	o := b.at(&Request{Stage: AtData, Message: m, Content: content, Whole: true})
	want := "dbl.example helo evil.co.uk phish, dbl.example link evil.co.uk phish, dbl.example sender sender.example malware, dbl.example sender sender.example phish"
	if got := names(o); got != want || o.Weight != 4 || o.Verdict.Action != osm.Accept || len(o.Failed) > 0 {
		t.Errorf("%q, weight %v, %v", got, o.Weight, o.Failed)
	}
	for stage, want := range map[Stage]int{AtConnect: 1, AtMail: 3, AtRcpt: 3} {
		if o := b.at(&Request{Stage: stage, Message: m}); len(o.Listings) != want {
			t.Errorf("stage %d: %s", stage, names(o))
		}
	}
	for name := range b.zone.questions() {
		if strings.HasPrefix(name, "co.uk.") || strings.HasPrefix(name, "1.2.0.192.dbl") {
			t.Errorf("%s was asked for", name)
		}
	}
	long := from("192.0.2.9")
	long.Sender = "a@" + strings.Repeat("abcdefghij.", 22) + "example" // fits into a name, not with the list's behind it
	long.Helo = strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + ".example"
	if o := b.look(long); len(o.Failed) > 0 {
		t.Errorf("a long name makes the check fail: %+v", o)
	}
}

// TestHomesOfLogins: who has logged in may sit at home; who may yet log in is not judged by it.
func TestHomesOfLogins(t *testing.T) {
	b := newBench(t, withLists(osm.Reject, ListConfig{Zone: "Zen.Spamhaus.org."}))
	b.zone.lists("9.2.0.192.zen.spamhaus.org", "127.0.0.10")
	b.zone.lists("8.2.0.192.zen.spamhaus.org", "127.0.0.4")
	m := from("192.0.2.9")
	if o := b.look(m); o.Verdict.Action != osm.Reject || names(o) != "zen.spamhaus.org client 192.0.2.9 pbl" {
		t.Errorf("no login: %+v", o)
	}
	if o := b.at(&Request{Stage: AtConnect, Message: m}); len(o.Listings) > 0 {
		t.Errorf("at the connection: %+v", o)
	}
	m.Login, m.Class = "bob", osm.Login
	if o := b.look(m); len(o.Listings) > 0 {
		t.Errorf("a login: %+v", o)
	}
	m.Client = netip.MustParseAddr("192.0.2.8")
	if o := b.look(m); o.Verdict.Action != osm.Reject {
		t.Errorf("a login from an infected machine: %+v", o)
	}
}

func TestWeights(t *testing.T) {
	b := newBench(t, func(c *Config) {
		withLists(osm.Hold, ListConfig{Zone: "a.example", Weight: 0.6}, ListConfig{Zone: "b.example", Weight: 0.5})(c)
	})
	b.zone.lists("9.2.0.192.a.example", "127.0.0.2")
	if o := b.look(from("192.0.2.9")); o.Verdict.Action != osm.Accept || o.Weight != 0.6 {
		t.Errorf("%+v", o)
	}
	b.zone.lists("9.2.0.192.b.example", "127.0.0.2")
	b.clock.pass(time.Hour)
	if o := b.look(from("192.0.2.9")); o.Verdict.Action != osm.Hold || o.Weight != 1.1 || o.Verdict.Detail != "192.0.2.9 is listed by a.example" {
		t.Errorf("%+v", o)
	}
}

// TestQueryLimits: what a list does not allow is not asked; it is a failure and never a listing, and no reason to call it dead.
func TestQueryLimits(t *testing.T) {
	b := newBench(t, withLists(osm.Reject, ListConfig{Zone: "bl.example", PerSecond: 2, PerDay: 3}))
	asked := func() (n int) {
		for _, times := range b.zone.questions() {
			n += times
		}
		return n
	}
	for i, want := range []int{1, 2, 2, 3, 3} {
		if i == 3 || i == 4 {
			b.clock.pass(time.Second)
		}
		o := b.look(from(fmt.Sprintf("192.0.2.%d", i)))
		if got := asked(); got != want || (len(o.Failed) > 0) != (i == 2 || i == 4) {
			t.Errorf("question %d: %d were asked, %v", i, got, o.Failed)
		}
	}
	for i := range failuresInRow {
		b.look(from(fmt.Sprintf("198.51.100.%d", i)))
	}
	if s := b.Stats().Checks[1]; s.Open || s.Failed > 0 || s.Passed < 2 || !strings.Contains(s.Error, "as many questions") {
		t.Errorf("%+v", s)
	}
	b.clock.pass(24 * time.Hour)
	if o := b.look(from("192.0.2.99")); len(o.Failed) > 0 {
		t.Errorf("the next day: %v", o.Failed)
	}
}

// TestLateCheck: a check that does not keep to its deadline at all is left behind.
func TestLateCheck(t *testing.T) {
	b := newBench(t, func(*Config) {})
	release, done := make(chan struct{}), make(chan struct{})
	k := &one{name: "late", settings: common(20*time.Millisecond, osm.Inbound)}
	k.settings.Enabled, k.settings.OnFailure, k.settings.Shadow = true, osm.Hold, true
	k.look = func(_ context.Context, _ *Request, o *osm.Opinions) error {
		<-release
		o.SPF = "never read"
		close(done)
		return nil
	}
	b.add(k)
	o := b.look(from("192.0.2.9"))
	close(release)
	<-done
	if o.SPF != "" || !slices.Equal(o.Failed, []string{"late"}) || o.Verdict.Action != osm.Hold || !o.Verdict.Shadow || o.Verdict.Stops() {
		t.Errorf("%+v", o)
	}
	for _, c := range []struct {
		stage Stage
		class osm.Class
		want  bool
	}{{AtData, osm.Inbound, true}, {AtMail, osm.Inbound, true}, {AtConnect, osm.Inbound, false}, {AtData, osm.Login, false}} {
		if got := b.Wants(c.stage, c.class); got != c.want {
			t.Errorf("%v mail at stage %d: %v; at the connection there may be a login yet", c.class, c.stage, got)
		}
	}
}

func TestMistakesOfLists(t *testing.T) {
	c := DefaultConfig()
	c.Check(func(key, problem string) { t.Errorf("the defaults: %s %s", key, problem) })
	c.DNSBL.Enabled = true
	c.DNSBL.OnFailure, c.DNSBL.Weight = osm.Reject, 0
	c.DNSBL.Lists = []ListConfig{{Zone: "no dots"}, {Zone: "a.example", Of: []string{"cats"}}, {Zone: "A.example.", Codes: map[string]string{"128.0.0.1": "x", "&256": "y"}},
		{Zone: "b.example", Weight: -1, PerDay: -1}}
	c.DNS.Servers = []string{"localhost"}
	c.Greylist.Classes, c.Greylist.Action = []osm.Class{osm.Local}, osm.Reject
	c.OwnSPF.Against, c.OwnSPF.Addresses = []string{"pass"}, []string{"10.0.0.1"}
	c.Own.Jitter = c.Own.Every
	var got []string
	c.Check(func(key, problem string) { got = append(got, key) })
	slices.Sort(got)
	want := "dns.servers[0] dnsbl.list[0].zone dnsbl.list[1].of[0] dnsbl.list[2].codes dnsbl.list[2].codes dnsbl.list[2].zone dnsbl.list[3].per_day " +
		"dnsbl.list[3].weight dnsbl.on_failure dnsbl.weight greylist.action greylist.classes own.jitter own_spf.addresses own_spf.against"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("reported:\n%s\nwant:\n%s", s, want)
	}
}

func TestKnownListsWithKeys(t *testing.T) {
	for zone, want := range map[string]string{"zen.spamhaus.org": "pbl", "abcdef123.zen.dq.spamhaus.net": "pbl", "other.example": "", "zen.spamhaus.org.example": ""} {
		if l := (ListConfig{Zone: zone}).complete(); l.Codes["127.0.0.10"] != want {
			t.Errorf("%s: %v", zone, l.Codes)
		}
	}
	for zone, l := range knownLists() {
		l.Zone = zone
		l.check(func(key, problem string) { t.Errorf("%s: %s %s", zone, key, problem) })
	}
}

// BenchmarkListedFromMemory is one verdict of three lists about a client that one of them has.
func BenchmarkListedFromMemory(b *testing.B) {
	v := newBench(b, withLists(osm.Reject, ListConfig{Zone: "zen.spamhaus.org"}, ListConfig{Zone: "bl.example"}, ListConfig{Zone: "dbl.spamhaus.org"}))
	v.zone.lists("9.2.0.192.zen.spamhaus.org", "127.0.0.4")
	r := &Request{Stage: AtData, Message: from("192.0.2.9")}
	r.Message.Helo, r.Message.Sender = "mail.sender.example", "a@sender.example"
	v.at(r)
	b.ReportAllocs()
	for b.Loop() {
		o := osm.Opinions{}
		v.Look(b.Context(), r, &o)
		if o.Verdict.Action != osm.Reject {
			b.Fatal(o)
		}
	}
}

// TestSlowStrangersLeaveListsAlone: questions about names that strangers chose may be many and slow; lists have room of their own.
func TestSlowStrangersLeaveListsAlone(t *testing.T) {
	b := newBench(t, func(c *Config) {
		withLists(osm.Reject, ListConfig{Zone: "bl.example"})(c)
		c.SPF.Enabled, c.DNS.Timeout = true, osm.Duration(10*time.Second)
		c.SPF.Deadline = osm.Duration(100 * time.Millisecond)
	})
	b.resolver.others = make(chan struct{}, 1)
	b.zone.lists("9.2.0.192.bl.example", "127.0.0.2")
	arrived, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	b.zone.does("slow.example", func(a *answering) { arrived <- struct{}{}; <-release; a.send() })
	go b.resolver.LookupTXT(context.WithoutCancel(t.Context()), "slow.example") // it takes all the room there is
	<-arrived
	o := b.look(from("192.0.2.9"))
	if !slices.Equal(o.Failed, []string{"spf"}) || len(o.Listings) != 1 || o.Verdict.Rule != "check-dnsbl" || len(o.Verdict.Findings) != 1 {
		t.Errorf("%+v", o)
	}
	if n := b.zone.times("sender.example", dns.TypeTXT); n > 0 {
		t.Error("there was no room, and it was asked")
	}
}
