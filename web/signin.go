package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"osm/access"
)

// Where people come in. A failed try goes back to /login with why= one of the words below.
const (
	loginPath  = "/login"
	codePath   = "/login/code"
	ticketPath = "/ticket/"
	linkPath   = "/link/"
	oidcBegin  = "/login/oidc"
	oidcBack   = "/login/oidc/back"
)

// Why a sign-in failed.
const (
	whyWrong     = "wrong"     // name or password
	whyThrottled = "throttled" // too many tries
	whyCode      = "code"      // the second factor
	whyOver      = "over"      // a ticket, a link or a half-done sign-in is no longer valid
	whyUnknown   = "unknown"   // the sign-on provider knows him, we do not
	whyProvider  = "provider"  // it can't be reached, or its answer is not valid
	whySignedOut = "out"
)

// addSignIn registers the ways in and out. The form itself is a page (GET /login, and GET /login/code for the second factor).
func (s *Server) addSignIn() error {
	s.handle(http.MethodPost, loginPath, Anybody, s.login)
	s.handle(http.MethodPost, codePath, Anybody, s.loginCode)
	s.handle(http.MethodPost, "/logout", SignedIn, s.logout)
	s.handle(http.MethodGet, ticketPath+"{secret}", Anybody, s.ticket)
	s.handle(http.MethodGet, linkPath+"{token}", Anybody, s.link)
	s.handle(http.MethodGet, oidcBegin, Anybody, s.oidcBegin)
	s.handle(http.MethodGet, oidcBack, Anybody, s.oidcBack)
	s.handle(http.MethodPost, "/login/passkey", Anybody, s.passkeyBegin)
	s.handle(http.MethodPost, "/login/passkey/answer", Anybody, s.passkeyAnswer)
	s.handle(http.MethodPost, reportPath, ReportViolation, s.violation)
	s.handle(http.MethodGet, "/healthz", Anybody, s.healthz)
	return nil
}

// SignIn is what the form of GET /login shows besides itself.
type SignIn struct {
	Why      string // one of the words above, or ""
	Next     string // to be sent with the form
	Name     string // as it was told in the try before
	SSO      bool   // single sign-on is offered
	Passkeys bool
	Empty    bool // there is no user yet: tell how one is made
}

// signIn is what GET /login shows.
func (s *Server) signIn(r *http.Request) (*SignIn, error) {
	users, err := s.o.Access.Users(r.Context())
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return &SignIn{Why: q.Get("why"), Next: local(q.Get("next")), Name: toldName(r), SSO: s.sso != nil, Passkeys: s.passkeys != nil, Empty: len(users) == 0}, nil
}

// The name of a try that failed is kept for the next one in a cookie: some type the password there, and addresses are logged.
const (
	nameCookie  = "osm_name"
	longestName = 64
)

// toldName is what was told as a name in the try before.
func toldName(r *http.Request) string {
	c, err := r.Cookie(nameCookie)
	if err != nil || r.URL.Query().Get("why") != whyWrong {
		return ""
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return cutBytes(name, longestName)
}

// waitsForCode tells whether the password was told and the second factor is awaited: otherwise GET /login/code goes to /login.
func (s *Server) waitsForCode(ctx context.Context) bool {
	return s.sessions.GetString(ctx, pendingValue) != ""
}

// again sends a browser back to the form.
func (s *Server) again(w http.ResponseWriter, r *http.Request, form, why, next string) {
	q := url.Values{"why": {why}}
	if next != "" && next != "/" {
		q.Set("next", next)
	}
	http.Redirect(w, r, s.path(form)+"?"+q.Encode(), http.StatusSeeOther)
}

// local is a path of ours that somebody wants to go to, "/" when it leads elsewhere: what is told in an address is a stranger's
// word (RFC 3986, 4.2: two slashes begin a host).
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 2000 {
		return "/"
	}
	return next
}

// login takes a name and a password.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	next := local(r.PostFormValue("next"))
	u, err := s.o.Access.SignIn(r.Context(), r.PostFormValue("name"), r.PostFormValue("password"), fromOf(r.Context()).addr)
	switch {
	case errors.Is(err, access.ErrDenied):
		http.SetCookie(w, s.pages.cookie(r, nameCookie, url.QueryEscape(cutBytes(r.PostFormValue("name"), longestName)), noticeAge))
		s.again(w, r, loginPath, whyWrong, next)
	case errors.Is(err, access.ErrThrottled):
		s.again(w, r, loginPath, whyThrottled, next)
	case err != nil:
		s.broken(w, r, err)
	case u.TOTP:
		s.awaitCode(w, r, u, next)
	default:
		s.enter(w, r, access.Guest{User: u.Name, Page: next}, ViaSession, "with a password", time.Time{})
	}
}

