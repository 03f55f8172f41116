package enrich

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"osm"
	"osm/exim"
)

// server is a hosting server that knows its domains, as a panel does.
func server(complete bool) Owners {
	owners := map[string]string{"alice.example": "alice", "bob.example": "bob", "lists.example": "bob"}
	return Owners{
		Domain: func(d string) string { return owners[d] },
		Path: func(p string) string {
			if rest, ok := strings.CutPrefix(p, "/home/"); ok {
				name, _, _ := strings.Cut(rest, "/")
				return name
			}
			return ""
		},
		Local:    func(d string) bool { return owners[d] != "" },
		Complete: func() bool { return complete },
		Person:   func(u string) bool { return u == "alice" || u == "bob" },
	}
}

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func newEnricher(complete bool) *Enricher {
	return New(Options{Owners: server(complete), Addresses: []netip.Addr{addr("203.0.113.1"), addr("2001:db8::1")},
		Config: Config{Domains: []string{"Own.Example"}, Own: []string{"198.51.100.0/29"}, Relays: []string{"192.0.2.200"}}})
}

func TestClassAndAccount(t *testing.T) {
	script := func(path string) osm.Script { return osm.Script{Path: path, Sure: osm.Exact} }
	for _, c := range []struct {
		name    string
		m       osm.Message
		class   osm.Class
		account string
	}{
		{"login",
			osm.Message{Login: "info@Alice.Example", Client: addr("192.0.2.1"), Sender: "x@y.example"},
			osm.Login, "alice"},
		{"login of no domain", osm.Message{Login: "bob", Client: addr("192.0.2.1")}, osm.Login, "bob"},
		{"login of a foreign domain",
			osm.Message{Login: "a@far.example", Client: addr("192.0.2.1")},
			osm.Login, "a@far.example"},
		{"login from this machine", osm.Message{Login: "a@bob.example", Client: addr("127.0.0.1")}, osm.Login, "bob"},
		{"login with the null sender is no bounce",
			osm.Message{Login: "a@bob.example", Client: addr("192.0.2.1"), Sender: ""},
			osm.Login, "bob"},
		{"login with a list's sender is no list",
			osm.Message{Login: "a@bob.example", Sender: "l-bounces@bob.example"},
			osm.Login, "bob"},

		{"script",
			osm.Message{User: "alice", Sender: "a@b.example", Script: script("/home/alice/public_html")},
			osm.Local, "alice"},
		{"script in another's folder: the kernel's word counts",
			osm.Message{User: "alice", Sender: "a@b", Script: script("/home/bob/x")},
			osm.Local, "alice"},
		{"script of the web server's user",
			osm.Message{User: "www-data", Sender: "a@b", Script: script("/home/bob/public_html")},
			osm.Local, "bob"},
		{"script of the web server in its own folder",
			osm.Message{User: "www-data", Sender: "a@b", Script: script("/var/www/html")},
			osm.Local, "www-data"},
		{"script without a folder", osm.Message{User: "nobody", Sender: "a@b"}, osm.Local, "nobody"},
		{"script with the null sender is no bounce",
			osm.Message{User: "alice", Script: script("/home/alice/x")},
			osm.Local, "alice"},
		{"script that claims to answer a message",
			osm.Message{User: "alice", Parent: "1xVPMa-0000Tw-18", Script: script("/home/alice/x")},
			osm.Local, "alice"},
		{"script with a list's sender is no list",
			osm.Message{User: "alice", Sender: "l-bounces@alice.example"},
			osm.Local, "alice"},
		{"script that says it is cron",
			osm.Message{User: "alice", Sender: "a@b", Subject: "Cron <alice@h> x",
				Recipients: []string{"a@far.example"}},
			osm.Local, "alice"},
		{"script that says it is cron, to others",
			osm.Message{User: "alice", Subject: "Cron <alice@h> x", Recipients: []string{"alice@alice.example",
				"a@far.example"}},
			osm.Local, "alice"},

		{"bounce",
			osm.Message{User: "Debian-exim", Parent: "1xVPMa-0000Tw-18", Script: script("/var/spool/exim4")},
			osm.Bounce, ""},
		{"bounce on cPanel", osm.Message{User: "mailnull"}, osm.Bounce, ""},
		{"automatic reply",
			osm.Message{User: "alice", Parent: "1xVPMa-0000Tw-18", Script: script("/var/spool/exim4")},
			osm.Bounce, ""},
		{"Exim's own word to the administrator",
			osm.Message{User: "Debian-exim", Sender: "postmaster@own.example"},
			osm.System, ""},
		{"root", osm.Message{User: "root", Sender: "root@own.example", Script: script("/root")}, osm.System, "root"},
		{"root with the null sender", osm.Message{User: "root"}, osm.System, "root"},
		{"cron's report",
			osm.Message{User: "alice", Sender: "alice@own.example", Subject: "Cron <alice@h> backup",
				Recipients: []string{"alice@own.example"}},
			osm.System, "alice"},
		{"mailing list by its user",
			osm.Message{User: "mailman", Sender: "news-bounces@lists.example"},
			osm.List, "bob"},
		{"mailing list by SMTP",
			osm.Message{Client: addr("127.0.0.1"), Sender: "news-bounces+a=b.example@lists.example"},
			osm.List, "bob"},
		{"a foreign list's sender from this machine",
			osm.Message{Client: addr("127.0.0.1"), Sender: "news-bounces@far.example"},
			osm.Localhost, ""},

		{"localhost", osm.Message{Client: addr("127.0.0.2"), Sender: "a@alice.example"}, osm.Localhost, ""},
		{"localhost IPv6", osm.Message{Client: addr("::1"), Sender: "a@b"}, osm.Localhost, ""},
		{"localhost, null sender", osm.Message{Client: addr("127.0.0.1")}, osm.Localhost, ""},
		{"an address of ours", osm.Message{Client: addr("203.0.113.1"), Sender: "a@b"}, osm.Localhost, ""},
		{"a configured address of ours", osm.Message{Client: addr("198.51.100.5"), Sender: "a@b"}, osm.Localhost, ""},

		{"inbound",
			osm.Message{Client: addr("192.0.2.9"), Sender: "a@far.example", Recipients: []string{"x@Bob.example"}},
			osm.Inbound, "bob"},
		{"inbound, nothing known of the recipients",
			osm.Message{Client: addr("192.0.2.9"), Sender: "a@far.example"},
			osm.Inbound, ""},
		{"inbound of a list is no list",
			osm.Message{Client: addr("192.0.2.9"), Sender: "l-bounces@far.example",
				Recipients: []string{"x@bob.example"}},
			osm.Inbound, "bob"},
		{"bounce from outside",
			osm.Message{Client: addr("192.0.2.9"), Recipients: []string{"x@bob.example"}},
			osm.Bounce, ""},
		{"relay to a foreign domain",
			osm.Message{Client: addr("192.0.2.9"), Sender: "a@alice.example", Recipients: []string{"x@far.example"}},
			osm.Relay, ""},
		{"relay to one foreign domain of two",
			osm.Message{Client: addr("192.0.2.9"), Sender: "a@b", Recipients: []string{"x@bob.example",
				"x@far.example"}},
			osm.Relay, ""},
		{"relay with the null sender",
			osm.Message{Client: addr("192.0.2.9"), Recipients: []string{"x@far.example"}},
			osm.Relay, ""},
		{"a relay host", osm.Message{Client: addr("192.0.2.200"), Sender: "a@b"}, osm.Relay, ""},
		{"a relay host to a local domain",
			osm.Message{Client: addr("192.0.2.200"), Sender: "a@b", Recipients: []string{"x@own.example"}},
			osm.Inbound, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.m
			newEnricher(true).Message(&m)
			if m.Class != c.class || m.Account != c.account {
				t.Errorf("class %s, account %q; want %s, %q", m.Class, m.Account, c.class, c.account)
			}
			if m.Class == osm.Bounce && m.Script.Path != "" {
				t.Errorf("a bounce comes from the script %q", m.Script.Path)
			}
		})
	}
}

