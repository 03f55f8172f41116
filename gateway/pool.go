package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"osm"
)

// pool knows the upstreams, which of them work and what they offer, and keeps connections that may be used again.
type pool struct {
	cfg   *Config
	name  string         // the gateway's, in EHLO
	roots *x509.CertPool // nil: the system's
	log   *slog.Logger
	now   func() time.Time
	list  []*upstream

	probing sync.Mutex // one look at all upstreams at a time

	mu     sync.Mutex
	idle   []*link   // the latest used last
	probed time.Time // when all were looked at

	common atomic.Pointer[capabilities] // what all upstreams offer
	size   atomic.Int64                 // of the largest message that all take
}

// upstream is one server behind the gateway.
type upstream struct {
	pool       *pool
	address    string
	quarantine bool // takes held mail: it is not told who the client is

	mu     sync.Mutex
	down   error // why it is not used; nil: it works
	offers capabilities
}

const (
	idleMost  = 200              // connections in the pool
	idleAge   = 30 * time.Second // after that they may be gone
	probeSoon = time.Second      // between two looks because a client wants something and nothing works
)

var errUntried = errors.New("it has not been tried yet")

func newPool(cfg *Config, name string, o Options) *pool {
	p := &pool{cfg: cfg, name: name, log: o.Logger, now: o.Now, roots: o.Roots}
	p.size.Store(int64(cfg.Limit.Size))
	for _, address := range cfg.Upstream {
		p.list = append(p.list, &upstream{pool: p, address: address, down: errUntried})
	}
	return p
}

// take finds a connection for a client: one that has been used before, or a new one to the first upstream that works. An
// error is *errGreeting when an upstream works and refuses this client.
func (p *pool) take(ctx context.Context, who peer, fresh bool) (*link, error) {
	if !fresh && p.cfg.HandOn != ByProxy {
		if l := p.reuse(who); l != nil {
			return l, nil
		}
	}
	errs := make([]error, 0, len(p.list))
	for _, u := range p.list {
		l, err := u.connect(ctx, who)
		if err == nil {
			return l, nil
		}
		if refused, ok := errors.AsType[*errGreeting](err); ok && refused.said.code/100 == 5 && p.cfg.HandOn != NotAtAll {
			return nil, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", u.address, err))
	}
	return nil, errors.Join(errs...)
}

// reuse finds a connection that waits, and tells it who the client is where that differs.
func (p *pool) reuse(who peer) *link {
	for {
		p.mu.Lock()
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return nil
		}
		l := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		if p.now().Sub(l.idle) > idleAge || !l.up.works() {
			l.quit()
			continue
		}
		if p.cfg.HandOn == ByXclient && l.told != who && l.introduce(p.cfg, who) != nil {
			l.conn.Close()
			continue
		}
		return l
	}
}

// put gives a connection back. One that a client has logged in on, that is in the middle of something or that belongs to
// one client is closed.
func (p *pool) put(l *link) {
	if l.open || l.login || l.up.quarantine || p.cfg.HandOn == ByProxy || len(l.wire.unread()) > 0 {
		l.quit()
		return
	}
	l.idle, l.fresh = p.now(), false
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < idleMost {
		p.idle = append(p.idle, l)
		return
	}
	l.conn.Close()
}

// close ends all connections that wait.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.idle {
		l.quit()
	}
	p.idle = nil
}

