package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"osm"
	"osm/policy"
)

// listenUnix opens a unix socket at path, in place of one that nobody answers on any more. The folder is made if it is
// missing. Everybody may connect: who it is, the kernel tells.
func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the socket %s: %w", path, err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("listen on %s: another program answers there; is osm running already?", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket that an earlier osm left: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("let others connect to %s: %w", path, err), l.Close())
	}
	return l, nil
}

// openPolicy opens what mail servers ask on, and returns what serves it.
func (s *session) openPolicy(ctx context.Context) (func() error, error) {
	cfg := &s.cfg.Policy
	if err := s.openRewriter(); err != nil {
		return nil, err
	}
	var listeners []net.Listener
	if cfg.Socket != "" {
		l, err := listenUnix(cfg.Socket)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
	}
	if cfg.TCP != "" {
		l, err := net.Listen("tcp", cfg.TCP)
		if err != nil {
			return nil, fmt.Errorf("listen for policy questions: %w", err)
		}
		listeners = append(listeners, l)
	}
	server := policy.NewServer(policy.ServerOptions{Ask: func(r *policy.Request) osm.Verdict { return s.ask(ctx, r) }, Fallback: cfg.Fallback(), Allowed: cfg.Allowed(os.Getuid()),
		Quick: func() bool { return !s.checks.Load().Any() }, Most: cfg.Most, Logger: s.options.Logger})
	s.asks.Store(server.Stats())
	return func() error {
		errs := make([]error, len(listeners))
		var wait sync.WaitGroup
		for i, l := range listeners {
			wait.Go(func() { errs[i] = server.Serve(ctx, l) })
		}
		wait.Wait()
		return errors.Join(errs...)
	}, nil
}

// openRewriter reads the key of rewritten addresses, unless that has been done. Without one the rewriting way is not in
// use; osm exim install may make it while the daemon runs.
func (s *session) openRewriter() error {
	s.mu.Lock()
	known := s.engine.Rewriter != nil
	s.mu.Unlock()
	if known {
		return nil
	}
	w, err := policy.OpenRewriter(s.options.key())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w.Released = s.holds.released // asked with the mutex held
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.Rewriter = w
	return nil
}

// ask answers one policy question. In shadow the answer is to accept, whatever was found; what was held by rewriting before
// still waits for its release. Outside opinions are asked before the mutex is taken.
func (s *session) ask(ctx context.Context, r *policy.Request) osm.Verdict {
	begun := time.Now()
	defer func() { s.meter.questions.add(time.Since(begun)) }()
	now := begun
	if s.consult(ctx, r) {
		now = time.Now()
	}
	s.waiting.Add(1)
	s.mu.Lock()
	s.waiting.Add(-1)
	defer s.mu.Unlock()
	v := s.engine.Ask(r, now)
	if s.cfg.Policy.Mode == policy.Shadow && !(r.State == policy.Rewrite && policy.IsRewritten(r.Recipient)) {
		return osm.Verdict{}
	}
	return v
}
