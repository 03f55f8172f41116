package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"osm"
	"osm/check"
	"osm/config"
	"osm/lab"
	"osm/policy"
	"osm/web"
)

// blockList answers for the zone bl.example on loopback: entries are listed; a question about the one in slow waits for
// release. It returns its address.
func blockList(t *testing.T, entries []string, slow string, arrived, release chan struct{}) string {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{PacketConn: packets, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		name := q.Question[0].Name
		a := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
		if slow != "" && strings.HasPrefix(name, slow) {
			arrived <- struct{}{}
			<-release
		}
		for _, entry := range entries {
			if name == entry+".bl.example." {
				a.Rcode = dns.RcodeSuccess
				a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.IPv4(127, 0, 0, 2)}}
			}
		}
		w.WriteMsg(a)
	})}
	go server.ActivateAndServe() // ends at Shutdown
	<-started
	t.Cleanup(func() { server.Shutdown() })
	return packets.LocalAddr().String()
}

// listing makes a configuration look clients up in that list.
func listing(server string, action osm.Action) func(*config.Config) {
	return func(c *config.Config) {
		c.Check.DNS.Servers = []string{server}
		c.Check.DNSBL.Enabled, c.Check.DNSBL.Action = true, action
		c.Check.DNSBL.Lists = []check.ListConfig{{Zone: "bl.example"}}
	}
}

// question is one about a login's mail from an address.
func question(state policy.State, id, login, client string) *policy.Request {
	return &policy.Request{State: state, UID: -1, Recipient: "x@far.example", Message: osm.Message{ID: id, Login: login, Client: netip.MustParseAddr(client),
		Sender: "a@shop.example", Recipients: []string{"x@far.example"}}}
}

