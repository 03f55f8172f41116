package check

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"osm"
)

// nameserver is one resolver that is asked, and how it has been doing.
type nameserver struct {
	at       string
	udp, tcp dns.Client

	mu    sync.Mutex
	row   int       // timeouts in a row
	until time.Time // dead: not asked before this time
	stat  ServerStat
}

// ServerStat is what one resolver has done since the start.
type ServerStat struct {
	Server string    `json:"server"`
	Asked  uint64    `json:"asked"`
	Failed uint64    `json:"failed"`
	Slow   uint64    `json:"slow"` // took more than half of the timeout
	Dead   bool      `json:"dead"` // does not answer anything now
	Error  string    `json:"error,omitempty"`
	Last   time.Time `json:"last,omitzero"` // when that was
}

type health uint8

const (
	alive health = iota
	trial        // dead, and its turn to be tried has come
	dead
)

const (
	silentInRow = 3
	deadFor     = 10 * time.Second
	payload     = 1232 // bytes of a UDP answer that fit into any packet (DNS flag day 2020)
)

func newNameserver(at string, timeout time.Duration) *nameserver {
	s := &nameserver{at: at, stat: ServerStat{Server: at}}
	s.udp = dns.Client{Net: "udp", Timeout: timeout, UDPSize: payload}
	s.tcp = dns.Client{Net: "tcp", Timeout: timeout}
	return s
}

// state tells whether to ask it; a trial is given to one who asks, then it is the next one's turn in a while.
func (s *nameserver) state(now time.Time) health {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.stat.Dead:
		return alive
	case now.Before(s.until):
		return dead
	}
	s.until = now.Add(deadFor)
	return trial
}

// exchange puts one question. An answer that is no answer (SERVFAIL, REFUSED, another question's) is an error.
func (s *nameserver) exchange(ctx context.Context, q question, now func() time.Time) (*dns.Msg, error) {
	start := now()
	m, answered, err := s.once(ctx, q)
	s.note(err, answered, now().Sub(start), now())
	if !answered && s.suspect() {
		// A domain whose own servers do not answer looks the same as a resolver that does not: the root is always known to one
		// that lives.
		_, answered, _ = s.once(ctx, question{".", dns.TypeNS})
		s.judge(answered, now())
	}
	return m, err
}

// once puts one question over UDP, and over TCP when the answer does not fit. Answered tells that the server lives, whatever it said.
func (s *nameserver) once(ctx context.Context, q question) (m *dns.Msg, answered bool, err error) {
	ask := new(dns.Msg).SetQuestion(dns.Fqdn(q.name), q.kind)
	ask.SetEdns0(payload, false)
	answer, _, err := s.udp.ExchangeContext(ctx, ask, s.at)
	if err == nil && answer.Truncated {
		answered = true
		answer, _, err = s.tcp.ExchangeContext(ctx, ask, s.at)
	}
	switch {
	case err != nil:
		return nil, answered, fmt.Errorf("ask the resolver %s: %w", s.at, err)
	case len(answer.Question) != 1 || !answer.Response || answer.Question[0].Qtype != q.kind || !strings.EqualFold(answer.Question[0].Name, dns.Fqdn(q.name)):
		return nil, true, fmt.Errorf("the resolver %s answered another question", s.at)
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, true, fmt.Errorf("the resolver %s answered %s", s.at, dns.RcodeToString[answer.Rcode])
	}
	return answer, true, nil
}

func (s *nameserver) note(err error, answered bool, took time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.Asked++
	if took > s.udp.Timeout/2 {
		s.stat.Slow++
	}
	if err != nil {
		s.stat.Failed++
		s.stat.Error, s.stat.Last = osm.Printable(err.Error()), now
	}
	if !answered {
		s.row++
		return
	}
	s.row, s.stat.Dead = 0, false
}

func (s *nameserver) suspect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.row >= silentInRow && !s.stat.Dead
}

func (s *nameserver) judge(answered bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.row, s.stat.Dead = 0, !answered
	s.until = now.Add(deadFor)
}

func (s *nameserver) told() ServerStat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stat
}

// How long answers are remembered at least and at most, and what is kept of one.
const (
	leastTime    = time.Second
	mostTime     = 24 * time.Hour
	mostNegative = time.Hour // RFC 2308 section 5 recommends one to three hours
	usualNothing = time.Minute
	mostRecords  = 100
)

// read makes a reply of an answer: the records of the wanted type at the name or at what it is an alias of.
func read(m *dns.Msg, q question, now time.Time) *reply {
	a := &reply{missing: m.Rcode == dns.RcodeNameError}
	name, ttl, found := dns.Fqdn(q.name), mostTime, 0
	var exchangers []*dns.MX
	for _, record := range m.Answer { // a resolver writes aliases in the order in which they are followed
		h := record.Header()
		if !strings.EqualFold(h.Name, name) || found >= mostRecords {
			continue
		}
		if alias, ok := record.(*dns.CNAME); ok && q.kind != dns.TypeCNAME {
			name, ttl = alias.Target, min(ttl, seconds(h.Ttl))
			continue
		}
		if h.Rrtype != q.kind {
			continue
		}
		ttl = min(ttl, seconds(h.Ttl))
		found++
		switch v := record.(type) {
		case *dns.A:
			a.addresses = appendAddress(a.addresses, v.A)
		case *dns.AAAA:
			a.addresses = appendAddress(a.addresses, v.AAAA)
		case *dns.TXT:
			a.texts = append(a.texts, strings.Join(v.Txt, ""))
		case *dns.MX:
			exchangers = append(exchangers, v)
		case *dns.PTR:
			a.hosts = append(a.hosts, strings.TrimSuffix(v.Ptr, "."))
		}
	}
	slices.SortStableFunc(exchangers, func(x, y *dns.MX) int { return int(x.Preference) - int(y.Preference) })
	for _, mx := range exchangers {
		a.hosts = append(a.hosts, strings.TrimSuffix(mx.Mx, "."))
	}
	if found == 0 {
		ttl = negative(m)
	}
	a.until = now.Add(max(ttl, leastTime))
	return a
}

func appendAddress(all []netip.Addr, ip []byte) []netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok {
		all = append(all, a.Unmap())
	}
	return all
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }

// negative is how long the lack of records is remembered (RFC 2308 section 5).
func negative(m *dns.Msg) time.Duration {
	for _, record := range m.Ns {
		if soa, ok := record.(*dns.SOA); ok {
			return min(seconds(soa.Minttl), seconds(soa.Hdr.Ttl), mostNegative)
		}
	}
	return usualNothing
}