// awaitCode remembers who has told his password.
func (s *Server) awaitCode(w http.ResponseWriter, r *http.Request, u *access.User, next string) {
	if s.await(w, r, map[string]string{pendingValue: u.Name, nextValue: next}) {
		http.Redirect(w, r, s.path(codePath), http.StatusSeeOther)
	}
}

// await keeps what the next step of a sign-in needs, in a session that is still nobody's and soon over. false: it can't be
// kept, which the browser has been told.
func (s *Server) await(w http.ResponseWriter, r *http.Request, values map[string]string) bool {
	ctx := r.Context()
	err := s.fresh(ctx, values)
	if err == nil {
		s.sessions.SetDeadline(ctx, s.o.Now().Add(unknownFor))
		err = s.keep(w, r)
	}
	if err != nil {
		s.broken(w, r, err)
	}
	return err == nil
}

// fresh makes the session of a request one with a new token and nothing but these values.
func (s *Server) fresh(ctx context.Context, values map[string]string) error {
	if err := s.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	for name, v := range values {
		s.sessions.Put(ctx, name, v)
	}
	return nil
}

// loginCode takes the second factor.
func (s *Server) loginCode(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	name := s.sessions.GetString(ctx, pendingValue)
	if name == "" {
		s.again(w, r, loginPath, whyOver, "")
		return
	}
	switch err := s.o.Access.SecondFactor(ctx, name, r.PostFormValue("code"), fromOf(ctx).addr); {
	case errors.Is(err, access.ErrFactor):
		s.again(w, r, codePath, whyCode, "")
	case errors.Is(err, access.ErrThrottled):
		s.again(w, r, codePath, whyThrottled, "")
	case err != nil:
		s.broken(w, r, err)
	default:
		s.enter(w, r, access.Guest{User: name, Page: s.sessions.GetString(ctx, nextValue)}, ViaSession, "with a password and a code", time.Time{})
	}
}

// enter signs somebody in: the session gets a new token, so that one that was known before is of no use.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, g access.Guest, via Via, how string, until time.Time) {
	ctx, now := r.Context(), s.o.Now()
	values := map[string]string{viaValue: string(via), sinceValue: now.UTC().Format(time.RFC3339), fromValue: fromOf(ctx).addr.String(),
		agentValue: short(r.UserAgent())}
	if g.User != "" {
		values[access.UserValue] = g.User
	} else {
		text, err := json.Marshal(g)
		if err != nil {
			s.broken(w, r, err)
			return
		}
		values[access.GuestValue] = string(text)
	}
	err := s.fresh(ctx, values)
	if err == nil {
		end := now.Add(time.Duration(s.o.Config.Session))
		if !until.IsZero() && until.Before(end) {
			end = until
		}
		s.sessions.SetDeadline(ctx, end)
		err = s.keep(w, r)
	}
	if err == nil {
		err = s.o.Access.CameIn(ctx, g.User, g.Name, how+" from "+values[fromValue])
	}
	if err != nil {
		s.broken(w, r, err)
		return
	}
	http.Redirect(w, r, s.path(local(g.Page)), http.StatusSeeOther)
}

// broken answers when the file of users fails.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.o.Logger.Error("a sign-in can't be carried out", "error", err)
	s.fail(w, r, http.StatusServiceUnavailable, "this does not work now: the daemon's log says why")
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.forget(w, r); err != nil {
		s.broken(w, r, err)
		return
	}
	http.Redirect(w, r, s.path(loginPath)+"?why="+whySignedOut, http.StatusSeeOther)
}

// ticket lets in whom a panel, or root, has sent. It is good for once.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request) {
	g, err := s.o.Access.UseTicket(r.Context(), r.PathValue("secret"))
	switch {
	case errors.Is(err, access.ErrOver):
		s.again(w, r, loginPath, whyOver, "")
	case err != nil:
		s.broken(w, r, err)
	case g.User != "":
		s.enter(w, r, g, ViaSession, "with a ticket", time.Time{})
	default:
		s.enter(w, r, g, ViaPanel, "from a panel", time.Time{})
	}
}