func TestListSender(t *testing.T) {
	for sender, want := range map[string]bool{"news-bounces@x": true, "news-bounces+bob=far.example@x": true, "news-owner@x": true,
		"news-request@x": true, "owner-news@x": true, "news-return-12-bob=far.example@x": true, "news+bounces-3@x": true,
		"bob@x": false, "-bounces@x": false, "bounces@x": false, "news-ownership@x": false, "": false, "news-bounces": false,
		"my-requests@x": false} {
		if got := listSender(sender); got != want {
			t.Errorf("listSender(%q) = %v", sender, got)
		}
	}
}

// inbound is a message from outside whose recipients are not logged.
func inbound(e *Enricher, client string) *osm.Message {
	m := &osm.Message{Client: addr(client), Sender: "a@far.example"}
	e.Message(m)
	return m
}

func TestDeliveryRefinesClass(t *testing.T) {
	for _, c := range []struct {
		name    string
		d       osm.Delivery
		class   osm.Class
		account string
		remote  bool
	}{
		{"to a mailbox",
			osm.Delivery{Recipient: "x@bob.example", Original: "x@bob.example", Transport: "virtual_userdelivery"},
			osm.Inbound, "", false},
		{"forwarded",
			osm.Delivery{Recipient: "x@gmail.example", Original: "x@bob.example", Transport: "remote_smtp",
				IP: addr("192.0.2.30")},
			osm.Forward, "bob", true},
		{"forwarded, not yet taken",
			osm.Delivery{Outcome: osm.Deferred, Recipient: "x@gmail.example", Original: "x@bob.example",
				Transport: "remote_smtp", IP: addr("192.0.2.30")},
			osm.Forward, "bob", true},
		{"relayed",
			osm.Delivery{Recipient: "x@gmail.example", Original: "x@gmail.example", Transport: "remote_smtp",
				IP: addr("192.0.2.30")},
			osm.Relay, "", true},
		{"through a gateway, by its address",
			osm.Delivery{Recipient: "x@corp.example", Original: "x@corp.example", Transport: "smtp",
				IP: addr("10.1.2.3")},
			osm.Inbound, "", true},
		{"through a gateway, by its domain",
			osm.Delivery{Recipient: "x@bob.example", Original: "X@bob.example", Transport: "smtp",
				IP: addr("192.0.2.30")},
			osm.Inbound, "", true},
		{"by LMTP",
			osm.Delivery{Recipient: "x@bob.example", Original: "x@bob.example", Transport: "dovecot_lmtp",
				IP: addr("127.0.0.1")},
			osm.Inbound, "", false},
		{"alias by LMTP",
			osm.Delivery{Recipient: "y@bob.example", Original: "x@bob.example", Transport: "dovecot_lmtp",
				IP: addr("127.0.0.1")},
			osm.Inbound, "", false},
		{"to a pipe",
			osm.Delivery{Recipient: "|/bin/prog", Original: "x@bob.example", Transport: "address_pipe"},
			osm.Inbound, "", false},
		{"a system filter's copy",
			osm.Delivery{Recipient: "x@far.example", Original: "system-filter", Transport: "remote_smtp",
				IP: addr("192.0.2.30")},
			osm.Inbound, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnricher(false)
			m := inbound(e, "192.0.2.9")
			d := c.d
			e.Delivery(m, &d)
			if m.Class != c.class || m.Account != c.account || d.Remote != c.remote {
				t.Errorf("class %s, account %q, remote %v; want %s, %q, %v", m.Class, m.Account, d.Remote, c.class, c.account, c.remote)
			}
		})
	}
}