// TestChecksDecide: what the checks ask for is weighed with the lists and the rules; the administrator's word stands above it.
func TestChecksDecide(t *testing.T) {
	server := blockList(t, []string{"9.2.0.192", "8.2.0.192"}, "", nil, nil)
	s := idleSession(t, func(c *config.Config) {
		listing(server, osm.Reject)(c)
		c.Rules = []policy.Rule{{Name: "vip", When: `login == "vip@shop.example"`, Action: osm.Accept},
			{Name: "by-fact", When: `"bl.example" in dnsbl && dnsbl_weight == 1 && login == "odd@shop.example"`, Action: osm.Discard}}
	})
	id := 0
	ask := func(state policy.State, login, client string) osm.Verdict {
		id++
		return s.ask(t.Context(), question(state, messageID(time.Now(), id), login, client))
	}
	for _, c := range []struct {
		state         policy.State
		login, client string
		action        osm.Action
		rule          string
	}{
		{policy.Data, "bob@shop.example", "192.0.2.7", osm.Accept, ""},
		{policy.Data, "bob@shop.example", "192.0.2.9", osm.Reject, "check-dnsbl"},
		{policy.Rcpt, "bob@shop.example", "192.0.2.9", osm.Reject, "check-dnsbl"},
		{policy.Connect, "", "192.0.2.9", osm.Accept, ""}, // it may be the one whom a rule accepts
		{policy.Rcpt, "vip@shop.example", "192.0.2.9", osm.Accept, ""},
		{policy.Data, "vip@shop.example", "192.0.2.9", osm.Accept, "vip"},
		{policy.Data, "odd@shop.example", "192.0.2.9", osm.Discard, "by-fact"},
	} {
		if v := ask(c.state, c.login, c.client); v.Action != c.action || v.Rule != c.rule || v.Stops() && (v.ID == "" || c.rule == "check-dnsbl" && !strings.Contains(v.Detail, "bl.example")) {
			t.Errorf("%v %s %s: %+v", c.state, c.login, c.client, v)
		}
	}
	if _, err := s.order(web.Order{What: policy.Allow, Key: osm.Key{Kind: osm.KeyClient, Value: "192.0.2.9"}, Reason: "ours"}, "root", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, state := range []policy.State{policy.Connect, policy.Data} {
		if v := ask(state, "bob@shop.example", "192.0.2.9"); v.Action != osm.Accept || v.Rule != "allow-list" {
			t.Errorf("%v from an allowed address: %+v", state, v)
		}
	}
	if err := s.engine.Policy.SetRules(nil); err != nil {
		t.Fatal(err)
	}
	if v := ask(policy.Connect, "", "192.0.2.8"); v.Action != osm.Reject || v.Rule != "check-dnsbl" {
		t.Errorf("at the connection, without a rule that may accept: %+v", v)
	}
	if o := s.opinions(); o == nil || o.Checks[0].Name != "dnsbl" || o.Checks[0].Asked == 0 || len(o.Servers) != 1 {
		t.Errorf("the status tells %+v", o)
	}
}

// TestCheckOnTrial only reports.
func TestCheckOnTrial(t *testing.T) {
	server := blockList(t, []string{"9.2.0.192"}, "", nil, nil)
	s := idleSession(t, func(c *config.Config) {
		listing(server, osm.Reject)(c)
		c.Check.DNSBL.Shadow = true
	})
	if v := s.ask(t.Context(), question(policy.Rcpt, "", "bob@shop.example", "192.0.2.9")); v.Action != osm.Accept {
		t.Errorf("at RCPT: %+v", v)
	}
	if v := s.ask(t.Context(), question(policy.Data, "1", "bob@shop.example", "192.0.2.9")); v.Stops() || !v.Shadow || v.Rule != "check-dnsbl" || v.ID == "" {
		t.Errorf("%+v", v)
	}
}

// TestSlowCheckHoldsUpNobodyElse: the engine's mutex is free while a check waits.
func TestSlowCheckHoldsUpNobodyElse(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	server := blockList(t, []string{"9.2.0.192"}, "9.2.0.192", arrived, release)
	s := idleSession(t, func(c *config.Config) {
		listing(server, osm.Reject)(c)
		c.Check.DNSBL.Deadline, c.Check.DNS.Timeout = osm.Duration(time.Minute), osm.Duration(10*time.Second)
		c.Check.DNSBL.Classes = []osm.Class{osm.Login}
	})
	var slow osm.Verdict
	var wait sync.WaitGroup
	wait.Go(func() { slow = s.ask(t.Context(), question(policy.Data, "1", "bob@shop.example", "192.0.2.9")) })
	<-arrived
	if v := s.ask(t.Context(), question(policy.Data, "2", "bob@shop.example", "10.0.0.1")); v.Action != osm.Accept {
		t.Errorf("another question: %+v", v)
	}
	if v := s.ask(t.Context(), question(policy.Data, "3", "", "192.0.2.9")); v.Action != osm.Accept {
		t.Errorf("a class that is not asked about: %+v", v)
	}
	close(release)
	if wait.Wait(); slow.Action != osm.Reject {
		t.Errorf("the slow one: %+v", slow)
	}
}

// TestEximIsNotKeptWaiting: it would give up, and the mail would go its way whatever on_failure says.
func TestEximIsNotKeptWaiting(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	defer close(release)
	server := blockList(t, nil, "9.2.0.192", arrived, release)
	s := idleSession(t, func(c *config.Config) {
		listing(server, osm.Reject)(c)
		c.Check.DNSBL.Deadline, c.Check.DNS.Timeout, c.Check.DNSBL.OnFailure = osm.Duration(time.Minute), osm.Duration(10*time.Second), osm.Hold
	})
	q := question(policy.Data, "1", "bob@shop.example", "192.0.2.9")
	q.UID = 101
	if v := s.ask(t.Context(), q); v.Action != osm.Hold || v.Reason != "failed" { // a hanging test would be the failure
		t.Errorf("%+v", v)
	}
	if c := s.opinions().Checks; c[0].Failed != 1 || c[1].Failed != 1 {
		t.Errorf("that is a failure: %+v", c)
	}
}

// TestListedSenderIsRefusedByExim: the reason reaches the client, through a real Exim.
func TestListedSenderIsRefusedByExim(t *testing.T) {
	w := newWorld(t, false)
	server := blockList(t, []string{"evil.example"}, "", nil, nil)
	listing(server, osm.Reject)(&w.cfg)
	w.cfg.Check.DNSBL.Lists[0].Of = []string{check.OfSender}
	w.serve()
	send := func(sender, to string) error {
		return w.exim.Deliver(within(t), w.exim.SMTP(), lab.Caller{}, sender, []string{to}, "Subject: offer\n\ntext\n")
	}
	if err := send("a@evil.example", "one@far.example"); err == nil || !strings.Contains(err.Error(), "evil.example is listed by bl.example") {
		t.Errorf("%v", err)
	}
	if err := send("a@good.example", "two@far.example"); err != nil {
		t.Error(err)
	}
	w.until("the other one has arrived", func() bool { return w.sink.To("two@far.example") == 1 })
	if w.sink.To("one@far.example") > 0 {
		t.Error("what was refused has arrived")
	}
}

// TestGreylistingOutlivesTheDaemon, makes no incident, and spares logins with a past.
func TestGreylistingOutlivesTheDaemon(t *testing.T) {
	dir := t.TempDir()
	change := func(c *config.Config) {
		c.Check.DNS.Servers = []string{"127.0.0.1:9"} // nobody needs one
		c.Check.Greylist.Enabled = true
		c.Check.Greylist.Classes = append(c.Check.Greylist.Classes, osm.Login)
		c.Rules = []policy.Rule{{Name: "seen", When: `greylist == "early"`, Action: osm.Reject, Classes: osm.Classes()},
			{Name: "known", When: `greylist == "known"`, Action: osm.Discard, Classes: osm.Classes()}}
	}
	d := start(t, dir, change)
	ask := func(login string) string {
		return d.ask("protocol_state=DATA\nclient_address=192.0.2.1\nsasl_username=%s\nsender=a@far.example\nrecipient=x@here.example", login)
	}
	if got := ask("stranger"); !strings.HasPrefix(got, "action=DEFER 4.7.1 greylisted: please try again in 5m") {
		t.Fatal(got)
	}
	var incidents []any
	if err := d.control("GET", "incidents", nil, &incidents); err != nil || len(incidents) > 0 {
		t.Errorf("greylisting is an incident: %v, %v", incidents, err)
	}
	d.stop()
	d = start(t, dir, change)
	if got := ask("stranger"); !strings.HasPrefix(got, "action=REJECT") {
		t.Errorf("after a restart: %s", got)
	}
	const past = "user0@here.example" // the log begins with mail of his
	got := d.ask("protocol_state=DATA\nclient_address=192.0.2.77\nsasl_username=%s\nsender=b@far.example\nrecipient=x@here.example", past)
	if !strings.HasPrefix(got, "action=DISCARD") {
		t.Errorf("a login with a past: %s", got)
	}
}

// TestReloadedChecks are switched on and off without a restart; what greylisting has seen goes on being known.
func TestReloadedChecks(t *testing.T) {
	dir, server := t.TempDir(), blockList(t, []string{"9.2.0.192"}, "", nil, nil)
	d := start(t, dir, nil)
	id := 70100
	ask := func(client string) string {
		id++
		return d.ask("protocol_state=DATA\nclient_address="+client+"\nsasl_username=stranger\nsender=a@far.example\nrecipient=x@here.example\nqueue_id=%s", messageID(d.log.at, id))
	}
	reload := func(dnsbl, grey bool) *web.Reloaded {
		writeFile(t, dir, "osm.toml", fmt.Sprintf(`
[[rule]]
name = "seen"
when = 'greylist == "early"'
action = "discard"
[check.dns]
servers = [%q]
[check.dnsbl]
enabled = %v
action = "reject"
list = [{zone = "bl.example"}]
[check.greylist]
enabled = %v
classes = ["login"]
`, server, dnsbl, grey))
		var r web.Reloaded
		if err := d.control(http.MethodPost, "reload", nil, &r); err != nil {
			t.Fatal(err)
		}
		return &r
	}
	if got := ask("192.0.2.9"); got != "action=DUNNO" {
		t.Errorf("without checks: %s", got)
	}
	if r := reload(true, true); !slices.Contains(r.Changed, "check.dnsbl.enabled") || slices.ContainsFunc(r.Restart, func(name string) bool { return strings.HasPrefix(name, "check") }) {
		t.Errorf("%+v", r)
	}
	if got := ask("192.0.2.9"); !strings.HasPrefix(got, "action=REJECT") || !strings.Contains(got, "bl.example") {
		t.Errorf("from a listed address: %s", got)
	}
	if got := ask("198.51.100.1"); !strings.HasPrefix(got, "action=DEFER 4.7.1 greylisted") {
		t.Errorf("a stranger: %s", got)
	}
	if r := reload(false, true); !slices.Equal(r.Changed, []string{"check.dnsbl.enabled"}) {
		t.Errorf("%+v", r)
	}
	if got := ask("198.51.100.1"); !strings.HasPrefix(got, "action=DISCARD") {
		t.Errorf("a stranger who came before the reload: %s", got)
	}
	reload(false, false)
	if got := ask("192.0.2.9"); got != "action=DUNNO" {
		t.Errorf("with all checks switched off: %s", got)
	}
}

// TestOwnAddressListed: the administrator is told, with the names of those who may be the reason.
func TestOwnAddressListed(t *testing.T) {
	server := blockList(t, []string{"5.113.0.203"}, "", nil, nil)
	s := idleSession(t, func(c *config.Config) {
		c.Check.DNS.Servers = []string{server}
		c.Check.Own.Enabled, c.Check.Own.Addresses, c.Check.Own.Lists = true, []string{"203.0.113.5"}, []string{"bl.example"}
		c.Alert.Run = []string{"/bin/true"}
	})
	s.alarm.note(suspicious(1, time.Now(), osm.Hold), time.Now())
	<-s.alarm.wake // from its configuration
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { s.watchOwn(ctx) })
	<-s.alarm.wake
	cancel()
	wait.Wait()
	letters := s.alarm.outbox.Letters()
	if len(letters) != 1 {
		t.Fatalf("%+v", letters)
	}
	a := letters[0].Alert
	if subject := a.Subject(); !strings.HasSuffix(subject, "this server's address 203.0.113.5 is on the block list bl.example") {
		t.Error(subject)
	}
	who := suspicious(1, time.Now(), osm.Hold).Verdict
	for _, want := range []string{who.Key.String(), who.Rule, "127.0.0.2"} {
		if !strings.Contains(a.Text(), want) {
			t.Errorf("no %q in\n%s", want, a.Text())
		}
	}
	if l := s.opinions().Listings; len(l) != 1 || len(l[0].Suspects) != 1 || !s.checks.Load().Changed() {
		t.Errorf("%+v", l)
	}
}

