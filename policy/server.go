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
	Ask      func(*Request) osm.Verdict // called from many goroutines at once; the Request is the server's
	Quick    func() bool                // Ask answers from memory now; nil: never
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
	d := &desk{in: make([]byte, firstBuffer)}
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
		c := &connection{Conn: conn, idle: s.options.Idle}
		if s.atOnce(c, d) {
			<-s.room
			continue
		}
		wait.Go(func() {
			defer func() { <-s.room }()
			stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
			defer stop()
			s.serve(ctx, c)
		})
	}
}

// desk is what answering takes, besides the connection.
type desk struct {
	in      []byte // of atOnce
	parser  parser
	request Request
	out     []byte
}

// atOnce answers what has come already on a new connection, without waiting for more, and reports true when it is over.
// Exim asks one question and shuts its side: a goroutine, a second thread that looks for it and the growth of its stack
// would cost several times what the answer does, on processors that Exim needs.
func (s *Server) atOnce(c *connection, d *desk) (over bool) {
	if !s.allowed(c) {
		c.Close()
		return true
	}
	if s.options.Quick == nil || !s.options.Quick() {
		return false
	}
	n, end := c.readNow(d.in)
	c.in = d.in[:n]
	if whole(c.in) {
		end = !s.answer(c, d, s.busy.Load() >= int64(s.options.Most))
		if !end && len(c.in) == 0 {
			n, end = c.readNow(d.in)
			c.in = d.in[:n]
		}
	}
	if end {
		c.Close()
		return true
	}
	c.in = bytes.Clone(c.in)
	return false
}

// allowed tells whether who is at the other end may ask.
func (s *Server) allowed(c *connection) bool {
	uid, ok := PeerUID(c.Conn)
	if !ok || s.options.Allowed == nil || s.options.Allowed(uid) {
		return true
	}
	s.counts.Refused.Add(1)
	s.options.Logger.Warn("a user that may not ask tried to: see policy.users", "uid", uid)
	return false
}

func (s *Server) serve(ctx context.Context, c *connection) {
	defer c.Close()
	overloaded := s.busy.Add(1) > int64(s.options.Most)
	defer s.busy.Add(-1)
	var d desk
	for {
		if err := c.receive(ctx, d.request.Message.Time); err != nil {
			if errors.Is(err, ErrTooLarge) {
				s.malformed(c, err)
			}
			return
		}
		if !s.answer(c, &d, overloaded) {
			return
		}
	}
}

// answer answers the request that c.in begins with. It reports false when the connection can't go on.
func (s *Server) answer(c *connection, d *desk, overloaded bool) bool {
	n, err := d.parser.parse(&d.request, c.in)
	if err != nil {
		s.malformed(c, err)
		return false
	}
	d.out = AppendAnswer(d.out[:0], s.verdict(&d.request, overloaded))
	c.in = append(c.in[:0], bytes.TrimLeft(c.in[n:], "\r\n")...)
	_, err = c.Write(d.out)
	return err == nil
}

func (s *Server) verdict(r *Request, overloaded bool) osm.Verdict {
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