// Only what came from outside can become forward or relay.
func TestDeliveryKeepsOtherClasses(t *testing.T) {
	for _, m := range []osm.Message{{Login: "a@bob.example", Client: addr("192.0.2.1")}, {User: "alice", Sender: "a@b"}, {User: "root"},
		{Client: addr("127.0.0.1"), Sender: "a@b"}, {Client: addr("192.0.2.9"), Recipients: []string{"x@bob.example"}}} {
		e := newEnricher(true)
		e.Message(&m)
		before := m.Class
		e.Delivery(&m, &osm.Delivery{Recipient: "x@gmail.example", Original: "x@bob.example", Transport: "remote_smtp", IP: addr("192.0.2.30")})
		e.Delivery(&m, &osm.Delivery{Recipient: "x@gmail.example", Original: "x@gmail.example", Transport: "remote_smtp", IP: addr("192.0.2.30")})
		if m.Class != before {
			t.Errorf("%s became %s", before, m.Class)
		}
	}
}

// With nothing configured and no panel a server teaches what is local and who relays.
func TestLearning(t *testing.T) {
	e := New(Options{})
	class := func(m osm.Message) osm.Class { e.Message(&m); return m.Class }
	toHere := func(d string) osm.Message {
		return osm.Message{Client: addr("192.0.2.9"), Sender: "a@far.example", Recipients: []string{"x@" + d}}
	}
	relayed := osm.Message{Client: addr("192.0.2.50"), Sender: "printer@corp.example", Recipients: []string{"x@gmail.example"}}

	if got := class(relayed); got != osm.Inbound {
		t.Fatalf("before anything is known: %s", got)
	}
	m := relayed
	e.Message(&m)
	e.Delivery(&m, &osm.Delivery{Recipient: "x@gmail.example", Original: "x@gmail.example", Transport: "remote_smtp", IP: addr("192.0.2.30")})
	if m.Class != osm.Relay || class(relayed) != osm.Relay {
		t.Errorf("a host that relays is not known afterwards: %s, %s", m.Class, class(relayed))
	}
	m = toHere("mine.example")
	e.Message(&m)
	e.Delivery(&m, &osm.Delivery{Outcome: osm.Delivered, Recipient: "x@mine.example", Original: "x@mine.example", Transport: "local_delivery"})
	if !e.local("mine.example") {
		t.Error("a domain with a mailbox here is not known as local")
	}
	fromRelay := toHere("mine.example")
	fromRelay.Client = relayed.Client
	if got := class(fromRelay); got != osm.Inbound {
		t.Errorf("mail of a relay host for a local domain is %s", got)
	}

	// A failed local delivery teaches nothing, and neither does a script's own mail.
	m = toHere("other.example")
	e.Message(&m)
	e.Delivery(&m, &osm.Delivery{Outcome: osm.Failed, Recipient: "x@other.example", Original: "x@other.example", Transport: "local_delivery"})
	m = osm.Message{User: "alice", Sender: "a@b"}
	e.Message(&m)
	e.Delivery(&m, &osm.Delivery{Outcome: osm.Delivered, Recipient: "x@other.example", Original: "x@other.example", Transport: "devnull"})
	if e.local("other.example") {
		t.Error("other.example is taken for local")
	}

	// A login's domain is local until mail for it is seen to leave.
	class(osm.Message{Login: "bob@people.example", Client: addr("192.0.2.60")})
	if !e.local("people.example") {
		t.Error("a login's domain is not local")
	}
	m = osm.Message{User: "alice", Sender: "a@b"}
	e.Message(&m)
	e.Delivery(&m, &osm.Delivery{Recipient: "x@people.example", Original: "x@people.example", Transport: "remote_smtp", IP: addr("192.0.2.31")})
	class(osm.Message{Login: "bob@people.example", Client: addr("192.0.2.60")})
	if e.local("people.example") {
		t.Error("a domain whose mail goes elsewhere is local because somebody logs in with it")
	}
}

