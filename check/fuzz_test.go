package check

import (
	"net/mail"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// FuzzAnswer reads what a hostile name server may send: nothing of it breaks the reader, is remembered for ever, or is more than
// is kept of one answer.
func FuzzAnswer(f *testing.F) {
	for _, record := range []string{"a.example. 60 IN A 127.0.0.2", "a.example. 60 IN TXT \"v=spf1 -all\"", "a.example. 0 IN CNAME a.example.",
		"a.example. 4294967295 IN MX 10 .", "a.example. 1 IN AAAA ::1", "a.example. 1 IN PTR b.example."} {
		rr, err := dns.NewRR(record)
		if err != nil {
			f.Fatal(err)
		}
		m := new(dns.Msg).SetQuestion("a.example.", rr.Header().Rrtype)
		m.Answer = []dns.RR{rr}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, rr.Header().Rrtype)
	}
	now := newClock().now()
	l := New(DefaultConfig(), Options{Now: newClock().now}).newList(ListConfig{Zone: "bl.example", Codes: map[string]string{"127.0.0.2": "spam", "&4": "phish"}}, time.Second)
	f.Fuzz(func(t *testing.T, b []byte, kind uint16) {
		var m dns.Msg
		if m.Unpack(b) != nil {
			return
		}
		a := read(&m, question{"a.example", kind}, now)
		if life := a.until.Sub(now); life < leastTime || life > mostTime {
			t.Errorf("remembered for %v", life)
		}
		if len(a.addresses)+len(a.texts)+len(a.hosts) > mostRecords {
			t.Errorf("%d records are kept", len(a.addresses)+len(a.texts)+len(a.hosts))
		}
		found, err := l.judge(a)
		for _, m := range found {
			if ip, bad := netip.ParseAddr(m.code); bad != nil || !loopback.Contains(ip) || err != nil {
				t.Errorf("%+v is a listing, %v", m, err)
			}
		}
	})
}

// FuzzDomain: whatever a stranger writes as a domain, what is asked for is one name, and the same whoever writes it.
func FuzzDomain(f *testing.F) {
	for _, s := range []string{"Mail.Evil.co.uk.", "größe.example", "xn--", "a..b", "[192.0.2.1]", "192.0.2.1", "co.uk", "\\046.example", "a\nb.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := canonical(s)
		if again := canonical(name); plainName(name) && again != name {
			t.Errorf("%q is %q, and that is %q", s, name, again)
		}
		if plainName(name) && (strings.ContainsAny(name, "\\\"\n ;()") || dns.CountLabel(dns.Fqdn(name)) != strings.Count(name, ".")+1) {
			t.Errorf("%q would be asked for as another name", name)
		}
		if domain := registered(s); domain != "" && (!plainName(domain) || !strings.Contains(domain, ".") || !strings.HasSuffix(name, domain)) {
			t.Errorf("%q is said to be registered as %q", s, domain)
		}
	})
}

// FuzzPlainAddress: what is read without net/mail is what net/mail reads.
func FuzzPlainAddress(f *testing.F) {
	for _, s := range []string{"ann@shop.example", " <a+b-c_d.e@x>", "Ann B-C <ann@shop.example> ", "a.@b", "a@b..c", "@b", "a@", "a@b@c", "<a@b", "a@b>", "<<a@b>", "a b@c", "ann <a@b> <c@d>",
		"\tann@b", "é <a@b>", "a@[1.2.3.4]", "a, b@c", "a <>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := plainAddress(s)
		if !ok {
			return
		}
		if list, err := mail.ParseAddressList(s); err != nil || len(list) != 1 || list[0].Address != got {
			t.Errorf("%q is read as %q, by net/mail as %v, %v", s, got, list, err)
		}
	})
}
