package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestLookups(t *testing.T) {
	z := newZone(t)
	z.has("a.example. 60 IN A 192.0.2.1", "a.example. 60 IN AAAA 2001:db8::1", "alias.example. 60 IN CNAME other.example.",
		"other.example. 60 IN CNAME a.example.", `t.example. 60 IN TXT "one " "two"`, "m.example. 60 IN MX 20 second.example.",
		"m.example. 60 IN MX 10 first.example.", "1.2.0.192.in-addr.arpa. 60 IN PTR a.example.")
	r := NewResolver(asks(z), newClock().now)
	ctx := t.Context()
	for _, host := range []string{"a.example", "A.EXAMPLE.", "alias.example"} {
		if got, err := r.LookupIPAddr(ctx, host); err != nil || fmt.Sprint(got) != "[{192.0.2.1 } {2001:db8::1 }]" {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
	if got, err := r.LookupTXT(ctx, "t.example"); err != nil || !slices.Equal(got, []string{"one two"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := r.LookupMX(ctx, "m.example"); err != nil || len(got) != 2 || got[0].Host != "first.example" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := r.LookupAddr(ctx, "192.0.2.1"); err != nil || !slices.Equal(got, []string{"a.example"}) {
		t.Errorf("%v, %v", got, err)
	}
	var gone *net.DNSError
	if _, err := r.LookupTXT(ctx, "nobody.example"); !errors.As(err, &gone) || !gone.IsNotFound {
		t.Errorf("a name that does not exist: %v", err)
	}
	if got, err := r.LookupTXT(ctx, "a.example"); err != nil || len(got) != 0 {
		t.Errorf("a name without texts: %v, %v", got, err)
	}
}

// TestNames: what strangers write as a domain never becomes another question.
func TestNames(t *testing.T) {
	z := newZone(t)
	r := NewResolver(asks(z), newClock().now)
	for _, name := range []string{"", ".", "a..example", "a b.example", "a\\046example", "a;b", "a\x00.example", "a\nb", strings.Repeat("a", 64) + ".example",
		strings.Repeat("abcdefg.", 40) + "example", "ü\xff.example"} {
		if _, err := r.LookupTXT(t.Context(), name); err == nil {
			t.Errorf("%q was looked up", name)
		}
	}
	if len(z.questions()) > 0 {
		t.Errorf("the server was asked: %v", z.asked)
	}
	for name, want := range map[string]string{"Größe.Example.": "xn--gre-6ka8i.example", "EXAMPLE.com": "example.com", "a_b.example": "a_b.example"} {
		if got := canonical(name); got != want {
			t.Errorf("canonical(%q) = %q", name, got)
		}
	}
}

func TestAnswersAreRemembered(t *testing.T) {
	z, c := newZone(t), newClock()
	z.has("a.example. 60 IN TXT x", "b.example. 0 IN TXT x")
	r := NewResolver(asks(z), c.now)
	look := func(name string, want int) {
		t.Helper()
		r.LookupTXT(t.Context(), name)
		if got := z.times(name, dns.TypeTXT); got != want {
			t.Errorf("%s was asked %d times, want %d", name, got, want)
		}
	}
	look("a.example", 1)
	c.pass(59 * time.Second)
	look("a.example", 1)
	c.pass(2 * time.Second)
	look("a.example", 2)
	look("missing.example", 1)
	c.pass(29 * time.Second)
	look("missing.example", 1)
	c.pass(2 * time.Second) // the SOA says 30 seconds
	look("missing.example", 2)
	look("b.example", 1)
	look("b.example", 1)
	c.pass(leastTime)
	look("b.example", 2)
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory[question, *reply](100)
	now := time.Unix(1e9, 0)
	put := func(i int, a *reply) { m.put(question{fmt.Sprint(i), 1}, a, now.Add(time.Hour)) }
	for i := range 10_000 {
		put(i, &reply{})
	}
	if n := m.len(); n > 100 {
		t.Errorf("%d answers are remembered, want at most 100", n)
	}
	if _, ok := m.get(question{"9999", 1}, now); !ok {
		t.Error("the latest one is forgotten")
	}
	for i := range 1000 {
		put(i, &reply{texts: []string{strings.Repeat("x", 10_000)}})
	}
	if n := m.len(); n > 10 {
		t.Errorf("%d answers of 10 kB each are remembered where 100 small ones have room", n)
	}
}

// TestBurst: however many ask the same at once, the server is asked once.
func TestBurst(t *testing.T) {
	z := newZone(t)
	z.has("a.example. 60 IN TXT x")
	arrived, goOn := make(chan struct{}), make(chan struct{})
	z.does("a.example", func(a *answering) { close(arrived); <-goOn; a.send() })
	r := NewResolver(asks(z), newClock().now)
	var wait sync.WaitGroup
	ask := func() {
		if got, err := r.LookupTXT(t.Context(), "a.example"); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
	}
	wait.Go(ask)
	<-arrived
	for range 100 {
		wait.Go(ask)
	}
	close(goOn)
	wait.Wait()
	if n := z.times("a.example", dns.TypeTXT); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestTruncatedAnswerComesByTCP(t *testing.T) {
	z := newZone(t)
	text := strings.Repeat("0123456789", 20)
	for i := range 20 {
		z.has(fmt.Sprintf(`big.example. 60 IN TXT "%d%s"`, i, text))
	}
	z.does("big.example", func(a *answering) {
		if !a.tcp {
			a.to.Answer, a.to.Truncated = nil, true
		}
		a.send()
	})
	got, err := NewResolver(asks(z), newClock().now).LookupTXT(t.Context(), "big.example")
	if err != nil || len(got) != 20 {
		t.Errorf("%d texts, %v", len(got), err)
	}
}

// TestLyingServers: what is no answer to the question is none; the next server is asked.
func TestLyingServers(t *testing.T) {
	other := func(a *answering) {
		a.to.Question[0].Name = "other.example."
		a.to.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "other.example.", Rrtype: dns.TypeTXT, Class: 1, Ttl: 60}, Txt: []string{"lie"}}}
		a.send()
	}
	for name, lie := range map[string]func(*answering){"servfail": servfail, "silent": mute, "another question": other,
		"garbage": func(a *answering) { a.w.Write([]byte("no DNS message at all, but long enough for a header")) },
		"refused": func(a *answering) { a.to.Answer, a.to.Rcode = nil, dns.RcodeRefused; a.send() },
		"half":    func(a *answering) { b, _ := a.to.Pack(); a.w.Write(b[:len(b)-3]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, good := newZone(t), newZone(t)
			both, alone := asks(bad, good), asks(bad)
			both.Timeout, alone.Timeout = silence, silence
			bad.does("a.example", lie)
			bad.has("a.example. 60 IN TXT bad")
			good.has("a.example. 60 IN TXT good")
			if got, err := NewResolver(both, newClock().now).LookupTXT(t.Context(), "a.example"); err != nil || !slices.Equal(got, []string{"good"}) {
				t.Errorf("%q, %v", got, err)
			}
			var temporary *net.DNSError
			if got, err := NewResolver(alone, newClock().now).LookupTXT(t.Context(), "a.example"); !errors.As(err, &temporary) || !temporary.IsTemporary {
				t.Errorf("alone: %q, %v", got, err)
			}
		})
	}
}

// TestForeignRecords: records that are not the name's own are no answer.
func TestForeignRecords(t *testing.T) {
	z := newZone(t)
	z.does("a.example", func(a *answering) {
		a.to.Rcode = dns.RcodeSuccess
		a.to.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "b.example.", Rrtype: dns.TypeA, Class: 1, Ttl: 60}, A: net.IPv4(127, 0, 0, 2)}}
		a.send()
	})
	r := NewResolver(asks(z), newClock().now)
	if a, err := r.ask(t.Context(), question{"a.example", dns.TypeA}, nil); err != nil || len(a.addresses) > 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestDeadServer: one that answers nothing at all is left out, and asked again when its time has come.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	z, c := newZone(t), newClock()
	z.gone.Store(true)
	cfg := asks(z)
	cfg.Timeout = silence
	r := NewResolver(cfg, c.now)
	for i := range 2 { // two tries each
		r.LookupTXT(t.Context(), fmt.Sprintf("n%d.example", i))
	}
	if s := r.servers[0].told(); !s.Dead || s.Failed < silentInRow || s.Error == "" {
		t.Fatalf("%+v", s)
	}
	if _, err := r.LookupTXT(t.Context(), "x.example"); err == nil || !strings.Contains(err.Error(), "no resolver answers") || z.times("x.example", dns.TypeTXT) > 0 {
		t.Errorf("a dead server was asked: %v", err)
	}
	z.gone.Store(false)
	z.has("y.example. 60 IN TXT back")
	c.pass(deadFor)
	if got, err := r.LookupTXT(t.Context(), "y.example"); err != nil || len(got) != 1 || r.servers[0].told().Dead {
		t.Errorf("%v, %v, %+v", got, err, r.servers[0].told())
	}
}

// TestSilentDomain: a domain whose own servers do not answer, as often as a stranger likes, does not make the resolver dead.
func TestSilentDomain(t *testing.T) {
	t.Parallel()
	z := newZone(t)
	cfg := asks(z)
	cfg.Timeout = silence
	r := NewResolver(cfg, newClock().now)
	for i := range 2 { // two tries each
		name := fmt.Sprintf("n%d.evil.example", i)
		z.does(name, mute)
		r.LookupTXT(t.Context(), name)
	}
	z.has("a.example. 60 IN TXT x")
	if got, err := r.LookupTXT(t.Context(), "a.example"); err != nil || len(got) != 1 || r.servers[0].told().Dead {
		t.Errorf("%v, %v, %+v", got, err, r.servers[0].told())
	}
}

func TestGivenUp(t *testing.T) {
	z := newZone(t)
	z.does("a.example", mute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e *net.DNSError
	if _, err := NewResolver(asks(z), newClock().now).LookupTXT(ctx, "a.example"); !errors.As(err, &e) || !e.IsTimeout {
		t.Errorf("%v", err)
	}
}