func TestLearningIsBounded(t *testing.T) {
	e := New(Options{})
	for i := range 2 * maxDomains {
		m := osm.Message{Client: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Sender: "a@b"}
		e.Message(&m)
		to := fmt.Sprintf("x@d%d.example", i)
		e.Delivery(&m, &osm.Delivery{Recipient: to, Original: to, Transport: "local_delivery"})
		e.Delivery(&m, &osm.Delivery{Recipient: "x@far.example", Original: "x@far.example", Transport: fmt.Sprint("smtp", i), IP: addr("192.0.2.1")})
	}
	if len(e.learned.domains) > maxDomains || len(e.learned.clients) > maxRelays || len(e.learned.transports) > maxTransports {
		t.Errorf("%d domains, %d hosts, %d transports", len(e.learned.domains), len(e.learned.clients), len(e.learned.transports))
	}
}

// An attempt that never reached a host is known to be remote by its transport.
// What is learned is not a part of a line: its memory is used for other lines later, or would be kept for a name.
func TestLearningKeepsNoLine(t *testing.T) {
	e := New(Options{})
	e.learned.login("ours.example")
	line := []byte("ours.example")
	e.learned.delivered(unsafe.String(&line[0], len(line)))
	copy(line, "xxxxxxxxxxxx")
	if !e.local("ours.example") || len(e.learned.domains) != 1 {
		t.Errorf("learned: %v", e.learned.domains)
	}
	for domain := range e.learned.domains {
		if domain != "ours.example" {
			t.Errorf("the domain's name is now %q", domain)
		}
	}
}

