package check

import (
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"osm"
)

// zone is a real name server on loopback, UDP and TCP on one port. What it does not know does not exist.
type zone struct {
	testing.TB
	at string

	mu      sync.Mutex
	records map[string][]dns.RR         // by name and type
	odd     map[string]func(*answering) // by name: answers in its own way
	asked   map[string]int              // by name and type
	gone    atomic.Bool                 // answers nothing at all
}

// answering is one question being answered.
type answering struct {
	w     dns.ResponseWriter
	q, to *dns.Msg // the question, and the answer that it would get
	tcp   bool
}

func newZone(t testing.TB) *zone {
	t.Helper()
	z := &zone{TB: t, records: map[string][]dns.RR{}, odd: map[string]func(*answering){}, asked: map[string]int{}}
	var packets net.PacketConn
	var listener net.Listener
	for range 10 { // the same port may be taken for one of them
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if packets, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			listener = l
			break
		}
		l.Close()
	}
	if listener == nil {
		t.Fatal("no port is free for both UDP and TCP")
	}
	z.at = listener.Addr().String()
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: z}, {Listener: listener, Handler: z}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe() // ends at Shutdown
		<-started
		t.Cleanup(func() { s.Shutdown() })
	}
	return z
}

// has adds records in the form of zone files; a name without a final dot gets one.
func (z *zone) has(records ...string) {
	z.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil {
			z.Fatal(err)
		}
		key := key(r.Header().Name, r.Header().Rrtype)
		z.records[key] = append(z.records[key], r)
	}
}

// lists adds an entry to a block list, and lets go of an earlier one.
func (z *zone) lists(entry, address string) {
	z.mu.Lock()
	delete(z.records, key(entry+".", dns.TypeA))
	z.mu.Unlock()
	if address != "" {
		z.has(fmt.Sprintf("%s. 300 IN A %s", entry, address))
	}
}

// does makes a name answer in its own way.
func (z *zone) does(name string, fn func(*answering)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.odd[strings.ToLower(dns.Fqdn(name))] = fn
}

func (z *zone) times(name string, kind uint16) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[key(dns.Fqdn(name), kind)]
}

// questions are all that came, with how often.
func (z *zone) questions() map[string]int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return maps.Clone(z.asked)
}

func key(name string, kind uint16) string { return fmt.Sprint(strings.ToLower(name), kind) }

// ServeDNS answers from the records, following aliases as a resolver does.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	a := &answering{w: w, q: q, to: new(dns.Msg).SetReply(q)}
	_, a.tcp = w.RemoteAddr().(*net.TCPAddr)
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	z.mu.Lock()
	z.asked[key(name, kind)]++
	odd := z.odd[strings.ToLower(name)]
	exists := false
	for range 8 {
		a.to.Answer = append(a.to.Answer, z.records[key(name, kind)]...)
		alias := z.records[key(name, dns.TypeCNAME)]
		if len(alias) == 0 {
			break
		}
		a.to.Answer = append(a.to.Answer, alias...)
		name = alias[0].(*dns.CNAME).Target
	}
	for _, k := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypePTR, dns.TypeCNAME} {
		exists = exists || len(z.records[key(name, k)]) > 0
	}
	z.mu.Unlock()
	if name == "." {
		a.to.Answer = append(a.to.Answer, &dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "a.root."})
	} else if len(a.to.Answer) == 0 {
		if !exists {
			a.to.Rcode = dns.RcodeNameError
		}
		a.to.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 600}, Ns: "a.", Mbox: "b.", Minttl: 30}}
	}
	switch {
	case z.gone.Load():
	case odd != nil:
		odd(a)
	default:
		a.send()
	}
}

func (a *answering) send() { a.w.WriteMsg(a.to) }

// mute never answers, like a packet that is lost.
func mute(*answering) {}

// servfail is what a resolver says when the name's own servers are broken.
func servfail(a *answering) {
	a.to.Answer, a.to.Rcode = nil, dns.RcodeServerFailure
	a.send()
}

// clock is a time that only tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

// silence is how long a test waits for what never answers. A living server must answer sooner, on a crowded machine too.
const silence = osm.Duration(400 * time.Millisecond)

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// asks makes the settings of a resolver that asks these servers. Where one is silent the test says how long it is waited for.
func asks(servers ...*zone) DNSConfig {
	c := defaultDNS()
	c.Timeout = osm.Duration(5 * time.Second)
	for _, z := range servers {
		c.Servers = append(c.Servers, z.at)
	}
	return c
}
