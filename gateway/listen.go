package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"osm"
	"osm/cert"
)

// Gateway is the listening server.
type Gateway struct {
	cfg      Config
	options  Options
	log      *slog.Logger
	pool     *pool
	hold     *pool // of the quarantine server; nil without one
	limiter  *limiter
	tls      *tls.Config // nil: there is no certificate
	proxies  networks
	xclients networks
	relays   networks
	memory   budget
	buffers  buffers
	tarpit   chan struct{} // a place for each slowed connection
	ids      ids
	counts   Stats
	doors    []door

	mu       sync.Mutex
	sessions map[*session]struct{}
}

// door is one listening socket.
type door struct {
	net.Listener
	tls bool // TLS begins at once
}

// Stats are counts since the start. They may be read at any time.
type Stats struct {
	Connections atomic.Uint64
	Turned      atomic.Uint64 // connections refused: too many, early talkers, no upstream
	Messages    atomic.Uint64 // accepted by the upstream
	Refusals    atomic.Uint64 // verdicts spoken
	Held        atomic.Uint64
	Discarded   atomic.Uint64
	Smuggling   atomic.Uint64 // messages refused for bare line ends or NUL
	Slowed      atomic.Uint64 // answers given late
}

// graceful is how long messages on their way may take at the end.
const graceful = 5 * time.Second

// New makes a gateway that listens to nothing yet.
func New(cfg Config, o Options) (*Gateway, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Tell == nil {
		o.Tell = func(*Passage) {}
	}
	if cfg.Name == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("find this machine's name for the greeting: %w", err)
		}
		cfg.Name = name
	}
	if cfg.Hold == HoldExim && o.Rewriter == nil {
		return nil, errors.New(`gateway.hold = "exim" needs Exim's hold router and osm's key: run osm exim install --way rewrite`)
	}
	g := &Gateway{cfg: cfg, options: o, log: o.Logger, sessions: map[*session]struct{}{}, tarpit: make(chan struct{}, cfg.TarpitMost)}
	g.ids.process = uint64(os.Getpid())
	g.memory.most = int64(cfg.Limit.Memory)
	g.pool = newPool(&g.cfg, cfg.Name, o)
	if cfg.Hold != "" && cfg.Hold != HoldExim {
		g.hold = newPool(&g.cfg, cfg.Name, o)
		g.hold.list = []*upstream{{pool: g.hold, address: cfg.Hold, quarantine: true, down: errUntried}}
	}
	return g, g.prepare()
}

// prepare reads what Config.Check has seen already.
func (g *Gateway) prepare() (err error) {
	if g.cfg.Certificate != "" {
		own, err := cert.Open(g.cfg.Certificate, g.cfg.Key, g.options.Now, g.options.Logger)
		if err != nil {
			return err
		}
		g.tls = own.Config()
	}
	for _, n := range []struct {
		from []string
		to   *networks
	}{{g.cfg.ProxyFrom, &g.proxies}, {g.cfg.XclientFrom, &g.xclients}, {g.cfg.RelayFrom, &g.relays}} {
		if *n.to, err = parseNetworks(n.from); err != nil {
			return err
		}
	}
	free := append(networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, g.relays...)
	g.limiter = newLimiter(g.cfg.Limit, free, g.options.Now)
	return nil
}

// Stats may be read at any time.
func (g *Gateway) Stats() *Stats { return &g.counts }

// Problems tells which of the servers behind the gateway do not work, and why. One that was not tried yet is none.
func (g *Gateway) Problems() (all []string) {
	for _, p := range []struct {
		*pool
		what string
	}{{g.pool, "upstream"}, {g.hold, "quarantine"}} {
		if p.pool == nil {
			continue
		}
		for _, u := range p.list {
			if err := u.failure(); err != nil && err != errUntried {
				all = append(all, fmt.Sprintf("%s %s does not work: %s", p.what, u.address, oneLine(err)))
			}
		}
	}
	return all
}

// Listen opens all listening sockets, or none.
func (g *Gateway) Listen() error {
	for _, l := range []struct {
		addresses []string
		tls       bool
	}{{g.cfg.Listen, false}, {g.cfg.ListenTLS, true}} {
		for _, address := range l.addresses {
			listener, err := net.Listen("tcp", address)
			if err != nil {
				return errors.Join(fmt.Errorf("listen for mail: %w", err), g.close())
			}
			g.doors = append(g.doors, door{listener, l.tls})
		}
	}
	return nil
}

// Addresses are those that are listened on, in the order of listen and listen_tls.
func (g *Gateway) Addresses() []netip.AddrPort {
	var all []netip.AddrPort
	for _, d := range g.doors {
		all = append(all, d.Addr().(*net.TCPAddr).AddrPort())
	}
	return all
}

func (g *Gateway) close() error {
	var errs []error
	for _, d := range g.doors {
		if err := d.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Serve takes mail until ctx is done; then messages on their way have some seconds to end, and it returns nil. An error of a
// listener ends it too.
func (g *Gateway) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	for _, p := range []*pool{g.pool, g.hold} {
		if p != nil {
			p.probe(ctx)
			work.Go(func() { p.watch(ctx) })
		}
	}
	errs := make([]error, len(g.doors))
	for i, d := range g.doors {
		work.Go(func() {
			errs[i] = g.accept(ctx, d, &work)
			cancel()
		})
	}
	<-ctx.Done()
	err := g.close()
	g.end()
	work.Wait()
	g.pool.close()
	return errors.Join(append(errs, err)...)
}

// end asks all connections to end, and closes after a while those that have not.
func (g *Gateway) end() {
	each := func(do func(*session)) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for s := range g.sessions {
			do(s)
		}
	}
	each((*session).hurry)
	time.AfterFunc(graceful, func() { each(func(s *session) { s.raw.Close() }) })
}

func (g *Gateway) accept(ctx context.Context, d door, work *sync.WaitGroup) error {
	for {
		conn, err := d.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case temporary(err): // too many open files: some will be closed
			g.log.Error("a connection can't be taken", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		case err != nil:
			return fmt.Errorf("take connections on %s: %w", d.Addr(), err)
		}
		g.counts.Connections.Add(1)
		if !g.limiter.enter() {
			g.turn(conn, d.tls, "too many connections, try again later")
			conn.Close()
			continue
		}
		work.Go(func() { g.serve(ctx, conn, d.tls) })
	}
}

func temporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary() && !errors.Is(err, net.ErrClosed)
}

// turn refuses a connection that is closed then. The socket's buffer takes the few bytes at once.
func (g *Gateway) turn(conn net.Conn, encrypted bool, why string) {
	g.counts.Turned.Add(1)
	if !encrypted { // a client that waits for TLS could not read it
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(conn, "421 4.7.0 %s %s\r\n", g.cfg.Name, osm.Printable(why))
	}
}

// serve is the life of one connection.
func (g *Gateway) serve(ctx context.Context, conn net.Conn, encrypted bool) {
	s := g.newSession(ctx, conn, encrypted)
	g.mu.Lock()
	g.sessions[s] = struct{}{}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.sessions, s)
		g.mu.Unlock()
		s.close()
	}()
	defer func() { // a mistake of this program's with one client must not take the others' mail with it
		if why := recover(); why != nil {
			g.log.Error("a connection has failed in the gateway itself: please report this", "panic", why, "stack", string(debug.Stack()))
		}
	}()
	s.run()
}

// budget is memory that all connections share.
type budget struct {
	most int64
	used atomic.Int64
}

// take takes n bytes, or nothing.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.most {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }
