package check

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"osm"
)

func TestSPFOfSubmitters(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.SPF.Enabled, c.SPF.Action, c.SPF.OnFailure, c.DNS.Timeout = true, osm.Reject, osm.Defer, silence
	})
	b.zone.has(`good.example. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"`, `soft.example. 60 IN TXT "v=spf1 a:mail.soft.example ~all"`,
		"mail.soft.example. 60 IN A 192.0.2.1", `twice.example. 60 IN TXT "v=spf1 -all"`, `twice.example. 60 IN TXT "v=spf1 +all"`,
		`loop.example. 60 IN TXT "v=spf1 include:loop.example -all"`, `xn--gre-6ka8i.example. 60 IN TXT "v=spf1 -all"`,
		`helo.example. 60 IN TXT "v=spf1 -all"`, `include.example. 60 IN TXT "v=spf1 include:broken.example -all"`)
	b.zone.does("broken.example", servfail)
	b.zone.does("dead.example", mute)
	for _, c := range []struct{ client, sender, want string }{
		{"192.0.2.9", "a@good.example", "pass"}, {"2001:db8::1", "a@good.example", "pass"}, {"198.51.100.1", "a@GOOD.example", "fail"},
		{"192.0.2.1", "a@soft.example", "pass"}, {"198.51.100.1", "a@soft.example", "softfail"}, {"192.0.2.9", "a@none.example", "none"},
		{"192.0.2.9", "a@twice.example", "permerror"}, {"192.0.2.9", "a@loop.example", "permerror"}, {"192.0.2.9", "ö@größe.example", "fail"},
		{"192.0.2.9", "", "fail"}, // the null sender: HELO counts
		{"192.0.2.9", "a@broken.example", "temperror"}, {"192.0.2.9", "a@include.example", "temperror"}, {"192.0.2.9", "a@dead.example", "temperror"},
		{"10.0.0.1", "a@good.example", ""},
	} {
		m := from(c.client)
		m.Sender, m.Helo = c.sender, "helo.example"
		o := b.look(m)
		want := osm.Accept
		switch c.want {
		case "fail":
			want = osm.Reject
		case "temperror":
			want = osm.Defer
		}
		if o.SPF != c.want || o.Verdict.Action != want || (len(o.Failed) > 0) != (c.want == "temperror") {
			t.Errorf("%s from %s: %q, want %q; %+v %v", c.sender, c.client, o.SPF, c.want, o.Verdict, o.Failed)
		}
	}
	for range failuresInRow {
		m := from("192.0.2.9")
		m.Sender = "a@broken.example"
		b.look(m)
	}
	if b.Stats().Checks[0].Open {
		t.Error("a stranger's broken domain has opened the breaker")
	}
}

func TestOwnSPF(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.OwnSPF.Enabled, c.OwnSPF.Action = true, osm.Hold
		c.OwnSPF.Addresses = []string{"203.0.113.5", "2001:db8:1::5"}
	})
	b.zone.has(`both.example. 60 IN TXT "v=spf1 ip4:203.0.113.5 ip6:2001:db8:1::/48 -all"`, `four.example. 60 IN TXT "v=spf1 ip4:203.0.113.5 -all"`,
		`soft.example. 60 IN TXT "v=spf1 ip4:203.0.113.5 ~all"`, `else.example. 60 IN TXT "v=spf1 ip4:192.0.2.1 -all"`)
	for domain, want := range map[string]string{"both.example": "pass", "four.example": "fail", "soft.example": "softfail", "else.example": "fail", "none.example": "none"} {
		m := &osm.Message{Class: osm.Login, Login: "bob", Client: netip.MustParseAddr("192.0.2.1"), Sender: "bob@" + domain}
		for range 2 {
			if o := b.look(m); o.OwnSPF != want || (o.Verdict.Action == osm.Hold) != (want == "fail") || len(o.Failed) > 0 {
				t.Errorf("%s: %q, want %q; %+v", domain, o.OwnSPF, want, o.Verdict)
			}
		}
		if n := b.zone.times(domain, dns.TypeTXT); n != 1 {
			t.Errorf("%s was asked for %d times", domain, n)
		}
	}
	b.zone.does("dead.example", servfail)
	if o := b.look(&osm.Message{Class: osm.Login, Sender: "bob@dead.example"}); o.OwnSPF != "temperror" || len(o.Failed) != 1 || o.Verdict.Action != osm.Accept {
		t.Errorf("%+v", o)
	}
	if s := b.Stats().Checks[0]; s.Cached != 5 || s.Asked != 11 {
		t.Errorf("%+v", s)
	}
	none := newBench(t, func(c *Config) { c.OwnSPF.Enabled = true })
	none.own.addresses = nil
	if o := none.look(&osm.Message{Class: osm.Login, Sender: "bob@else.example"}); o.OwnSPF != "" || len(none.Stats().Notices) != 1 {
		t.Errorf("without an address of our own: %+v, %q", o, none.Stats().Notices)
	}
}

