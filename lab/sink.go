package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// SinkOptions says what the outside world is like.
type SinkOptions struct {
	// Spam is a text by which receivers tell spam: a message that has it counts. From SpamAfter such messages on, those
	// that follow are refused as spam; from ListedAfter on our address is on a block list, and some refuse all of our mail.
	// 0 is never.
	Spam                   string
	SpamAfter, ListedAfter int

	// Keep is how many messages can be read back, the newest; 0 is 1000.
	Keep int
}

// Received is a message as the sink got it.
type Received struct {
	To         string // name of the receiving host
	Helo       string
	Sender     string
	Recipients []string
	Data       []byte // as it came over the wire, with CRLF
}

// Sink is the outside world: mail servers on loopback that take what the lab sends, and refuse some. What they say to a
// recipient is told by its local part: "gone.…" does not exist, "full.…" has a full mailbox, "grey.…" and "busy.…" are
// greylisted or rate limited at the first attempt. Sent messages stay in memory only.
type Sink struct {
	options   SinkOptions
	receivers []receiver
	port      uint16
	servers   []*smtp.Server
	serving   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something was received or refused
	kept    []*Received
	tried   map[string]bool // recipients that were told to come again
	spam    int
	totals  Totals
	perFrom map[string]int
	perTo   map[string]int
}

// Totals is what the sink has seen.
type Totals struct {
	Messages, Recipients int // accepted
	Refused              int // recipients and messages refused, for now or for good
	Spam                 int // accepted messages that had the text of spam
}

// NewSink starts the outside world. Close ends it.
func NewSink(o SinkOptions) (*Sink, error) {
	if o.Keep == 0 {
		o.Keep = 1000
	}
	s := &Sink{options: o, receivers: receivers(), changed: make(chan struct{}), tried: make(map[string]bool),
		perFrom: make(map[string]int), perTo: make(map[string]int)}
	listeners, err := s.listen()
	if err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	for i, l := range listeners {
		server := s.server(&s.receivers[i])
		s.servers = append(s.servers, server)
		s.serving.Go(func() { server.Serve(l) }) // ends with net.ErrClosed at Close
	}
	return s, nil
}

// server is one receiver. Zero is no limit in go-smtp: all are set.
func (s *Sink) server(r *receiver) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{sink: s, receiver: r, conn: c}, nil
	}))
	server.Domain = r.mx
	server.MaxRecipients = 1000
	server.MaxMessageBytes = 50 << 20
	server.MaxLineLength = 4096
	server.ReadTimeout = time.Minute
	server.WriteTimeout = time.Minute
	server.ErrorLog = log.New(io.Discard, "", 0) // clients that hang up are no news
	return server
}

// listen binds one port on the addresses of all receivers: Exim's transport has one port for all hosts.
func (s *Sink) listen() ([]net.Listener, error) {
	var failures error
	for range 10 { // a port that is free on one address may be taken on another
		var listeners []net.Listener
		port := uint16(0)
		for _, r := range s.receivers {
			l, err := net.Listen("tcp4", netip.AddrPortFrom(r.ip, port).String())
			if err != nil {
				failures = errors.Join(failures, err)
				break
			}
			listeners = append(listeners, l)
			port = l.Addr().(*net.TCPAddr).AddrPort().Port()
		}
		if len(listeners) == len(s.receivers) {
			s.port = port
			return listeners, nil
		}
		for _, l := range listeners {
			l.Close()
		}
	}
	return nil, failures
}

// Close ends all connections and servers.
func (s *Sink) Close() error {
	var failures []error
	for _, server := range s.servers {
		if err := server.Close(); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			failures = append(failures, err)
		}
	}
	s.serving.Wait()
	return errors.Join(failures...)
}

// Address is that of the last receiver, which takes mail for every domain.
func (s *Sink) Address() netip.AddrPort {
	return netip.AddrPortFrom(s.receivers[len(s.receivers)-1].ip, s.port)
}

// Totals is what was received until now.
func (s *Sink) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}

// From tells how many messages of an envelope sender were received, and To how many for a recipient.
func (s *Sink) From(sender string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.perFrom[sender]
}

// To tells how many messages a recipient got.
func (s *Sink) To(recipient string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.perTo[recipient]
}

// Wait returns the first kept message that matches, waiting for it until ctx ends.
func (s *Sink) Wait(ctx context.Context, match func(*Received) bool) (*Received, error) {
	for {
		s.mu.Lock()
		i := slices.IndexFunc(s.kept, match)
		changed := s.changed
		if i >= 0 {
			defer s.mu.Unlock()
			return s.kept[i], nil
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a message at the sink: %w", ctx.Err())
		}
	}
}