// connect opens a connection and notes whether the upstream works.
func (u *upstream) connect(ctx context.Context, who peer) (*link, error) {
	if down := u.failure(); down != nil {
		return nil, down
	}
	l, err := u.dial(ctx, who)
	if refused, ok := errors.AsType[*errGreeting](err); ok && who.addr.IsValid() && refused.said.code/100 == 5 {
		return nil, err // it speaks, and does not want this client
	}
	if err == nil {
		err = u.lacks(l)
		if err != nil {
			l.quit()
		}
	}
	if ctx.Err() == nil {
		u.note(err, nil)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// lacks tells what a connection can't do that clients have been offered.
func (u *upstream) lacks(l *link) error {
	common := u.pool.offers()
	for _, key := range passedOn {
		if _, promised := common[key]; promised && !l.has(key) {
			return fmt.Errorf("it does not offer %s any more", key)
		}
	}
	return nil
}

func (u *upstream) works() bool { return u.failure() == nil }

func (u *upstream) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down
}

// note keeps whether an upstream works, and tells of a change.
func (u *upstream) note(err error, offers capabilities) {
	u.mu.Lock()
	was := u.down
	u.down = err
	if offers != nil {
		u.offers = offers
	}
	u.mu.Unlock()
	if offers != nil {
		u.pool.agree()
	}
	switch {
	case err != nil && (was == nil || was == errUntried):
		u.pool.log.Error("an upstream does not work: it is left out until it does", "upstream", u.address, "error", osm.Printable(err.Error()))
	case err == nil && was != nil && was != errUntried:
		u.pool.log.Info("an upstream works again", "upstream", u.address)
	}
}

// watch looks at the upstreams until ctx is done.
func (p *pool) watch(ctx context.Context) {
	tick := time.NewTicker(time.Duration(p.cfg.Limit.Check))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.probe(ctx)
		}
	}
}

// probe looks at every upstream: whether it works and what it offers.
func (p *pool) probe(ctx context.Context) {
	p.probing.Lock()
	defer p.probing.Unlock()
	var all sync.WaitGroup
	for _, u := range p.list {
		all.Go(func() {
			l, err := u.dial(ctx, peer{})
			var offers capabilities
			if err == nil {
				offers = l.offers
				l.quit()
			}
			if ctx.Err() == nil {
				u.note(err, offers)
			}
		})
	}
	all.Wait()
	p.mu.Lock()
	p.probed = p.now()
	p.mu.Unlock()
}

// ready tells why no upstream can be used, nil when one can. When none works they are looked at once more, but not for
// every client.
func (p *pool) ready(ctx context.Context) error {
	if p.anyWorks() {
		return nil
	}
	p.mu.Lock()
	due := p.now().Sub(p.probed) >= probeSoon
	p.mu.Unlock()
	if due {
		p.probe(ctx)
		if p.anyWorks() {
			return nil
		}
	}
	errs := make([]error, 0, len(p.list))
	for _, u := range p.list {
		errs = append(errs, fmt.Errorf("%s: %w", u.address, u.failure()))
	}
	return errors.Join(errs...)
}

func (p *pool) anyWorks() bool { return slices.ContainsFunc(p.list, (*upstream).works) }

// offers are what all upstreams offer.
func (p *pool) offers() capabilities {
	if common := p.common.Load(); common != nil {
		return *common
	}
	return nil
}

// agree finds out what all upstreams that were ever seen offer, with the parameters of the first: AUTH's are those that all
// have, SIZE is the smallest.
func (p *pool) agree() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var common capabilities
	for _, u := range p.list {
		u.mu.Lock()
		offers := u.offers
		u.mu.Unlock()
		switch {
		case offers == nil:
		case common == nil:
			common = maps.Clone(offers)
		default:
			common.keep(offers)
		}
	}
	p.common.Store(&common)
	most := int64(p.cfg.Limit.Size)
	if n, err := strconv.ParseInt(common["SIZE"], 10, 64); err == nil && n > 0 {
		most = min(most, n)
	}
	p.size.Store(most)
}

// keep leaves what others have as well.
func (c capabilities) keep(others capabilities) {
	for key, mine := range c {
		theirs, ok := others[key]
		switch {
		case !ok:
			delete(c, key)
		case key == "AUTH":
			c[key] = strings.Join(slices.DeleteFunc(strings.Fields(mine), func(m string) bool { return !slices.Contains(strings.Fields(theirs), m) }), " ")
		case key == "SIZE":
			a, _ := strconv.ParseInt(mine, 10, 64) // 0 or nothing is no limit (RFC 1870 section 4)
			b, _ := strconv.ParseInt(theirs, 10, 64)
			if b > 0 && (b < a || a <= 0) {
				c[key] = theirs
			}
		}
	}
}