func TestRemote(t *testing.T) {
	e := New(Options{})
	m := osm.Message{User: "alice", Sender: "a@b"}
	refused := osm.Delivery{Outcome: osm.Deferred, Recipient: "x@y", Original: "x@y", Transport: "dkim_remote_smtp", Text: "Connection refused"}
	e.Delivery(&m, &refused)
	if refused.Remote || refused.Refusal != osm.Connection {
		t.Errorf("before: %+v", refused)
	}
	e.Delivery(&m, &osm.Delivery{Recipient: "x@y", Original: "x@y", Transport: "dkim_remote_smtp", IP: addr("192.0.2.1")})
	e.Delivery(&m, &refused)
	if !refused.Remote {
		t.Errorf("after: %+v", refused)
	}
	for transport, want := range map[string]bool{"remote_smtp": true, "sink": true, "nonlocal_smtp": true, "dovecot_LMTP": false,
		"local_smtp": false, "": false} {
		d := osm.Delivery{Recipient: "x@y", Original: "x@y", Transport: transport, IP: addr("127.0.0.1")}
		if e.Delivery(&m, &d); d.Remote != want {
			t.Errorf("transport %q with a host: remote %v", transport, d.Remote)
		}
	}
}

func TestRefusalOnlyWhenRefused(t *testing.T) {
	e := New(Options{})
	for outcome, want := range map[osm.Outcome]osm.Refusal{osm.Delivered: osm.NotRefused, osm.Suppressed: osm.NotRefused,
		osm.Deferred: osm.MailboxFull, osm.Failed: osm.MailboxFull} {
		d := osm.Delivery{Outcome: outcome, Recipient: "x@y", Original: "x@y", Text: "452 4.2.2 mailbox full"}
		if want == osm.NotRefused {
			d.Refusal = osm.Other
		}
		if e.Delivery(&osm.Message{}, &d); d.Refusal != want {
			t.Errorf("%s: %q, want %q", outcome, d.Refusal, want)
		}
	}
}