// link lets a customer in who was sent one.
func (s *Server) link(w http.ResponseWriter, r *http.Request) {
	g, until, err := s.o.Access.UseLink(r.Context(), r.PathValue("token"))
	switch {
	case errors.Is(err, access.ErrOver):
		s.again(w, r, loginPath, whyOver, "")
	case err != nil:
		s.broken(w, r, err)
	default:
		s.enter(w, r, g, ViaLink, "with a link", until)
	}
}

// oidcBegin sends a browser to the sign-on provider.
func (s *Server) oidcBegin(w http.ResponseWriter, r *http.Request) {
	if s.sso == nil {
		s.fail(w, r, http.StatusNotFound, "there is no single sign-on here")
		return
	}
	to, on, err := s.sso.Begin(r.Context())
	if err != nil {
		s.o.Logger.Error("single sign-on does not work", "error", err)
		s.again(w, r, loginPath, whyProvider, "")
		return
	}
	text, err := json.Marshal(on)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	if s.await(w, r, map[string]string{ssoValue: string(text), nextValue: local(r.URL.Query().Get("next"))}) {
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// oidcBack is where the provider sends it back to.
func (s *Server) oidcBack(w http.ResponseWriter, r *http.Request) {
	if s.sso == nil {
		s.fail(w, r, http.StatusNotFound, "there is no single sign-on here")
		return
	}
	ctx := r.Context()
	var on access.SignOn
	if json.Unmarshal([]byte(s.sessions.PopString(ctx, ssoValue)), &on) != nil {
		s.again(w, r, loginPath, whyOver, "")
		return
	}
	u, err := s.sso.Finish(ctx, on, r.URL.Query().Get("state"), r.URL.Query().Get("code"))
	switch {
	case errors.Is(err, access.ErrOver):
		s.again(w, r, loginPath, whyOver, "")
	case errors.Is(err, access.ErrDenied):
		s.again(w, r, loginPath, whyUnknown, "")
	case err != nil:
		s.o.Logger.Error("single sign-on does not work", "error", err)
		s.again(w, r, loginPath, whyProvider, "")
	default:
		s.enter(w, r, access.Guest{User: u.Name, Page: s.sessions.GetString(ctx, nextValue)}, ViaSession, "by single sign-on", time.Time{})
	}
}

// passkeyBegin answers what the page's script hands to the browser (navigator.credentials.get).
func (s *Server) passkeyBegin(w http.ResponseWriter, r *http.Request) {
	if s.passkeys == nil {
		s.fail(w, r, http.StatusNotFound, "there are no passkeys here")
		return
	}
	options, state, err := s.passkeys.BeginSignIn()
	if err != nil {
		s.broken(w, r, err)
		return
	}
	if s.await(w, r, map[string]string{passkeyValue: state, nextValue: local(r.URL.Query().Get("next"))}) {
		s.writeJSON(w, options)
	}
}

// passkeyAnswer takes what the browser's device answered; the page's script follows the redirect.
func (s *Server) passkeyAnswer(w http.ResponseWriter, r *http.Request) {
	if s.passkeys == nil {
		s.fail(w, r, http.StatusNotFound, "there are no passkeys here")
		return
	}
	ctx := r.Context()
	u, err := s.passkeys.FinishSignIn(ctx, s.sessions.PopString(ctx, passkeyValue), r.Body)
	switch {
	case errors.Is(err, access.ErrFactor), errors.Is(err, access.ErrOver):
		s.again(w, r, loginPath, whyCode, "")
	case err != nil:
		s.broken(w, r, err)
	default:
		s.enter(w, r, access.Guest{User: u.Name, Page: s.sessions.GetString(ctx, nextValue)}, ViaSession, "with a passkey", time.Time{})
	}
}

// healthz tells a watchdog how the daemon is, and nothing else.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	st := s.o.Status(r.Context())
	worst := Good
	for _, source := range sources(&st) {
		if source.State == Problem {
			worst = Problem
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if worst == Problem {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(map[string]string{"state": worst})
}

// writeJSON writes an answer; a client that has gone away gets none.
func (s *Server) writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
