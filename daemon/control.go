package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"time"

	"osm"
	"osm/policy"
	"osm/web"
)

// openControl opens the socket on which osm's other commands talk to the daemon: the API of the pages, by HTTP.
func (s *session) openControl(ctx context.Context) (func() error, error) {
	if s.cfg.Control.Socket == "" {
		return nil, nil
	}
	l, err := listenUnix(s.cfg.Control.Socket)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.web.Control(func(ctx context.Context) string { return ctx.Value(callerKey{}).(string) }))
	mux.HandleFunc("POST /api/v1/complaints", s.handleComplaint) // any user of the machine
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, callerKey{}, caller(c))
		}}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	return func() error {
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the control socket: %w", err)
		}
		return nil
	}, nil
}

// callerKey is where a connection's context holds who is at its other end.
type callerKey struct{}

// caller is the name of the user at the other end, "" when he may not give orders: root and osm's own user may.
func caller(c net.Conn) string {
	uid, ok := policy.PeerUID(c)
	if !ok || uid != 0 && uid != os.Getuid() {
		return ""
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// reply writes an answer; a client that has gone away gets none.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// lost says what did not fit into memory since the start. It is called with the mutex held.
func (s *session) lost() (notices []string) {
	_, _, held := s.holds.book.Size()
	for _, l := range []struct {
		count uint64
		text  string
	}{
		{s.engine.asked.Dropped, "%s, refused or taken by the gateway, can't be found in the history: more came in a second than are kept until it is saved"},
		{held, "%s found no room among those that wait for somebody (hold.most): what is held stays held, and is taken up when others have gone"},
		{s.alarm.book.Lost(), "%s with findings belong to no incident: there are too many live ones"},
	} {
		if l.count > 0 {
			notices = append(notices, fmt.Sprintf(l.text, osm.Count(l.count, "message")))
		}
	}
	return notices
}

func (s *session) status(ctx context.Context) web.Status {
	health := s.store.Health(ctx)
	logs := s.follower.Status()
	rights := ""
	if q := s.holds.queue.Load(); q != nil {
		if err := q.Rights(); err != nil {
			rights = err.Error()
		}
	}
	opinions := s.opinions()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := web.Status{Mode: s.cfg.Policy.Mode, Logs: logs, Store: health, Track: s.engine.Track.Stats(), Rules: s.engine.Policy.Stats(),
		Lists: len(s.ledger.Entries()), Notices: s.engine.Enrich.Notices(),
		Rights: rights, Checks: opinions}
	st.Held, _, _ = s.holds.book.Size()
	st.Notices = append(append(st.Notices, s.lost()...), s.front.notices()...)
	for _, i := range s.alarm.book.All() {
		if i.Live() {
			st.Incidents++
		}
	}
	for _, l := range s.alarm.outbox.Letters() {
		if l.Sent.IsZero() && !l.GivenUp {
			st.Letters++
		}
	}
	return st
}