// What is told of a refusal in advance is what is told with the message at hand, also where the sender's domain is among the words.
func TestRefusalInAdvance(t *testing.T) {
	e := New(Options{})
	own := "spam.example"
	for _, text := range []string{"550 5.1.1 no such user", "550 rejected: Spam.Example sent it", "550 mail from spam.example refused",
		"554 listed at zen.spamhaus.org", "451 try again"} {
		m := osm.Message{Sender: "a@" + own}
		late := osm.Delivery{Outcome: osm.Failed, Recipient: "x@y.example", Original: "x@y.example", Text: text}
		early := late
		e.Delivery(&m, &late)
		e.Refusal(&early)
		e.Delivery(&m, &early)
		if early.Refusal != late.Refusal {
			t.Errorf("%q: %v in advance, else %v", text, early.Refusal, late.Refusal)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{}, ""},
		{Config{Own: []string{"192.0.2.1", "2001:db8::/32"}, Relays: []string{"10.0.0.0/8"}, Domains: []string{"a.example"}}, ""},
		{Config{Own: []string{"localhost"}}, "own"},
		{Config{Relays: []string{"10.0.0.0/33", "x"}}, "relays relays"},
		{Config{Domains: []string{"a@b", ""}}, "domains domains"},
	} {
		var got []string
		c.config.Check(func(key, problem string) { got = append(got, key) })
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: problems with %v, want %s", c.config, got, c.want)
		}
	}
}

// The real logs: who authenticated is a login, U= without a host is a submission, and so on, with nothing configured.
func TestRealLogs(t *testing.T) {
	for _, name := range []string{"all", "cpanel", "directadmin", "debian", "4.99-cpanel"} {
		data, err := os.ReadFile("../../shared/data/exim-samples/" + name + "/mainlog")
		if err != nil {
			t.Skip("no real logs here: ", err)
		}
		e, parser, count := New(Options{}), exim.NewParser(time.UTC), map[osm.Class]int{}
		var entry exim.Entry
		for line := range strings.Lines(string(data)) {
			if parser.Parse(strings.TrimSuffix(line, "\n"), &entry); entry.Kind != exim.Arrival {
				continue
			}
			m := osm.Message{Login: entry.Login, Sender: entry.Sender, Parent: entry.Parent}
			m.Client, _ = netip.ParseAddr(entry.IP)
			if entry.IP == "" {
				m.User = entry.User
			}
			e.Message(&m)
			count[m.Class]++
			want := osm.Localhost // the laboratory's clients were on the same machine
			switch {
			case entry.Login != "":
				want = osm.Login
			case entry.IP == "" && entry.User == "Debian-exim" && entry.Sender == "":
				want = osm.Bounce
			case entry.IP == "" && (entry.User == "root" || entry.User == "Debian-exim"):
				want = osm.System
			case entry.IP == "":
				want = osm.Local
			}
			if m.Class != want {
				t.Errorf("%s is %s, want %s", line, m.Class, want)
			}
		}
		if count[osm.Login] == 0 && name != "debian" || count[osm.Local] == 0 || count[osm.Bounce] == 0 {
			t.Errorf("%s: %v", name, count)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	e := newEnricher(true)
	messages := []osm.Message{
		{Login: "info@alice.example", Client: addr("192.0.2.1"), Sender: "info@alice.example", Recipients: []string{"a@b.example"}},
		{User: "bob", Sender: "a@bob.example", Script: osm.Script{Path: "/home/bob/public_html"}, Recipients: []string{"a@b.example"}},
		{Client: addr("192.0.2.9"), Sender: "a@far.example", Recipients: []string{"x@bob.example"}},
		{Client: addr("127.0.0.1"), Sender: "a@alice.example", Recipients: []string{"x@far.example"}},
	}
	b.ReportAllocs()
	for i := range b.N {
		m := &messages[i%len(messages)]
		e.Message(m)
	}
}

func BenchmarkDelivery(b *testing.B) {
	e := newEnricher(true)
	m := osm.Message{Login: "info@alice.example", Client: addr("192.0.2.1"), Sender: "info@alice.example"}
	d := osm.Delivery{Recipient: "a@far.example", Original: "a@far.example", Transport: "remote_smtp", IP: addr("192.0.2.30")}
	b.ReportAllocs()
	for range b.N {
		e.Delivery(&m, &d)
	}
}
