package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/access"
	"osm/config"
	"osm/exim"
	"osm/policy"
	"osm/web"
)

// twoAccounts is a session that holds a message of shop and one of bakery.
func twoAccounts(t *testing.T) (s *session, shop, bakery *osm.Message) {
	t.Helper()
	s = idleSession(t, func(c *config.Config) { c.Hold.SelfRelease = 2 })
	s.holds.queue.Store(&exim.Queue{Spool: t.TempDir()})
	now := time.Now()
	shop, bakery = suspicious(1, now, osm.Hold), suspicious(2, now, osm.Hold)
	bakery.Account, bakery.Login, bakery.Sender = "bakery", "bob@bakery.example", "bob@bakery.example"
	bakery.Verdict.Key.Value, bakery.Verdict.ID = bakery.Login, "V2"
	for _, m := range []*osm.Message{shop, bakery} {
		s.holds.arrival(m, now)
		s.alarm.note(m, now)
	}
	return s, shop, bakery
}

var ofShop = access.Scope{Accounts: []string{"shop"}}

// TestOthersMailIsNotThere: what is held of another account, and its incidents, are not there for a customer; an order for
// everything is one for his own.
func TestOthersMailIsNotThere(t *testing.T) {
	s, shop, bakery := twoAccounts(t)
	now := time.Now()
	h, err := s.held(web.HeldQuery{List: 10, Scope: ofShop}, now)
	if err != nil || h.Held != 1 || len(h.Groups) != 1 || len(h.List) != 1 || h.List[0].ID != shop.ID || h.Others != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := s.held(web.HeldQuery{Scope: everybody}, now); err != nil || h.Held != 2 {
		t.Errorf("an administrator: %+v, %v", h, err)
	}
	if h, err := s.held(web.HeldQuery{}, now); err != nil || h.Held != 0 || len(h.Groups) != 0 {
		t.Errorf("nobody: %+v, %v", h, err)
	}
	if _, err := s.heldOne(ofShop, bakery.ID, now); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("another's message: %v", err)
	}
	if one, err := s.heldOne(ofShop, shop.ID, now); err != nil || one.Account != "shop" {
		t.Errorf("%+v, %v", one, err)
	}
	all := s.incidents(ofShop)
	if len(all) != 1 || all[0].Account != "shop" || len(s.incidents(everybody)) != 2 {
		t.Fatalf("%+v", all)
	}
	var others string
	for _, i := range s.incidents(everybody) {
		if i.Account == "bakery" {
			others = i.ID
		}
	}
	if _, ok := s.incident(ofShop, others); ok {
		t.Error("another's incident is there")
	}
	for _, o := range []web.HeldOrder{{IDs: []string{bakery.ID}}, {Verdict: others}} {
		o.What, o.Scope = web.Release, ofShop
		if a, err := s.orderHeld(doneContext(t), o, "shop", now); err == nil {
			t.Errorf("%+v: %+v", o, a)
		}
	}
	for _, o := range []web.HeldOrder{{Key: bakery.Verdict.Key}, {Verdict: "V2"}} {
		o.What, o.Scope = web.Release, ofShop
		if a, err := s.orderHeld(doneContext(t), o, "shop", now); err != nil || a.Messages != 0 {
			t.Errorf("%+v: %+v, %v", o, a, err)
		}
	}
	a, err := s.orderHeld(doneContext(t), web.HeldOrder{What: web.Release, All: true, Scope: ofShop}, "shop", now)
	if err != nil || !slices.Equal(a.IDs, []string{shop.ID}) {
		t.Errorf("everything: %+v, %v", a, err)
	}
}

// TestOwnersReleaseFew: whoever has stolen a customer's password must not release all that was held of him.
func TestOwnersReleaseFew(t *testing.T) {
	s, _, _ := twoAccounts(t)
	for n := range 3 {
		s.holds.arrival(suspicious(10+n, time.Now(), osm.Hold), time.Now())
	}
	a, err := s.orderHeld(doneContext(t), web.HeldOrder{What: web.Release, All: true, Scope: ofShop, Self: true}, "shop", time.Now())
	if err != nil || a.Messages != 2 || len(a.Failed) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestBaselineOfOthers: what the detection knows of a sender is told to who owns it alone.
func TestBaselineOfOthers(t *testing.T) {
	s, shop, bakery := twoAccounts(t)
	now := time.Now()
	for _, m := range []*osm.Message{shop, bakery} {
		s.engine.Detect.Find(m)
		s.engine.Detect.Learn(m, true)
	}
	for _, c := range []struct {
		scope access.Scope
		key   osm.Key
		want  bool
	}{{everybody, shop.Verdict.Key, true}, {everybody, bakery.Verdict.Key, true}, {ofShop, shop.Verdict.Key, true}, {ofShop, bakery.Verdict.Key, false},
		{access.Scope{}, shop.Verdict.Key, false}} {
		if got := s.baseline(c.scope, c.key, now) != nil; got != c.want {
			t.Errorf("%+v %s: %v", c.scope, c.key, got)
		}
	}
}

// TestSettingsHideSecrets: the page tells every setting, and no password.
func TestSettingsHideSecrets(t *testing.T) {
	s := idleSession(t, func(c *config.Config) { c.Web.OIDC.Secret = "hunter2"; c.Web.BasePath = "/osm" })
	text, err := json.Marshal(s.settings())
	if err != nil || strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), `"value":"\"/osm\""`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestServesPages: the daemon serves them, what is done there is in the audit trail with the user's name, and a restart signs nobody
// out.
func TestServesPages(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	serve := func(c *config.Config) { c.Web.Listen = address }
	d := start(t, dir, serve)
	users := access.New(access.Options{Path: access.Path(d.cfg.Store.Path), Now: time.Now, Cost: access.Cost{Memory: 64, Time: 1, Threads: 1}})
	defer users.Close()
	const password = "correct horse battery"
	if err := users.Add(t.Context(), access.NewUser{Name: "alice", Role: access.Admin, Password: password}, "root"); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	until := func(path string, send func() (*http.Response, error)) (answer *http.Response) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; {
			answer, err := send()
			if err == nil {
				answer.Body.Close()
				return answer
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
	get := func(path string) int {
		t.Helper()
		return until(path, func() (*http.Response, error) { return browser.Get("http://" + address + path) }).StatusCode
	}
	until("/login", func() (*http.Response, error) {
		return browser.PostForm("http://"+address+"/login", url.Values{"name": {"alice"}, "password": {password}})
	})
	order, err := json.Marshal(web.Order{What: policy.Block, Key: osm.Key{Kind: osm.KeyLogin, Value: "eve"}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := browser.Post("http://"+address+"/api/v1/orders", "application/json", bytes.NewReader(order))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	answer.Body.Close()
	var audit web.Audit
	if err := d.control(http.MethodGet, "audit", nil, &audit); err != nil || !slices.ContainsFunc(audit.Deeds, func(x policy.Deed) bool {
		return x.What == policy.Block && x.By == "alice"
	}) || !slices.ContainsFunc(audit.Deeds, func(x policy.Deed) bool { return x.What == "add-user" && x.By == "root" }) {
		t.Errorf("%+v, %v", audit, err)
	}
	d.stop()
	d = start(t, dir, serve)
	if status := get("/api/v1/status"); status != http.StatusOK {
		t.Errorf("after a restart: %d", status)
	}
	if status := get("/"); status != http.StatusOK {
		t.Errorf("the page: %d", status)
	}
	if filepath.Dir(access.Path(d.cfg.Store.Path)) != filepath.Dir(d.cfg.Store.Path) {
		t.Error("users are kept elsewhere than the history")
	}
	d.stop()
}
