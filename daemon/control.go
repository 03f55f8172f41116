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
	"osm/incident"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/track"
	"osm/web"
)

// Status is what the daemon tells about itself.
type Status struct {
	Mode      policy.Mode   `json:"mode"`
	Logs      []tail.Status `json:"logs"`
	Store     store.Health  `json:"store"`
	Track     track.Stats   `json:"track"`
	Rules     policy.Stats  `json:"rules"`
	Lists     int           `json:"lists"`     // entries
	Incidents int           `json:"incidents"` // live ones
	Held      int           `json:"held"`      // messages
	Rights    string        `json:"rights"`    // what keeps the daemon from changing Exim's queue; "" is nothing
	Letters   int           `json:"letters"`   // alerts that have not arrived yet
	Notices   []string      `json:"notices"`   // what is missing or damaged beside the log
	Checks    *Opinions     `json:"checks,omitempty"`
}

// Order asks for a change of the lists, or for forgiveness.
type Order struct {
	What   policy.What  `json:"what"` // block, allow, unlist or forgive
	Key    osm.Key      `json:"key"`
	For    osm.Duration `json:"for"` // 0: for good
	Reason string       `json:"reason"`
}

// openControl opens the socket on which osm's other commands talk to the daemon: HTTP with JSON.
func (s *session) openControl(ctx context.Context) (func() error, error) {
	if s.cfg.Control.Socket == "" {
		return nil, nil
	}
	l, err := listenUnix(s.cfg.Control.Socket)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: s.control(), ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
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

// control are the paths of the control socket.
func (s *session) control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request, by string) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			by := r.Context().Value(callerKey{}).(string)
			if by == "" {
				reply(w, http.StatusForbidden, map[string]string{"error": "only root and osm's own user may use the control socket"})
				return
			}
			v, err := answer(r, by)
			if err != nil {
				reply(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
				return
			}
			reply(w, http.StatusOK, v)
		})
	}
	handle("GET /v1/status", func(r *http.Request, _ string) (any, error) { return s.status(r.Context()), nil })
	handle("GET /v1/lists", func(*http.Request, string) (any, error) { return s.entries(), nil })
	handle("POST /v1/orders", func(r *http.Request, by string) (any, error) {
		var o Order
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10)).Decode(&o); err != nil {
			return nil, fmt.Errorf("read the order: %w", err)
		}
		return s.order(o, by, time.Now())
	})
	handle("GET /v1/audit", func(*http.Request, string) (any, error) { return s.audit(), nil })
	handle("POST /v1/audit/{id}/undo", func(r *http.Request, by string) (any, error) { return s.undo(r.PathValue("id"), by, time.Now()) })
	handle("GET /v1/held", func(r *http.Request, _ string) (any, error) { return s.held(r.URL.Query(), time.Now()) })
	handle("GET /v1/held/{id}", func(r *http.Request, _ string) (any, error) { return s.heldOne(r.PathValue("id"), time.Now()) })
	handle("POST /v1/held", func(r *http.Request, by string) (any, error) {
		var o HeldOrder
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&o); err != nil {
			return nil, fmt.Errorf("read the order: %w", err)
		}
		return s.orderHeld(r.Context(), o, by, time.Now())
	})
	mux.HandleFunc("POST /v1/complaints", s.handleComplaint)
	handle("GET /v1/suspensions", func(*http.Request, string) (any, error) { return s.suspensions(), nil })
	handle("POST /v1/suspensions", func(r *http.Request, by string) (any, error) {
		var o SuspendOrder
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10)).Decode(&o); err != nil {
			return nil, fmt.Errorf("read the order: %w", err)
		}
		return s.suspend(o, by, time.Now())
	})
	handle("GET /v1/incidents", func(*http.Request, string) (any, error) { return s.incidents(), nil })
	handle("POST /v1/incidents/{id}/close", func(r *http.Request, by string) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return struct{}{}, s.alarm.book.Close(r.PathValue("id"), by, r.FormValue("reason"), time.Now())
	})
	handle("GET /v1/letters", func(*http.Request, string) (any, error) { return s.alarm.outbox.Letters(), nil })
	handle("POST /v1/letters/{id}/again", func(r *http.Request, _ string) (any, error) {
		defer s.alarm.awake()
		return struct{}{}, s.alarm.outbox.Again(r.PathValue("id"), time.Now())
	})
	handle("POST /v1/reload", func(*http.Request, string) (any, error) { return s.reload() })
	return mux
}

// reply writes an answer; a client that has gone away gets none.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *session) status(ctx context.Context) Status {
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
	st := Status{Mode: s.cfg.Policy.Mode, Logs: logs, Store: health, Track: s.engine.Track.Stats(), Rules: s.engine.Policy.Stats(),
		Lists: len(s.ledger.Entries()), Notices: s.engine.Enrich.Notices(),
		Rights: rights, Checks: opinions}
	st.Held, _, _ = s.holds.book.Size()
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

func (s *session) entries() []policy.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Entries()
}

func (s *session) audit() []policy.Deed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Deeds()
}

// incidents copies: the book goes on changing what it holds.
func (s *session) incidents() []incident.Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []incident.Incident{}
	for _, i := range s.alarm.book.All() {
		all = append(all, i.Clone())
	}
	return all
}

// order carries out one order and puts it into the audit trail.
func (s *session) order(o Order, by string, now time.Time) (d policy.Deed, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.What {
	case policy.Block, policy.Allow:
		e := policy.Entry{Allow: o.What == policy.Allow, Key: o.Key, Reason: o.Reason, By: by}
		if o.For > 0 {
			e.Until = now.Add(time.Duration(o.For))
		}
		if d, err = s.ledger.Put(e, now); err == nil && e.Allow {
			s.engine.Detect.Release(d.Key, now)
		}
	case policy.Unlist:
		d, err = s.ledger.Remove(o.Key, by, o.Reason, now)
	case policy.Forgive:
		if !s.engine.Detect.Release(o.Key, now) {
			return d, fmt.Errorf("nothing is known of %s: there is nothing to forgive", o.Key)
		}
		d = s.ledger.Note(policy.Deed{What: policy.Forgive, Key: o.Key, Reason: o.Reason, By: by, Time: now})
	default:
		return d, fmt.Errorf("unknown order %q: want block, allow, unlist or forgive", o.What)
	}
	if err == nil && (o.What == policy.Allow || o.What == policy.Forgive) {
		s.holds.looked(d.Key)
	}
	s.engine.Policy.Lists.Set(s.ledger.Entries())
	return d, err
}

func (s *session) undo(id, by string, now time.Time) (policy.Deed, error) {
	s.mu.Lock()
	d, _ := s.ledger.Deed(id)
	s.mu.Unlock()
	switch d.What {
	case Delete:
		return s.takeBack(d, by, now)
	case Suspend:
		return s.unsuspend(d, by, now)
	case web.SaveRule, web.RemoveRule:
		return s.undoRule(d, by, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.ledger.Undo(id, by, now)
	s.engine.Policy.Lists.Set(s.ledger.Entries())
	return d, err
}
