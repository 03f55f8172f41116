package web

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"osm/access"
)

// look is a page that shows something: it gathers what the viewer may see and leaves the drawing to a template.
type look struct {
	path     string
	need     Right
	place    string // entry of the navigation
	template string
	gather   func(r *http.Request) (any, error)
	live     bool // events refresh it
}

// addPages registers the pages, what their forms do, and the files that browsers fetch with them.
func (s *Server) addPages() error {
	p, err := newPages(s.o.Config.BasePath, s.o.Now, s.o.Zone)
	if err != nil {
		return err
	}
	s.pages = p
	for _, l := range []look{
		{path: "/{$}", need: SeeNow, place: "now", template: "now", gather: s.nowPage, live: true},
		{path: "/incidents", need: SeeIncidents, place: "incidents", template: "incidents", gather: s.incidentsPage, live: true},
		{path: "/incidents/{id}", need: SeeIncidents, place: "incidents", template: "incident", gather: s.oneIncidentPage, live: true},
		{path: "/held", need: SeeHeld, place: "held", template: "held", gather: s.heldPage, live: true},
		{path: "/held/{id}", need: SeeHeld, place: "held", template: "heldone", gather: s.heldOnePage},
		{path: "/senders", need: SeeSenders, place: "senders", template: "senders", gather: s.sendersPage},
		{path: "/sender", need: SeeSenders, place: "senders", template: "sender", gather: s.senderPage},
		{path: "/messages", need: SeeMessages, place: "messages", template: "messages", gather: s.messagesPage},
		{path: "/messages/{id}", need: SeeMessages, place: "messages", template: "message", gather: s.messagePage},
		{path: "/verdicts/{id}", need: SeeMessages, place: "messages", template: "verdict", gather: s.verdictPage},
		{path: "/delivery", need: SeeDelivery, place: "delivery", template: "delivery", gather: s.deliveryPage},
		{path: "/rules", need: SeeRules, place: "rules", template: "rules", gather: s.rulesPage, live: true},
		{path: "/rules/new", need: TryRules, place: "rules", template: "rule", gather: s.rulePage},
		{path: "/rules/trials/{id}", need: TryRules, place: "rules", template: "trial", gather: s.trialPage},
		{path: "/lists", need: SeeLists, place: "lists", template: "lists", gather: s.listsPage},
		{path: "/settings", need: SeeSettings, place: "system", template: "settings", gather: s.settingsPage},
		{path: "/health", need: SeeSettings, place: "system", template: "health", gather: s.healthPage},
		{path: "/alerts", need: SeeLetters, place: "system", template: "alerts", gather: s.alertsPage},
		{path: "/audit", need: SeeAudit, place: "system", template: "audit", gather: s.auditPage},
		{path: "/users", need: SeeUsers, place: "system", template: "users", gather: s.usersPage},
		{path: "/users/{name}", need: SeeUsers, place: "system", template: "user", gather: s.userPage},
		{path: "/account", need: OwnAccount, place: "account", template: "account", gather: s.accountPage},
	} {
		s.handle(http.MethodGet, l.path, l.need, s.draws(l))
	}
	s.handle(http.MethodGet, "/find", SignedIn, s.find)
	s.handle(http.MethodGet, loginPath, Anybody, s.signInPage)
	s.handle(http.MethodGet, codePath, Anybody, s.codePage)
	s.handle(http.MethodPost, "/preferences", Anybody, s.prefer)
	s.handle(http.MethodGet, "/assets/{name}", Anybody, p.asset)
	s.handle(http.MethodGet, livePath, SeeNow, s.live)
	s.handle(http.MethodGet, "/", SignedIn, func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, ErrNotFound.Error())
	})
	s.addForms()
	return nil
}

// draws makes a page's handler.
func (s *Server) draws(l look) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := l.gather(r)
		if err != nil {
			status, text := s.problem(err)
			s.failPage(w, r, status, text)
			return
		}
		s.draw(w, r, http.StatusOK, &l, data)
	}
}

func (s *Server) draw(w http.ResponseWriter, r *http.Request, status int, l *look, data any) {
	view := &page{Name: l.template, Place: l.place, Data: data}
	if l.live {
		view.Live = s.path(livePath)
	}
	s.count(ViewerOf(r.Context()), view)
	if err := s.pages.show(w, r, status, view); err != nil {
		s.o.Logger.Error("a page can't be drawn", "path", short(r.URL.Path), "error", err)
		http.Error(w, "this page can't be drawn: the daemon's log says why", http.StatusInternalServerError)
	}
}

