package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/access"
	"osm/action"
	"osm/incident"
	"osm/policy"
	"osm/store"
)

// place is a server with a real history and a real file of users. Two accounts sent mail: shop and bakery.
type place struct {
	*testing.T
	server *Server
	access *access.Access
	http   *httptest.Server
	at     time.Time
	orders []string // what the daemon was asked to do
	log    *strings.Builder
}

const password = "correct horse battery"

var accounts = []string{"shop", "bakery"}

// messageOf is the id of an account's message.
func messageID(n int) string { return "1vN4Qw-00000000" + string(rune('A'+n)) + "0-0000" }

func newPlace(t *testing.T, change func(*Options)) *place {
	t.Helper()
	p := &place{T: t, at: time.Now().UTC().Truncate(time.Second), log: &strings.Builder{}}
	dir := t.TempDir()
	history := fill(t, filepath.Join(dir, "osm.db"), p.at)
	p.access = access.New(access.Options{Path: filepath.Join(dir, "access.db"), Now: p.now, Cost: access.Cost{Memory: 64, Time: 1, Threads: 1}})
	t.Cleanup(func() {
		if err := p.access.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, role := range access.Roles() {
		n := access.NewUser{Name: string(role), Role: role, Password: password}
		if role.Bound() {
			n.Accounts = []string{"shop"}
		}
		if err := p.access.Add(t.Context(), n, "root"); err != nil {
			t.Fatal(err)
		}
	}
	o := p.options(history)
	if change != nil {
		change(&o)
	}
	server, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.server = server
	p.http = httptest.NewServer(server.Handler())
	t.Cleanup(p.http.Close)
	return p
}

func (p *place) now() time.Time { return p.at }

// fill writes a message of each account, and the verdicts about them, into a history.
func fill(t *testing.T, path string, at time.Time) *store.Reader {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.Path = path
	s, err := store.Open(cfg, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for n, account := range accounts {
		m := &osm.Message{ID: messageID(n), Time: at.Add(-10 * time.Minute), Class: osm.Login, Account: account, Login: "info@" + account + ".example",
			Sender: "info@" + account + ".example", Client: netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)}), Recipients: []string{"x@far" + account + ".example"},
			Subject: "offer of " + account, HasSubject: true, Verdict: osm.Verdict{Action: osm.Hold, ID: "V" + account, Rule: "stolen-login", Reason: "new-recipients",
				Key: osm.Key{Kind: osm.KeyLogin, Value: "info@" + account + ".example"}, Score: 9, Findings: []osm.Finding{{Fact: "new-recipients", Weight: 9}}}}
		s.Line(m.Time, m.Time.Format(time.DateTime)+" "+m.ID+" <= "+m.Sender)
		s.Arrival(m)
		s.Delivery(m, &osm.Delivery{Time: m.Time, Outcome: osm.Failed, Recipient: m.Recipients[0], Original: m.Recipients[0], Remote: true, Refusal: osm.Spam,
			Text: "550 spam from " + account})
	}
	if err := s.Flush(at, nil); err != nil {
		t.Fatal(err)
	}
	return s.Reader
}

func incidentOf(account string, at time.Time) incident.Incident {
	return incident.Incident{ID: "I" + account, Key: osm.Key{Kind: osm.KeyLogin, Value: "info@" + account + ".example"}, Rule: "stolen-login", State: incident.Open,
		Opened: at, Updated: at, Account: account, Findings: []osm.Finding{}, Samples: []incident.Sample{}, Timeline: []incident.Step{{Time: at, State: incident.Open}}}
}

