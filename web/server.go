// Package web is osm in a browser and for programs: pages, a JSON API and live events on one address, and the same API on the
// daemon's control socket. Every route names the right that it takes (right.go), and every question is asked within the scope
// of who asks. It holds no state of the mail: the history answers (store.Reader), and the daemon's calls in Options. It leaves
// to others who may come in (access), and doing what is ordered (daemon).
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"osm"
	"osm/access"
	"osm/action"
	"osm/cert"
	"osm/incident"
	"osm/policy"
	"osm/store"
)

// Options are what a Server is told. Config, Access, History, Now and the calls are needed, but where it is said otherwise.
// The calls may be made by many goroutines at once. Those that take a scope tell nothing of what is outside of it.
type Options struct {
	Config  Config
	Access  *access.Access
	History *store.Reader
	Logger  *slog.Logger
	Now     func() time.Time
	Zone    *time.Location // of times where the browser does not say; nil: UTC
	Host    string         // name of this server
	Version string

	Status      func(ctx context.Context) Status
	Incidents   func(access.Scope) []incident.Incident // copies, in the order of incident.Sort
	Incident    func(scope access.Scope, id string) (incident.Incident, bool)
	Close       func(id, reason, by string) error
	Baseline    func(access.Scope, osm.Key) *Baseline // nil: nothing is known
	Lists       func() []policy.Entry
	Order       func(o Order, by string) (policy.Deed, error)
	Deeds       func() []policy.Deed // the latest first
	Undo        func(id, by string) (policy.Deed, error)
	Held        func(HeldQuery) (*Held, error)
	HeldOne     func(scope access.Scope, id string) (*HeldOne, error)
	OrderHeld   func(ctx context.Context, o HeldOrder, by string) (*HeldAnswer, error)
	Suspensions func(access.Scope) []action.Suspension
	Suspend     func(o SuspendOrder, by string) (*SuspendAnswer, error)
	Means       func() []action.Means // by which somebody is suspended when nobody says how
	Rules       func() []Rule         // without hits
	Letters     func() []action.Letter
	SendAgain   func(id, by string) error
	Reload      func(by string) (*Reloaded, error)
	Settings    func() []Setting
	Doctor      func(ctx context.Context) []Finding
	Opinions    func() *Opinions // nil: no check is enabled

	RuleCalls

	Feed *Feed // what the engine finds, live; nil: pages stand still

	Metrics prometheus.Gatherer // nil: there are none
}

// Server answers browsers and programs.
type Server struct {
	o        Options
	mux      *http.ServeMux
	api      huma.API
	routes   []Route
	sessions *scs.SessionManager
	passkeys *access.Passkeys // nil where the pages have no name: an address alone has no passkeys
	sso      *access.SSO      // nil: none is configured
	trusted  []netip.Prefix
	pages    *pages
	origins  *http.CrossOriginProtection
	policy   string    // Content-Security-Policy
	zippers  sync.Pool // of *gzip.Writer
	reports  reports
	memory   memory
}

// Limits of what a client may send, and of how long that may take.
const (
	readHeader = 10 * time.Second
	readAll    = 30 * time.Second
	writeAll   = time.Minute // live events have no such limit
	keepOpen   = 2 * time.Minute
	mostHeader = 32 << 10
	mostBody   = 1 << 20
	stopWithin = 5 * time.Second
)

// New makes a Server. It opens nothing and starts nothing.
func New(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	s := &Server{o: o, mux: http.NewServeMux(), origins: http.NewCrossOriginProtection()}
	for _, text := range o.Config.Trusted {
		n, err := network(text)
		if err != nil {
			return nil, fmt.Errorf("web.trusted: %w", err)
		}
		s.trusted = append(s.trusted, n)
	}
	if err := s.origins.AddTrustedOrigin(o.Config.Origin()); err != nil {
		return nil, fmt.Errorf("web.url: %w", err)
	}
	s.policy = contentPolicy(&o.Config)
	s.openSessions()
	for _, add := range []func() error{
		s.addAPI,
		s.addRules,
		s.addOwn,
		s.addUsers,
		s.addMetrics,
		s.addSignIn,
		s.addPages,
	} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// openSessions prepares how browsers stay signed in.
func (s *Server) openSessions() {
	kept := s.o.Access.Sessions()
	kept.Idle = time.Duration(s.o.Config.Idle)
	s.sessions = &scs.SessionManager{Lifetime: time.Duration(s.o.Config.Session), Store: kept, Codec: access.SessionCodec{}, HashTokenInStore: true}
	passkeys, err := s.o.Access.Passkeys(s.o.Config.Origin())
	if err != nil {
		s.o.Logger.Info("there are no passkeys: web.url must have a name", "error", err)
	}
	s.passkeys = passkeys
	if c := &s.o.Config.OIDC; c.Issuer != "" {
		s.sso = s.o.Access.SSO(access.SSOOptions{Issuer: c.Issuer, Client: c.Client, Secret: c.Secret.Reveal(), Claim: c.Claim,
			Redirect: s.o.Config.Origin() + s.o.Config.BasePath + oidcBack})
	}
}

// Listen opens the address of the pages, and returns what serves it until ctx is done. Both are nil where there are to be
// none.
func (s *Server) Listen(ctx context.Context) (serve func() error, err error) {
	cfg := &s.o.Config
	if cfg.Listen == "" {
		return nil, nil
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: readHeader, ReadTimeout: readAll, WriteTimeout: writeAll, IdleTimeout: keepOpen,
		MaxHeaderBytes: mostHeader, ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }} // ends the live events too
	if cfg.TLSCert != "" {
		own, err := cert.Open(cfg.TLSCert, cfg.TLSKey, s.o.Now, s.o.Logger)
		if err != nil {
			return nil, fmt.Errorf("serve the pages by https (web.tls_cert): %w", err)
		}
		server.TLSConfig = own.Config()
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for browsers (web.listen): %w", err)
	}
	return func() error { return s.serve(ctx, server, l) }, nil
}

func (s *Server) serve(ctx context.Context, server *http.Server, l net.Listener) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(soon), server.Close())
	})
	var err error
	if server.TLSConfig != nil {
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	stop()
	return fmt.Errorf("serve the pages: %w", err)
}

// Handler is everything, as browsers reach it.
func (s *Server) Handler() http.Handler {
	return s.guard(s.compress(s.origins.Handler(s.recognize(s.mux))))
}

// Control is the API for whoever the kernel says is at the other end of the control socket: who is his name, "" when he may
// give no orders.
func (s *Server) Control(who func(context.Context) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := who(r.Context())
		if name == "" {
			s.fail(w, r, http.StatusForbidden, "only root and osm's own user may use the control socket")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		v := &Viewer{Name: name, Role: access.Admin, Scope: access.Scope{All: true}, Via: ViaControl}
		s.mux.ServeHTTP(w, r.WithContext(withViewer(r.Context(), v)))
	})
}

// history is what the viewer of a context may see of the history: the store itself leaves out the rest.
func (s *Server) history(ctx context.Context) *store.Reader {
	v := ViewerOf(ctx)
	if v.Scope.All {
		return s.o.History
	}
	return s.o.History.Within(v.Scope.Accounts)
}