// TestDoctorTellsOfChecks: what is wrong is said in words, with the reason; what works is one line.
func TestDoctorTellsOfChecks(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	o := &web.Opinions{Listings: []check.Listed{{Address: "203.0.113.5", List: "bl.example", Code: "127.0.0.2", Name: "spam", Since: at,
		Suspects: []check.Suspect{{Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}, Rule: "burst", Messages: 400, Incident: "IABC"}}},
		{Address: "203.0.113.5", List: "old.example", Since: at, Until: at}}}
	o.Notices = []string{"no public address"}
	o.Servers = []check.ServerStat{{Server: "192.0.2.53:53", Dead: true, Error: "timeout"}, {Server: "192.0.2.54:53", Asked: 100, Slow: 50}, {Server: "192.0.2.55:53", Asked: 100}}
	o.Checks = []check.Stat{{Name: "dnsbl zen.spamhaus.org", Asked: 9, Failed: 5, Open: true, Error: "answers 127.255.255.254: public resolver", Last: at},
		{Name: "dnsbl bl.example", Asked: 9, Passed: 4, Error: "as many as allowed", Last: at}, {Name: "spf", Asked: 1000, Cached: 900, Failed: 3, Last: at}}
	var got strings.Builder
	for _, f := range examineChecks(o) {
		fmt.Fprintln(&got, f.State, f.About, f.Text, f.Lines)
	}
	for _, want := range []string{"problem checks no public address", "problem resolver 192.0.2.53:53 does not answer", "notice resolver 192.0.2.54:53 is slow",
		"problem check dnsbl zen.spamhaus.org is not asked for a while, it has failed again and again: answers 127.255.255.254: public resolver",
		"notice check dnsbl bl.example 0 of 9 questions failed, 4 were not put", "ok check spf asked 1000 times, 900 answered from memory",
		"problem own addresses 203.0.113.5 is on bl.example (127.0.0.2 spam) since 2026-11-23 12:00:00 [suspect: login:bob, burst, 400 messages, incident IABC]"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no %q in\n%s", want, got.String())
		}
	}
	if n := strings.Count(got.String(), "\n"); n != 7 {
		t.Errorf("%d findings:\n%s", n, got.String())
	}
	if len(examineChecks(nil)) > 0 {
		t.Error("something is told of checks that there are not")
	}
}

// TestContentReachesTheChecks: what an asker inside osm brings is looked at.
func TestContentReachesTheChecks(t *testing.T) {
	server := blockList(t, []string{"evil.example"}, "", nil, nil)
	s := idleSession(t, func(c *config.Config) {
		listing(server, osm.Reject)(c)
		c.Check.DNSBL.Lists[0].Of = []string{check.OfLink}
	})
	q := question(policy.Data, "1", "bob@shop.example", "192.0.2.7")
	q.Content, q.Whole = []byte("From: bob@shop.example\r\n\r\nlook at http://www.evil.example/x\r\n"), true
	if v := s.ask(t.Context(), q); v.Action != osm.Reject || !strings.Contains(v.Detail, "evil.example is listed by bl.example") {
		t.Errorf("%+v", v)
	}
	if s.checks.Load().Limit() == 0 {
		t.Error("nobody would bring the content")
	}
}
