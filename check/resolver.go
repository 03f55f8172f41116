package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"

	"osm"
)

// DNSConfig is the table [check.dns].
type DNSConfig struct {
	Servers  []string     `toml:"servers" doc:"Addresses of resolvers, with a port where it is not 53; those of /etc/resolv.conf when empty. Most block lists refuse the public ones (8.8.8.8, 1.1.1.1, 9.9.9.9): a resolver of your own is needed."`
	Timeout  osm.Duration `toml:"timeout" doc:"How long one resolver is waited for before the next is asked, 50ms to 10s."`
	Remember int          `toml:"remember" doc:"Answers that are remembered for as long as their time to live allows, 100 to 1000000; some 300 bytes each."`
}

func defaultDNS() DNSConfig {
	return DNSConfig{Timeout: osm.Duration(time.Second), Remember: 20_000}
}

func (c *DNSConfig) check(report func(key, problem string)) {
	between(report, "timeout", c.Timeout, 50*time.Millisecond, 10*time.Second)
	if c.Remember < 100 || c.Remember > 1_000_000 {
		report("remember", "must be between 100 and 1000000")
	}
	for i, s := range c.Servers {
		if _, err := serverAddress(s); err != nil {
			report(fmt.Sprintf("servers[%d]", i), err.Error())
		}
	}
}

// serverAddress reads an address with or without a port.
func serverAddress(s string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, 53), nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		return at, errors.New("must be an IP address, such as 127.0.0.1, [::1]:53 or 127.0.0.1:5353")
	}
	return at, nil
}

// resolvConf is where the system's resolvers are named.
const resolvConf = "/etc/resolv.conf"

// Resolver asks name servers and remembers what they said: each question is under way once only, however many ask it.
// Its methods may be called from any goroutine.
type Resolver struct {
	servers []*nameserver
	now     func() time.Time
	memory  *memory[question, *reply]
	flight  singleflight.Group
	lists   chan struct{} // a place for each question to a block list that is under way
	others  chan struct{} // and for each about a name that a stranger has chosen: it may be slow
}

const (
	underWay = 1000             // questions at once
	tries    = 2                // rounds over the servers
	failTime = 5 * time.Second  // a failure is remembered that long (RFC 2308 section 7: at most 5 minutes)
	longest  = 10 * time.Second // the most that one question takes, whoever still waits
)

// NewResolver reads which servers to ask; it asks nobody yet. Without any, every question fails and says so.
func NewResolver(cfg DNSConfig, now func() time.Time) *Resolver {
	names := cfg.Servers
	if len(names) == 0 {
		if system, err := dns.ClientConfigFromFile(resolvConf); err == nil {
			names = system.Servers
		}
	}
	r := &Resolver{now: now, memory: newMemory[question, *reply](cfg.Remember),
		lists: make(chan struct{}, underWay), others: make(chan struct{}, underWay)}
	for _, name := range names {
		if at, err := serverAddress(name); err == nil {
			r.servers = append(r.servers, newNameserver(at.String(), time.Duration(cfg.Timeout)))
		}
	}
	return r
}

// reply is what a name server said to one question. It is shared: nobody changes it.
type reply struct {
	addresses []netip.Addr
	texts     []string
	hosts     []string // of MX (in the order of their preference, unsorted where equal) and PTR
	missing   bool     // the name does not exist
	err       error    // no answer was to be had
	until     time.Time
}

// size is what a reply takes in memory, about.
func (a *reply) size() int {
	n := 200 + 24*len(a.addresses) // with its key
	for _, list := range [][]string{a.texts, a.hosts} {
		for _, s := range list {
			n += 16 + len(s)
		}
	}
	return n
}

// question names what is asked: a name in small letters without its final dot, and a record type.
type question struct {
	name string
	kind uint16
}

// remembered answers from memory.
func (r *Resolver) remembered(q question) (*reply, bool) {
	return r.memory.get(q, r.now())
}

// errNoName is given for what can't be a domain name: nobody is asked.
var errNoName = &net.DNSError{Err: "not a domain name", IsNotFound: true}

// ask gets one answer, from memory or from a server. An error is a *net.DNSError: nothing is known of the name then. A name
// that does not exist is no error. Questions to block lists come with admit: where it is false no server is asked, and the
// error is errSpent.
func (r *Resolver) ask(ctx context.Context, q question, admit func() bool) (*reply, error) {
	if a, ok := r.remembered(q); ok {
		return a, a.err
	}
	if !plainName(q.name) {
		return nil, errNoName
	}
	ch := r.flight.DoChan(fmt.Sprint(q.kind, " ", q.name), func() (any, error) { return r.fetch(q, admit), nil })
	select {
	case got := <-ch:
		a := got.Val.(*reply)
		return a, a.err
	case <-ctx.Done():
		return nil, &net.DNSError{Err: "no answer in time", Name: q.name, IsTimeout: true, IsTemporary: true}
	}
}

// longestName is what a question can hold (RFC 1035 section 2.3.4), without the final dot.
const longestName = 253

// plainName tells whether a name can be asked for: labels of visible ASCII, without what dns would take for an escape.
func plainName(name string) bool {
	if name == "" || len(name) > longestName || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		if b := name[i]; b <= ' ' || b > '~' || strings.IndexByte(`\"();@$`, b) >= 0 {
			return false
		}
	}
	_, ok := dns.IsDomainName(name)
	return ok
}

var (
	errBusy   = &net.DNSError{Err: "not asked: too many questions are under way", IsTemporary: true}
	errSilent = errors.New("no resolver answers: they are tried again in a while")
	errNone   = errors.New("no resolver is named, neither in " + resolvConf + " nor in check.dns.servers")
)

// fetch asks the servers, the ones that answer before the ones that do not, and remembers what came of it.
func (r *Resolver) fetch(q question, admit func() bool) *reply {
	if a, ok := r.remembered(q); ok { // it came while this question waited for its turn
		return a
	}
	room := r.others
	if admit != nil {
		room = r.lists
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	default:
		return &reply{err: errBusy}
	}
	if admit != nil && !admit() {
		return &reply{err: errSpent}
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	err := errSilent
	if len(r.servers) == 0 {
		err = errNone
	}
	for range tries {
		for _, s := range r.order() {
			var m *dns.Msg
			if m, err = s.exchange(ctx, q, r.now); err != nil {
				continue
			}
			a := read(m, q, r.now())
			r.memory.put(q, a, a.until)
			return a
		}
	}
	a := &reply{err: &net.DNSError{Err: err.Error(), Name: q.name, IsTimeout: isTimeout(err), IsTemporary: true}, until: r.now().Add(failTime)}
	r.memory.put(q, a, a.until)
	return a
}

// order puts the servers that do not answer last, and leaves out those whose time to be tried again has not come.
func (r *Resolver) order() (all []*nameserver) {
	var dead []*nameserver
	for _, s := range r.servers {
		switch s.state(r.now()) {
		case alive:
			all = append(all, s)
		case trial:
			dead = append(dead, s)
		}
	}
	return append(all, dead...)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