// failPage is an error as a page.
func (s *Server) failPage(w http.ResponseWriter, r *http.Request, status int, text string) {
	kind := "wrong"
	switch {
	case status == http.StatusNotFound:
		kind, text = "missing", ""
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		kind, text = "forbidden", ""
	case status >= http.StatusInternalServerError:
		kind = "broken"
	}
	s.draw(w, r, status, &look{template: "problem"}, map[string]any{"Kind": kind, "Text": text})
}

// navCounts are the numbers in the navigation, and the overview of the first page. They are asked once for some moments: every
// page has the ones, and everybody who watches fetches the other when an incident turns.
type navCounts struct {
	mu        sync.Mutex
	seen      map[string]navCount // by scope
	overviews map[string]*Overview
}

type navCount struct {
	at              time.Time
	incidents, held int
}

const (
	countsFor  = 2 * time.Second
	mostCounts = 1000
)

func (s *Server) count(v *Viewer, view *page) {
	if !v.May(SeeIncidents) || !v.May(SeeHeld) {
		return
	}
	key, now := scopeKey(v.Scope), s.o.Now()
	n := &s.pages.counts
	n.mu.Lock()
	c, known := n.seen[key]
	n.mu.Unlock()
	if !known || now.Sub(c.at) > countsFor {
		c = navCount{at: now}
		for _, i := range s.o.Incidents(v.Scope) {
			if i.Live() {
				c.incidents++
			}
		}
		if held, err := s.o.Held(HeldQuery{Count: true, Scope: v.Scope}); err == nil {
			c.held = held.Held
		}
		n.mu.Lock()
		if len(n.seen) >= mostCounts {
			clear(n.seen)
		}
		n.seen[key] = c
		n.mu.Unlock()
	}
	view.Incident, view.Held = c.incidents, c.held
}

// forget makes the numbers be counted anew: something was changed.
func (n *navCounts) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.seen)
	clear(n.overviews)
}

// overviewFor is the overview as it was at most some moments ago. It must not be changed.
func (s *Server) overviewFor(r *http.Request) (*Overview, error) {
	v, n := ViewerOf(r.Context()), &s.pages.counts
	key := scopeKey(v.Scope)
	if v.May(SeeStatus) {
		key += "\x00status"
	}
	n.mu.Lock()
	o := n.overviews[key]
	n.mu.Unlock()
	if o != nil && s.o.Now().Sub(o.Time) <= countsFor {
		return o, nil
	}
	o, err := s.overview(r.Context())
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.overviews) >= mostCounts {
		clear(n.overviews)
	}
	n.overviews[key] = o
	return o, nil
}

func scopeKey(s access.Scope) string {
	if s.All {
		return "*"
	}
	return "\x00" + strings.Join(s.Accounts, "\x00")
}

// signInPage is the form of a sign-in.
func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	if ViewerOf(r.Context()).May(SignedIn) {
		http.Redirect(w, r, s.path("/"), http.StatusSeeOther)
		return
	}
	form, err := s.signIn(r)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.draw(w, r, http.StatusOK, &look{template: "signin"}, &signForm{SignIn: *form})
}

// codePage asks for the second factor.
func (s *Server) codePage(w http.ResponseWriter, r *http.Request) {
	if !s.waitsForCode(r.Context()) {
		http.Redirect(w, r, s.path(loginPath), http.StatusSeeOther)
		return
	}
	s.draw(w, r, http.StatusOK, &look{template: "signin"}, &signForm{SignIn{Why: r.URL.Query().Get("why")}, true})
}

// signForm is the form of a sign-in, or of its second factor.
type signForm struct {
	SignIn
	Code bool
}

// prefer keeps colours and language in the browser.
func (s *Server) prefer(w http.ResponseWriter, r *http.Request) {
	theme := r.FormValue("theme")
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	http.SetCookie(w, s.pages.cookie(r, themeCookie, theme, choiceAge))
	for _, speech := range s.pages.speeches {
		if speech.Tag() == r.FormValue("language") {
			http.SetCookie(w, s.pages.cookie(r, speechCookie, speech.Tag(), choiceAge))
		}
	}
	http.Redirect(w, r, s.pages.back(r, "/"), http.StatusSeeOther)
}

// between reads a length of time from a query, such as 24h, as from when to now.
func (s *Server) sinceOf(r *http.Request, usual string, allowed map[string]time.Duration) (name string, since time.Time) {
	name = r.URL.Query().Get("since")
	if allowed[name] == 0 {
		name = usual
	}
	return name, s.o.Now().Add(-allowed[name])
}

var lookBacks = map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}

// with is the page's own address with one value of its query changed; "" takes it out.
func (s *Server) with(r *http.Request, name, value string) string {
	q := url.Values{}
	for k, v := range r.URL.Query() {
		q[k] = v
	}
	q.Del(name)
	if value != "" {
		q.Set(name, value)
	}
	to := s.path(r.URL.Path)
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	return to
}