// options are those of a daemon of which nothing is simulated but that orders are noted and not carried out.
func (p *place) options(history *store.Reader) Options {
	did := func(what, by string) error { p.orders = append(p.orders, what+" by "+by); return nil }
	incidents := func(scope access.Scope) (all []incident.Incident) {
		for _, a := range accounts {
			if scope.Has(a) {
				all = append(all, incidentOf(a, p.at))
			}
		}
		return all
	}
	return Options{Config: DefaultConfig(), Access: p.access, History: history, Now: p.now, Host: "mx.example",
		Logger:    slog.New(slog.NewTextHandler(p.log, nil)),
		Status:    func(context.Context) Status { return Status{Mode: policy.Live, Notices: []string{}} },
		Incidents: incidents,
		Incident: func(scope access.Scope, id string) (incident.Incident, bool) {
			for _, i := range incidents(scope) {
				if i.ID == id {
					return i, true
				}
			}
			return incident.Incident{}, false
		},
		Close:    func(id, _, by string) error { return did("close "+id, by) },
		Baseline: func(access.Scope, osm.Key) *Baseline { return nil },
		Lists:    func() []policy.Entry { return nil },
		Order:    func(o Order, by string) (policy.Deed, error) { return policy.Deed{}, did(string(o.What), by) },
		Deeds:    func() []policy.Deed { return []policy.Deed{{ID: "D1", Time: p.at, By: "root", What: policy.Block}} },
		Undo:     func(id, by string) (policy.Deed, error) { return policy.Deed{}, did("undo "+id, by) },
		Held: func(q HeldQuery) (*Held, error) {
			h := &Held{Groups: []HeldGroup{}, List: []HeldOne{}}
			for _, a := range accounts {
				if q.Scope.Has(a) {
					h.Held++
				}
			}
			return h, nil
		},
		HeldOne: func(scope access.Scope, id string) (*HeldOne, error) {
			for n, a := range accounts {
				if id == messageID(n) && scope.Has(a) {
					one := &HeldOne{}
					one.ID, one.Account = id, a
					return one, nil
				}
			}
			return nil, ErrNotFound
		},
		OrderHeld: func(_ context.Context, o HeldOrder, by string) (*HeldAnswer, error) {
			if !o.Scope.All && (o.Scope.Has("bakery") || !o.Scope.Has("shop")) {
				return nil, errors.New("another scope than the viewer's")
			}
			return &HeldAnswer{}, did(string(o.What), by)
		},
		Suspensions: func(access.Scope) []action.Suspension { return nil },
		Means:       func() []action.Means { return []action.Means{action.ByList, action.ByPanel} },
		Suspend: func(o SuspendOrder, by string) (*SuspendAnswer, error) {
			return &SuspendAnswer{}, did(string(o.What), by)
		},
		Rules:     func() []Rule { return nil },
		Letters:   func() []action.Letter { return nil },
		SendAgain: func(id, by string) error { return did("again "+id, by) },
		Reload:    func(by string) (*Reloaded, error) { return &Reloaded{}, did("reload", by) },
		Settings:  func() []Setting { return nil },
		Doctor:    func(context.Context) []Finding { return nil },
		Opinions:  func() *Opinions { return nil },
		RuleCalls: RuleCalls{Own: func() OwnRules { return OwnRules{} }, Trial: func(string) (Trial, error) { return Trial{}, ErrNotFound },
			StopTrial: func(string) (Trial, error) { return Trial{}, ErrNotFound },
			Try:       func(_ RuleChange, by string) (Trial, error) { return Trial{}, did("try", by) },
			Save:      func(_ RuleChange, by string) (RulesSaved, error) { return RulesSaved{}, did("save", by) }},
	}
}

// browser is a client with cookies that follows no redirect.
func (p *place) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// do sends a request and reads the answer.
func (p *place) do(c *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, p.http.URL+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.Fatal(err)
	}
	return answer, string(text)
}

// signedIn is a browser in which a user has signed in.
func (p *place) signedIn(name string) *http.Client {
	p.Helper()
	c := p.browser()
	answer, _ := p.do(c, http.MethodPost, "/login", url.Values{"name": {name}, "password": {password}}.Encode())
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/" {
		p.Fatalf("%s: %s to %s", name, answer.Status, answer.Header.Get("Location"))
	}
	return c
}

// get reads a JSON answer.
func get[T any](p *place, c *http.Client, path string) (v T) {
	p.Helper()
	answer, text := p.do(c, http.MethodGet, path, "")
	if err := json.Unmarshal([]byte(text), &v); err != nil || answer.StatusCode != http.StatusOK {
		p.Fatalf("%s: %s %s, %v", path, answer.Status, text, err)
	}
	return v
}
