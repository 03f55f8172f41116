package policy

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"osm"
)

// ServerOptions are what a Server needs. Only Ask is required.
type ServerOptions struct {
	Ask      func(*Request) osm.Verdict // called from many goroutines at once
	Fallback osm.Verdict                // answered without asking when there is too much to do
	Allowed  func(uid int) bool         // which users may ask over a unix socket; nil: whoever can open it
	Most     int                        // connections served at once; 0 means 1,000. As many again get the fallback
	Idle     time.Duration              // how long a connection may be silent; 0 means 6 minutes (Postfix closes after 5)
	Logger   *slog.Logger
}

// Server answers policy queries: many on one connection, or one per connection with the write side shut.
type Server struct {
	options ServerOptions
	room    chan struct{} // a place for each connection, twice Most
	busy    atomic.Int64
	counts  ServerStats
}

// ServerStats are counts since the start.
type ServerStats struct {
	Asked     atomic.Uint64
	Overload  atomic.Uint64 // answered with the fallback
	Malformed atomic.Uint64
	Refused   atomic.Uint64 // connections of users that may not ask
}

const (
	maxRequest  = 1 << 20 // 10,000 recipients of 70 characters in base64
	firstBuffer = 4 << 10
)

// NewServer makes a server that listens to nothing yet.
func NewServer(o ServerOptions) *Server {
	if o.Most == 0 {
		o.Most = 1000
	}
	if o.Idle == 0 {
		o.Idle = 6 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{options: o, room: make(chan struct{}, 2*o.Most)}
}

// Stats may be read at any time.
func (s *Server) Stats() *ServerStats { return &s.counts }

// Serve answers on a listener until ctx is done; then it closes the listener, lets answers that are being made go out, and
// returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { l.Close() })
	for {
		s.room <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			<-s.room
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wait.Go(func() {
			defer func() { <-s.room }()
			stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
			defer stop()
			s.serve(ctx, conn)
		})
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	overloaded := s.busy.Add(1) > int64(s.options.Most)
	defer s.busy.Add(-1)
	if uid, ok := PeerUID(conn); ok && s.options.Allowed != nil && !s.options.Allowed(uid) {
		s.counts.Refused.Add(1)
		s.options.Logger.Warn("a user that may not ask tried to: see policy.users", "uid", uid)
		return
	}
	c := connection{Conn: conn, idle: s.options.Idle, in: make([]byte, 0, firstBuffer)}
	var out []byte
	var request Request
	for {
		if err := c.receive(ctx); err != nil {
			if errors.Is(err, ErrTooLarge) {
				s.malformed(conn, err)
			}
			return
		}
		n, err := request.parse(c.in)
		if err != nil {
			s.malformed(conn, err)
			return
		}
		out = AppendAnswer(out[:0], s.answer(&request, overloaded))
		if _, err := conn.Write(out); err != nil {
			return
		}
		c.in = append(c.in[:0], bytes.TrimLeft(c.in[n:], "\r\n")...)
	}
}

func (s *Server) answer(r *Request, overloaded bool) osm.Verdict {
	s.counts.Asked.Add(1)
	if overloaded {
		s.counts.Overload.Add(1)
		return s.options.Fallback
	}
	return s.options.Ask(r)
}

// malformed tells the client in the protocol's own way, and ends the connection: after a broken request nothing that
// follows can be trusted. Exim's snippet takes this answer for none at all.
func (s *Server) malformed(conn net.Conn, err error) {
	s.counts.Malformed.Add(1)
	s.options.Logger.Warn("a policy request can't be read", "error", err)
	conn.Write([]byte("action=ERROR malformed request\n\n")) // best effort: the connection is closed either way
}

// connection is one that is served, and what has come on it.
type connection struct {
	net.Conn
	in    []byte
	idle  time.Duration
	since time.Time // when the read deadline was set last
}

// receive reads until in begins with a whole request.
func (c *connection) receive(ctx context.Context) error {
	for looked := 0; !whole(c.in[looked:]); {
		looked = max(0, len(c.in)-2) // the two may be the beginning of its end
		if len(c.in) >= maxRequest {
			return ErrTooLarge
		}
		if len(c.in) == cap(c.in) {
			c.in = append(c.in, make([]byte, cap(c.in))...)[:len(c.in)]
		}
		if now := time.Now(); now.Sub(c.since) > c.idle/8 { // not for each of many quick ones
			if err := c.SetReadDeadline(now.Add(c.idle)); err != nil {
				return err
			}
			if c.since = now; ctx.Err() != nil { // the end of ctx has set another one, perhaps just before
				return ctx.Err()
			}
		}
		n, err := c.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+n]
		if err != nil && n == 0 {
			return err
		}
	}
	return nil
}

// whole tells whether there is an empty line: it ends a request. Mostly the last one is it.
func whole(in []byte) bool {
	return bytes.HasSuffix(in, []byte("\n\n")) || bytes.Contains(in, []byte("\n\n")) || bytes.Contains(in, []byte("\n\r\n"))
}