// signed signs a message for a domain, whose key the name server then has.
func signed(t *testing.T, z *zone, domain, text string) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	z.has(fmt.Sprintf(`s1._domainkey.%s. 60 IN TXT "v=DKIM1; k=ed25519; p=%s"`, domain, base64.StdEncoding.EncodeToString(public)))
	var out bytes.Buffer
	if err := dkim.Sign(&out, strings.NewReader(text), &dkim.SignOptions{Domain: domain, Selector: "s1", Signer: crypto.Signer(private),
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDMARC(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.DMARC.Enabled, c.DMARC.Action = true, osm.Reject
	})
	b.zone.has(`_dmarc.shop.example. 60 IN TXT "v=DMARC1; p=reject; sp=none"`, `_dmarc.strict.example. 60 IN TXT "v=DMARC1; p=quarantine; adkim=s; aspf=s"`,
		`_dmarc.watch.example. 60 IN TXT "v=DMARC1; p=none"`, `_dmarc.torn.example. 60 IN TXT "v=DMARC1; p=nonsense"`,
		`shop.example. 60 IN TXT "v=spf1 ip4:192.0.2.9 ip4:203.0.113.25 -all"`, `spam.example. 60 IN TXT "v=spf1 +all"`)
	b.zone.does("_dmarc.broken.example", servfail)
	text := func(from string) string {
		return "From: Bob <" + from + ">\r\nTo: a@far.example\r\nSubject: hello\r\n\r\nThe body.\r\n"
	}
	shop := signed(t, b.zone, "shop.example", text("bob@shop.example"))
	mail := signed(t, b.zone, "mail.strict.example", text("bob@strict.example"))
	other := signed(t, b.zone, "spam.example", text("bob@shop.example"))
	from9 := func(sender string) *osm.Message {
		m := from("192.0.2.9")
		m.Sender = sender
		return m
	}
	login := &osm.Message{Class: osm.Login, Login: "bob", Client: netip.MustParseAddr("198.51.100.1"), Sender: "bob@shop.example"}
	for _, c := range []struct {
		name              string
		m                 *osm.Message
		content           []byte
		cut               bool
		dkim, dmarc, asks string
		action            osm.Action
	}{
		{name: "signed", m: from9("x@else.example"), content: shop, dkim: "pass", dmarc: "pass", asks: "reject"},
		{name: "signed by another", m: from9("x@spam.example"), content: other, dkim: "unaligned", dmarc: "fail", asks: "reject", action: osm.Reject},
		{name: "changed", m: from9("x@else.example"), content: bytes.Replace(shop, []byte("The body"), []byte("Buy pills"), 1), dkim: "fail", dmarc: "fail", asks: "reject", action: osm.Reject},
		{name: "strict", m: from9("x@else.example"), content: mail, dkim: "unaligned", dmarc: "fail", asks: "quarantine", action: osm.Reject},
		{name: "not signed, SPF of the client", m: from9("x@shop.example"), content: []byte(text("bob@shop.example")), dkim: "none", dmarc: "pass", asks: "reject"},
		{name: "not signed, SPF of this server", m: login, content: []byte(text("bob@shop.example")), dkim: "none", dmarc: "pass", asks: "reject"},
		{name: "subdomain", m: from9("x@else.example"), content: []byte(text("bob@www.shop.example")), dkim: "none", dmarc: "fail", asks: "none"},
		{name: "only watched", m: from9("x@else.example"), content: []byte(text("bob@watch.example")), dkim: "none", dmarc: "fail", asks: "none"},
		{name: "nothing published", m: from9("x@else.example"), content: []byte(text("bob@else.example")), dkim: "none", dmarc: "none"},
		{name: "a torn record", m: from9("x@else.example"), content: []byte(text("bob@torn.example")), dkim: "none", dmarc: "none"},
		{name: "two Froms", m: from9("x@shop.example"), content: []byte("From: a@shop.example\r\n" + text("bob@shop.example")), dmarc: "permerror"},
		{name: "no From", m: from9("x@shop.example"), content: []byte("To: a@b.example\r\n\r\n"), dmarc: "permerror"},
		{name: "not whole", m: from9("x@else.example"), content: shop[:len(shop)-4], cut: true, asks: "reject"},
		{name: "no content", m: from9("x@shop.example")},
	} {
		o := b.at(&Request{Stage: AtData, Message: c.m, Content: c.content, Whole: c.content != nil && !c.cut})
		if o.DKIM != c.dkim || o.DMARC != c.dmarc || o.DMARCPolicy != c.asks || o.Verdict.Action != c.action || len(o.Failed) > 0 {
			t.Errorf("%s: DKIM %q, DMARC %q, asks %q, %+v %v", c.name, o.DKIM, o.DMARC, o.DMARCPolicy, o.Verdict, o.Failed)
		}
	}
	o := b.at(&Request{Stage: AtData, Message: from9("x@else.example"), Content: []byte(text("bob@broken.example")), Whole: true})
	if !slices.Equal(o.Failed, []string{"dmarc"}) || o.Verdict.Action != osm.Accept {
		t.Errorf("a dead domain: %+v", o)
	}
	if b.Limit() != int64(b.cfg.DMARC.Limit) {
		t.Errorf("it wants to see %d bytes", b.Limit())
	}
}

// TestSPFDeadline: a domain that leads from one slow name to the next does not hold mail up.
func TestSPFDeadline(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.SPF.Enabled, c.SPF.Deadline, c.DNS.Timeout = true, osm.Duration(100*time.Millisecond), osm.Duration(10*time.Second)
	})
	b.zone.has(`slow.example. 60 IN TXT "v=spf1 include:n1.slow.example -all"`)
	b.zone.does("n1.slow.example", mute)
	m := from("192.0.2.9")
	m.Sender = "a@slow.example"
	if o := b.look(m); !slices.Equal(o.Failed, []string{"spf"}) { // a hanging test would be the failure
		t.Errorf("%+v", o)
	}
}
