package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"osm/access"
	"osm/store"
)

// Route is one thing that can be asked, and the right that it takes.
type Route struct {
	Method string
	Path   string // as http.ServeMux has it, below the base path
	Need   Right
}

// apiPath begins the paths of the API: their answers are JSON, errors too (RFC 9457).
const apiPath = "/api/"

// Routes lists everything that can be asked.
func (s *Server) Routes() []Route { return s.routes }

// handle registers a page, a form's target or a file: whoever has not the right does not get to h.
func (s *Server) handle(method, path string, need Right, h http.HandlerFunc) {
	s.routes = append(s.routes, Route{method, path, need})
	s.mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
		if s.admit(w, r, need) {
			h(w, r)
		}
	})
}

// admit tells whether the viewer has a right, and answers him when he has not.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, need Right) bool {
	v := ViewerOf(r.Context())
	switch {
	case v.May(need):
		return true
	case v.Role != "":
		s.fail(w, r, http.StatusForbidden, forbidden(need))
	case strings.HasPrefix(r.URL.Path, apiPath):
		s.fail(w, r, http.StatusUnauthorized, unauthorized)
	default:
		to := s.path("/login")
		if r.Method == http.MethodGet && r.URL.Path != "/" {
			to += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
	return false
}

const unauthorized = "sign in, or send a token (Authorization: Bearer osm_...)"

func forbidden(need Right) string { return "you may not do this: it takes the right " + string(need) }

// path is a path of ours as a browser has to ask for it.
func (s *Server) path(below string) string { return s.o.Config.BasePath + below }

// operation is one of the API.
type operation struct {
	id, method, path string
	need             Right
	about            string // in one sentence
}

// body is an answer's body, as huma wants it.
type body[T any] struct{ Body T }

// none is for operations that take nothing, or have nothing to tell.
type none struct{}

// api registers an operation of the API: once for browsers, programs, the control socket and the description. An answer's
// error is told as what it is: see problem.
func api[I, O any](s *Server, op operation, answer func(ctx context.Context, in *I) (O, error)) {
	path := apiPath + "v1" + op.path
	s.routes = append(s.routes, Route{op.method, path, op.need})
	tag, _, _ := strings.Cut(strings.TrimPrefix(op.path, "/"), "/")
	o := huma.Operation{OperationID: op.id, Method: op.method, Path: path, Summary: op.about, MaxBodyBytes: mostBody, Tags: []string{tag},
		Errors:     []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
		Extensions: map[string]any{"x-right": string(op.need)},
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			v := ViewerOf(ctx.Context())
			switch {
			case v.May(op.need):
				next(ctx)
			case v.Role == "":
				s.deny(ctx, http.StatusUnauthorized, unauthorized)
			default:
				s.deny(ctx, http.StatusForbidden, forbidden(op.need))
			}
		}}}
	if !op.need.open() {
		o.Security = []map[string][]string{{"token": {string(op.need)}}, {"session": {}}}
	}
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*body[O], error) {
		out, err := answer(ctx, in)
		if err != nil {
			status, text := s.problem(err)
			return nil, huma.NewError(status, text)
		}
		return &body[O]{out}, nil
	})
}

func (s *Server) deny(ctx huma.Context, status int, text string) {
	if err := huma.WriteErr(s.api, ctx, status, text); err != nil {
		s.o.Logger.Debug("a client has gone away", "error", err)
	}
}

// errForbidden says that the viewer may ask, but not for this.
var errForbidden = errors.New("you may not do this")

// problem is an error as a status and words. What is wrong inside of osm is for the log.
func (s *Server) problem(err error) (status int, text string) {
	var history *store.Error
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, err.Error()
	case errors.Is(err, store.ErrNotFound), errors.Is(err, access.ErrNotFound):
		return http.StatusNotFound, ErrNotFound.Error()
	case errors.Is(err, errForbidden):
		return http.StatusForbidden, err.Error()
	case errors.Is(err, access.ErrThrottled):
		return http.StatusTooManyRequests, err.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "it took too long, or was broken off"
	case errors.As(err, &history):
		s.o.Logger.Error("a question about the history can't be answered", "error", err)
		return http.StatusServiceUnavailable, "the history can't be read now: the daemon's log says why"
	}
	return http.StatusUnprocessableEntity, err.Error()
}

// fail answers with an error: JSON below the API, a page elsewhere.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	if strings.HasPrefix(r.URL.Path, apiPath) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: text})
		return
	}
	s.failPage(w, r, status, text)
}

// self is what a viewer is called in the audit trail.
func self(ctx context.Context) string { return ViewerOf(ctx).Name }
