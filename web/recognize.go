package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"osm/access"
)

// Values of a session. Those that tell whose it is are access.UserValue and access.GuestValue.
const (
	pendingValue = "pending" // name of a user whose password was right and whose second factor is awaited
	viaValue     = "via"
	sinceValue   = "since" // RFC 3339
	fromValue    = "from"
	agentValue   = "agent"
	passkeyValue = "passkey" // state of a ceremony
	ssoValue     = "sso"     // access.SignOn as JSON
	nextValue    = "next"    // where a sign-in goes on
)

const (
	sessionCookie = "osm_session"
	mostCookie    = 200              // bytes of a cookie that is looked at
	unknownFor    = 10 * time.Minute // a session of nobody
)

// recognize finds out who asks: by a token, or by the session of a cookie. Nobody is an answer too.
func (s *Server) recognize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if header := r.Header.Get("Authorization"); header != "" {
			v, err := s.byToken(r.Context(), header)
			if err != nil {
				s.refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(withViewer(r.Context(), v)))
			return
		}
		token := ""
		if c, err := r.Cookie(sessionCookie); err == nil && len(c.Value) <= mostCookie {
			token = c.Value
		}
		ctx, err := s.sessions.Load(r.Context(), token)
		var v *Viewer
		if err == nil {
			v, err = s.bySession(ctx)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(withViewer(ctx, v)))
	})
}

// refuse answers who can't be recognized.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, access.ErrOver) || errors.Is(err, access.ErrNotFound) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="osm", error="invalid_token"`)
		s.fail(w, r, http.StatusUnauthorized, "this token is not valid, or no longer")
		return
	}
	s.o.Logger.Error("nobody can sign in: the file of users can't be read", "error", err)
	s.fail(w, r, http.StatusServiceUnavailable, "the file of users can't be read now: the daemon's log says why")
}

func (s *Server) byToken(ctx context.Context, header string) (*Viewer, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, access.ErrOver
	}
	u, t, err := s.o.Access.UseToken(ctx, strings.TrimSpace(secret))
	if err != nil {
		return nil, err
	}
	v := &Viewer{Name: u.Name, Role: u.Role, Scope: u.Scope(), Via: ViaToken}
	if len(t.Scopes) > 0 {
		v.Limits = []Right{}
		for _, scope := range t.Scopes {
			v.Limits = append(v.Limits, expand(scope)...)
		}
	}
	return v, nil
}

// ReadScope is the scope of a token that may see what its user may, and change nothing.
const ReadScope = "read"

// changes are the rights to change something, or to let somebody in.
var changes = []Right{CloseIncidents, ReleaseHeld, DeleteHeld, ChangeSuspended, TryRules, ChangeRules, ChangeLists, ReloadConfig, UndoDeeds,
	ResendLetters, ChangeUsers, MakeLinks}

// expand is what a token's scope allows.
func expand(scope string) []Right {
	if scope != ReadScope {
		return []Right{Right(scope)}
	}
	var all []Right
	for need := range roles {
		if !slices.Contains(changes, need) {
			all = append(all, need)
		}
	}
	return all
}

// CheckScopes reports a scope of a token that there is not.
func CheckScopes(scopes []string) error {
	for _, scope := range scopes {
		if _, known := roles[Right(scope)]; !known && scope != ReadScope {
			var all []string
			for need := range roles {
				all = append(all, string(need))
			}
			slices.Sort(all)
			return errors.New("unknown scope " + scope + ": want read or some of " + strings.Join(all, ", "))
		}
	}
	return nil
}

// bySession finds out whose session it is. What a user may is read anew each time: it may have been changed.
func (s *Server) bySession(ctx context.Context) (*Viewer, error) {
	if name := s.sessions.GetString(ctx, access.UserValue); name != "" {
		u, err := s.o.Access.User(ctx, name)
		if errors.Is(err, access.ErrNotFound) {
			return &Viewer{}, nil
		}
		if err != nil {
			return nil, err
		}
		return &Viewer{Name: u.Name, Role: u.Role, Scope: u.Scope(), Via: ViaSession}, nil
	}
	text := s.sessions.GetString(ctx, access.GuestValue)
	if text == "" {
		return &Viewer{}, nil
	}
	var g access.Guest
	if err := json.Unmarshal([]byte(text), &g); err != nil || g.Check() != nil {
		s.o.Logger.Warn("a guest's session is damaged", "error", err)
		return &Viewer{}, nil
	}
	return &Viewer{Name: g.Name, Role: g.Role, Scope: access.ScopeOf(g.Role, g.Accounts), Via: Via(s.sessions.GetString(ctx, viaValue))}, nil
}

// keep saves the session of a request, and gives the browser its cookie.
func (s *Server) keep(w http.ResponseWriter, r *http.Request) error {
	token, expires, err := s.sessions.Commit(r.Context())
	if err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(r, token, expires))
	return nil
}

// forget ends the session of a request.
func (s *Server) forget(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	c := s.cookie(r, "", time.Unix(1, 0))
	c.MaxAge = -1
	http.SetCookie(w, c)
	return nil
}

func (s *Server) cookie(r *http.Request, value string, expires time.Time) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, Path: s.path("/"), Expires: expires, HttpOnly: true,
		Secure: fromOf(r.Context()).secure, SameSite: http.SameSiteLaxMode}
}
