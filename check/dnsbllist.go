package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"osm"
)

// list is one DNS block list (RFC 5782).
type list struct {
	ListConfig
	codes    []code
	never    question // what must not be there
	guard    *guard
	budget   budget
	resolver *Resolver
	now      func() time.Time
}

func (c *Checks) newList(cfg ListConfig, deadline time.Duration) *list {
	l := &list{ListConfig: cfg.complete(), resolver: c.resolver, now: c.now}
	for text, name := range l.Codes {
		if answer, err := parseCode(text, name); err == nil { // Check has reported the others
			l.codes = append(l.codes, answer)
		}
	}
	slices.SortFunc(l.codes, func(a, b code) int { return cmp.Or(a.is.Compare(b.is), int(a.bit)-int(b.bit)) })
	l.never = l.question(neverDomain)
	if slices.Contains(l.Of, OfClient) {
		l.never = l.question(neverAddress)
	}
	l.guard = newGuard("dnsbl "+l.Zone, deadline, c.now, c.log)
	l.budget = budget{perSecond: l.PerSecond, perDay: l.PerDay}
	return l
}

// What a list must not have: RFC 5782 section 5 names them. One that has them lists the whole world: it was closed, or somebody
// answers in its place.
const (
	neverAddress = "1.0.0.127"
	neverDomain  = "invalid"
)

func (l *list) question(entry string) question { return question{entry + "." + l.Zone, dns.TypeA} }

// known answers from memory; false: somebody has to be asked.
func (l *list) known(entry string) (found []meaning, ok bool) {
	a, ok := l.resolver.remembered(l.question(entry))
	if !ok || a.err != nil {
		return nil, false
	}
	found, err := l.judge(a)
	if err != nil {
		return nil, false
	}
	if len(found) > 0 {
		if a, ok = l.resolver.remembered(l.never); !ok || a.err != nil || len(a.addresses) > 0 {
			return nil, false
		}
	}
	return found, true
}

// look asks the list about one entry. An error says why nothing is known: it never stands for a listing.
func (l *list) look(ctx context.Context, entry string) (found []meaning, err error) {
	if found, ok := l.known(entry); ok {
		l.guard.fromMemory()
		return found, nil
	}
	err = l.guard.do(ctx, func(ctx context.Context) error {
		a, err := l.resolver.ask(ctx, l.question(entry), l.admit)
		if err != nil {
			return err
		}
		if found, err = l.judge(a); err != nil || len(found) == 0 {
			return err
		}
		a, err = l.resolver.ask(ctx, l.never, l.admit)
		if err == nil && len(a.addresses) > 0 {
			err = errors.New("lists even what must never be listed: the list is closed, or somebody answers in its place")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// admit lets a question through to the servers as long as the list allows more.
func (l *list) admit() bool { return l.budget.spend(l.now()) }

var errSpent = errors.New("not asked: as many questions as the configuration allows have been put to it")

// meaning is one answer of a list.
type meaning struct{ code, name string }

// judge reads a list's answer. What is no code of a listing is an error, or nothing.
func (l *list) judge(a *reply) (found []meaning, err error) {
	for _, ip := range a.addresses {
		if problem := refusal(ip); problem != "" {
			return nil, fmt.Errorf("answers %s: %s", ip, problem)
		}
	}
	for _, ip := range a.addresses {
		if len(l.codes) == 0 {
			found = append(found, meaning{code: ip.String()})
		}
		for _, c := range l.codes {
			if c.is == ip || !c.is.IsValid() && ip.As4()[3]&c.bit != 0 {
				found = append(found, meaning{ip.String(), c.name})
			}
		}
	}
	return found, nil
}

// refusal says in words what an answer means that is no listing, "" for one that may be.
func refusal(ip netip.Addr) string {
	switch {
	case !ip.Is4() || !loopback.Contains(ip):
		return "that is no answer of a block list; the list is closed, or the resolver answers with addresses of its own"
	case ip == netip.AddrFrom4([4]byte{127, 255, 255, 252}):
		return "the name of the list is misspelt"
	case ip == netip.AddrFrom4([4]byte{127, 255, 255, 254}):
		return "the list refuses questions that come through a public resolver: set check.dns.servers to a resolver of your own"
	case ip == netip.AddrFrom4([4]byte{127, 255, 255, 255}):
		return "the list refuses because too much has been asked: it wants a subscription"
	case refusals.Contains(ip):
		return "the list refuses the question"
	case ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		return "the list refuses the question, as SURBL and URIBL do to public resolvers and to those who ask too much"
	case ip == netip.AddrFrom4([4]byte{127, 0, 1, 255}):
		return "the list takes domains, and was asked about an address"
	}
	return ""
}

var refusals = netip.MustParsePrefix("127.255.255.0/24")

// weight is what a listing of this meaning weighs.
func (l *list) weight(name string) float64 {
	if w, ok := l.Weights[name]; ok {
		return w
	}
	return l.Weight
}

// listings makes opinions of a list's answer.
func (l *list) listings(of, value string, found []meaning, ignore []string) (all []osm.Listing) {
	for _, m := range found {
		if !slices.Contains(ignore, m.name) {
			all = append(all, osm.Listing{List: l.Zone, Of: of, Value: value, Code: m.code, Name: m.name, Weight: l.weight(m.name)})
		}
	}
	return all
}

// budget is how much may be asked.
type budget struct {
	perSecond, perDay int

	mu          sync.Mutex
	second, day int64 // since the epoch
	asked       int   // in that second
	today       int   // in that day
}

func (b *budget) spend(now time.Time) bool {
	if b.perSecond == 0 && b.perDay == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if second := now.Unix(); second != b.second {
		b.second, b.asked = second, 0
	}
	if day := now.Unix() / (24 * 60 * 60); day != b.day {
		b.day, b.today = day, 0
	}
	if b.perSecond > 0 && b.asked >= b.perSecond || b.perDay > 0 && b.today >= b.perDay {
		return false
	}
	b.asked++
	b.today++
	return true
}

// text says of whom a listing is, for replies and pages.
func text(l *osm.Listing) string {
	s := l.Value + " is listed by " + l.List
	if l.Name != "" {
		s += " (" + strings.TrimSpace(l.Name) + ")"
	}
	return s
}
