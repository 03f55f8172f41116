package web

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"osm/access"
	"osm/policy"
)

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// cookieOf is the session's cookie of an answer, nil when there is none.
func cookieOf(r *http.Response) *http.Cookie {
	for _, c := range r.Cookies() {
		if c.Name == sessionCookie {
			return c
		}
	}
	return nil
}

func TestSignInAndOut(t *testing.T) {
	p := newPlace(t, nil)
	c := p.browser()
	for _, bad := range [][2]string{{"admin", "wrong horse battery"}, {"nobody", password}, {"", ""}} {
		answer, _ := p.do(c, http.MethodPost, "/login", form("name", bad[0], "password", bad[1]))
		if to := answer.Header.Get("Location"); to != "/login?why=wrong" || cookieOf(answer) != nil {
			t.Errorf("%q: %s", bad, to)
		}
	}
	p.do(c, http.MethodPost, "/login", form("name", `"><b>ann`, "password", "wrong horse battery"))
	if _, page := p.do(c, http.MethodGet, "/login?why=wrong", ""); !strings.Contains(page, `value="&#34;&gt;&lt;b&gt;ann"`) {
		t.Errorf("the name is not in the form again: %s", page)
	}
	if _, page := p.do(c, http.MethodGet, "/login", ""); strings.Contains(page, "ann") {
		t.Error("a name is in a form that nobody has sent")
	}
	answer, _ := p.do(c, http.MethodPost, "/login", form("name", "admin", "password", password, "next", "/held?by=age"))
	cookie := cookieOf(answer)
	if to := answer.Header.Get("Location"); to != "/held?by=age" || cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Fatalf("to %s with %+v", to, cookie)
	}
	if me := get[Me](p, c, "/api/v1/me"); me.Name != "admin" || me.Via != ViaSession || len(me.Rights) != len(roles) {
		t.Errorf("%+v", me)
	}
	p.do(c, http.MethodPost, "/logout", "")
	old := &http.Cookie{Name: sessionCookie, Value: cookie.Value}
	if answer, _ := p.do(p.browser(), http.MethodGet, "/api/v1/me", "", "Cookie", old.String()); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie after signing out: %s", answer.Status)
	}
}

// TestFixation: a session that somebody had before he signed in is of no use to who knows it.
func TestFixation(t *testing.T) {
	p := newPlace(t, nil)
	c := p.browser()
	before, _ := p.do(c, http.MethodPost, "/login/passkey", "")
	known := cookieOf(before)
	if known == nil {
		t.Fatal("there is no session before the sign-in")
	}
	answer, _ := p.do(c, http.MethodPost, "/login", form("name", "admin", "password", password))
	if after := cookieOf(answer); after == nil || after.Value == known.Value {
		t.Fatalf("%+v after %+v", after, known)
	}
	if answer, _ := p.do(p.browser(), http.MethodGet, "/api/v1/me", "", "Cookie", known.Name+"="+known.Value); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("who knew the session before: %s", answer.Status)
	}
}

func TestNext(t *testing.T) {
	for next, want := range map[string]string{"/held": "/held", "/senders?kind=login": "/senders?kind=login", "": "/", "held": "/", "//evil.example": "/",
		"https://evil.example": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "/a\r\nSet-Cookie: x": "/",
		"///evil.example": "/", "http:evil.example": "/", "/" + strings.Repeat("a", 3000): "/"} {
		if got := local(next); got != want {
			t.Errorf("%.40q: %q, want %q", next, got, want)
		}
	}
}

func FuzzNext(f *testing.F) {
	for _, s := range []string{"/held", "//evil", "/\\evil", "/%2f/evil", "/a?b=//c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := local(s)
		base, _ := url.Parse("https://mx.example/login")
		to, err := base.Parse(got)
		if err != nil || to.Host != "mx.example" || to.Scheme != "https" || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\n\r\t") {
			t.Fatalf("%q leads to %q", s, got)
		}
	})
}

func TestSecondStep(t *testing.T) {
	p := newPlace(t, nil)
	secret, _, err := p.access.BeginTOTP(t.Context(), "admin", "osm")
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		text, err := totp.GenerateCode(secret, p.at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if _, err := p.access.ConfirmTOTP(t.Context(), "admin", code(), "admin"); err != nil {
		t.Fatal(err)
	}
	c := p.browser()
	if answer, _ := p.do(c, http.MethodPost, "/login/code", form("code", code())); answer.Header.Get("Location") != "/login?why=over" {
		t.Errorf("a code without a password leads to %s", answer.Header.Get("Location"))
	}
	answer, _ := p.do(c, http.MethodPost, "/login", form("name", "admin", "password", password, "next", "/audit"))
	if to := answer.Header.Get("Location"); to != "/login/code" {
		t.Fatalf("after the password: %s", to)
	}
	if answer, _ := p.do(c, http.MethodGet, "/api/v1/me", ""); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("with the password alone: %s", answer.Status)
	}
	if answer, _ := p.do(c, http.MethodPost, "/login/code", form("code", code())); answer.Header.Get("Location") != "/login/code?why=code" {
		t.Errorf("a code that was used already leads to %s", answer.Header.Get("Location"))
	}
	p.at = p.at.Add(30 * time.Second)
	if answer, _ := p.do(c, http.MethodPost, "/login/code", form("code", code())); answer.Header.Get("Location") != "/audit" {
		t.Errorf("the right code leads to %s", answer.Header.Get("Location"))
	}
	if me := get[Me](p, c, "/api/v1/me"); me.Name != "admin" {
		t.Errorf("%+v", me)
	}
}

func TestThrottledForm(t *testing.T) {
	p := newPlace(t, nil)
	c, to := p.browser(), ""
	for range 6 {
		answer, _ := p.do(c, http.MethodPost, "/login", form("name", "admin", "password", "wrong horse battery"))
		to = answer.Header.Get("Location")
	}
	if to != "/login?why=throttled" {
		t.Errorf("the sixth try leads to %s", to)
	}
}

// TestGuests come in with tickets, once, and with links, as long as they last; neither has an account here.
func TestGuests(t *testing.T) {
	p := newPlace(t, nil)
	shop := access.Guest{Name: "shop\"><script>alert(1)</script>", Role: access.Customer, Accounts: []string{"shop"}, Page: "/held"}
	ticket, err := p.access.MakeTicket(t.Context(), shop, access.TicketFor, "root")
	if err != nil {
		t.Fatal(err)
	}
	c := p.browser()
	if answer, _ := p.do(c, http.MethodGet, "/ticket/"+ticket, ""); answer.Header.Get("Location") != "/held" {
		t.Fatalf("the ticket leads to %s", answer.Header.Get("Location"))
	}
	if me := get[Me](p, c, "/api/v1/me"); me.Via != ViaPanel || me.Role != access.Customer || !me.Scope.Has("shop") || me.Scope.Has("bakery") {
		t.Errorf("%+v", me)
	}
	if answer, _ := p.do(c, http.MethodGet, "/api/v1/me/account", ""); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a guest's own account: %s", answer.Status)
	}
	if answer, _ := p.do(p.browser(), http.MethodGet, "/ticket/"+ticket, ""); answer.Header.Get("Location") != "/login?why=over" || cookieOf(answer) != nil {
		t.Errorf("the ticket again leads to %s", answer.Header.Get("Location"))
	}
	admin := p.signedIn("support")
	answer, text := p.do(admin, http.MethodPost, "/api/v1/links", `{"account":"shop","for":"1h"}`)
	var link MadeLink
	if err := json.Unmarshal([]byte(text), &link); err != nil || answer.StatusCode != http.StatusOK || !link.Until.Equal(p.at.Add(time.Hour)) {
		t.Fatalf("%s %s, %v", answer.Status, text, err)
	}
	path := strings.TrimPrefix(link.URL, "http://localhost:8025")
	c = p.browser()
	if answer, _ := p.do(c, http.MethodGet, path, ""); answer.Header.Get("Location") != "/held" {
		t.Fatalf("%s leads to %s", link.URL, answer.Header.Get("Location"))
	}
	if me := get[Me](p, c, "/api/v1/me"); me.Via != ViaLink || me.Scope.All || len(me.Scope.Accounts) != 1 {
		t.Errorf("%+v", me)
	}
	p.at = p.at.Add(time.Hour)
	if answer, _ := p.do(c, http.MethodGet, "/api/v1/me", ""); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session of a link that is over: %s", answer.Status)
	}
	if answer, _ := p.do(p.browser(), http.MethodGet, path, ""); answer.Header.Get("Location") != "/login?why=over" {
		t.Errorf("a link that is over leads to %s", answer.Header.Get("Location"))
	}
}

func TestTokenScopes(t *testing.T) {
	p := newPlace(t, nil)
	token := func(user string, scopes ...string) []string {
		t.Helper()
		_, secret, err := p.access.AddToken(t.Context(), access.Token{User: user, Name: "test", Scopes: scopes}, "root")
		if err != nil {
			t.Fatal(err)
		}
		return []string{"Authorization", "Bearer " + secret}
	}
	for _, x := range []struct {
		token        []string
		method, path string
		want         int
	}{
		{token("admin"), "GET", "/api/v1/users", 200},
		{token("admin"), "POST", "/api/v1/reload", 200},
		{token("admin", "read"), "GET", "/api/v1/users", 200},
		{token("admin", "read"), "POST", "/api/v1/reload", 403},
		{token("admin", "read"), "POST", "/api/v1/held/release", 403},
		{token("admin", "held", "held.release"), "POST", "/api/v1/held/release", 200},
		{token("admin", "held", "held.release"), "GET", "/api/v1/lists", 403},
		{token("viewer", "users"), "GET", "/api/v1/users", 403}, // no more than the user
		{token("customer"), "GET", "/api/v1/messages/" + messageID(1), 404},
		{token("admin"), "POST", "/api/v1/me/tokens", 403}, // a token makes no tokens
		{token("admin"), "GET", "/api/v1/me", 200},
		{[]string{"Authorization", "Bearer osm_wrong"}, "GET", "/api/v1/me", 401},
		{[]string{"Authorization", "Basic YTpi"}, "GET", "/api/v1/me", 401},
		{[]string{"Authorization", "Bearer osm_wrong"}, "GET", "/healthz", 401},
	} {
		body := ""
		if x.method == "POST" {
			body = `{}`
		}
		if strings.HasSuffix(x.path, "release") {
			body = `{"all":true}`
		}
		if answer, text := p.do(p.browser(), x.method, x.path, body, x.token...); answer.StatusCode != x.want {
			t.Errorf("%s %s: %s %s, want %d", x.method, x.path, answer.Status, text, x.want)
		}
	}
	if err := CheckScopes([]string{"read", "held.release"}); err != nil {
		t.Error(err)
	}
	if err := CheckScopes([]string{"everything"}); err == nil {
		t.Error("a scope that there is not is taken")
	}
}

// TestCrossOrigin: another site's page can't make a browser do anything here.
func TestCrossOrigin(t *testing.T) {
	p := newPlace(t, nil)
	c := p.signedIn("admin")
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		if answer, _ := p.do(c, http.MethodPost, "/api/v1/reload", "", headers...); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %s", headers, answer.Status)
		}
		if answer, _ := p.do(c, http.MethodGet, "/api/v1/me", "", headers...); answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q: %s", headers, answer.Status)
		}
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", p.http.URL}, {}} {
		if answer, _ := p.do(c, http.MethodPost, "/api/v1/reload", "", headers...); answer.StatusCode != http.StatusOK {
			t.Errorf("%q: %s", headers, answer.Status)
		}
	}
}

func TestHeaders(t *testing.T) {
	p := newPlace(t, func(o *Options) { o.Config.Frames = []string{"https://panel.example:2087"} })
	for _, path := range []string{"/healthz", "/login", "/api/v1/me", "/nothing"} {
		answer, _ := p.do(p.browser(), http.MethodGet, path, "")
		csp := answer.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'self'",
			"frame-ancestors 'self' https://panel.example:2087", "report-uri /csp-report"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: %s has no %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Cache-Control") == "" ||
			answer.Header.Get("Strict-Transport-Security") != "" || answer.Header.Get("X-Frame-Options") != "" {
			t.Errorf("%s: %v", path, answer.Header)
		}
	}
	answer, _ := p.do(p.browser(), http.MethodPost, "/csp-report", `{"csp-report":{"document-uri":"x","blocked-uri":"evil\u001b[2J"}}`)
	if answer.StatusCode != http.StatusNoContent || !strings.Contains(p.log.String(), "a browser refused") || strings.Contains(p.log.String(), "\x1b") {
		t.Errorf("%s, log %q", answer.Status, p.log)
	}
	for range 2 * mostReports {
		p.do(p.browser(), http.MethodPost, "/csp-report", `{}`)
	}
	if n := strings.Count(p.log.String(), "a browser refused"); n != mostReports {
		t.Errorf("%d reports are noted", n)
	}
}

// TestProxy: what a proxy says is believed of those alone that are trusted, and its base path is taken off.
func TestProxy(t *testing.T) {
	for _, trusted := range [][]string{nil, {"127.0.0.0/8", "10.0.0.0/8"}} {
		p := newPlace(t, func(o *Options) {
			o.Config.Trusted, o.Config.BasePath, o.Config.URL = trusted, "/osm", "https://mx.example"
		})
		headers := []string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "203.0.113.66, 198.51.100.7, 10.0.0.1"}
		answer, _ := p.do(p.browser(), http.MethodPost, "/osm/login", form("name", "admin", "password", password), headers...)
		cookie := cookieOf(answer)
		if cookie == nil || cookie.Path != "/osm/" || cookie.Secure != (trusted != nil) || answer.Header.Get("Location") != "/osm/" ||
			(answer.Header.Get("Strict-Transport-Security") != "") != (trusted != nil) {
			t.Errorf("trusted %v: %+v, %v", trusted, cookie, answer.Header)
		}
		sessions, err := p.access.Sessions().Of(t.Context(), "admin")
		want := "127.0.0.1"
		if trusted != nil {
			want = "198.51.100.7" // the next one left is the client's own word
		}
		if err != nil || len(sessions) != 1 || sessions[0].Values[fromValue] != want {
			t.Errorf("trusted %v: %+v, %v", trusted, sessions, err)
		}
		for path, want := range map[string]int{"/osm": 301, "/osm/healthz": 200, "/healthz": 200, "/osm/osm/healthz": 303, "/osmium": 303} {
			if answer, _ := p.do(p.browser(), http.MethodGet, path, ""); answer.StatusCode != want {
				t.Errorf("%s: %s, want %d", path, answer.Status, want)
			}
		}
		if answer, _ := p.do(p.browser(), http.MethodGet, "/osm/held?by=age", ""); answer.Header.Get("Location") != "/osm/login?next=%2Fheld%3Fby%3Dage" {
			t.Errorf("a page without a sign-in leads to %s", answer.Header.Get("Location"))
		}
	}
}

func TestLimits(t *testing.T) {
	p := newPlace(t, nil)
	c := p.signedIn("admin")
	if answer, _ := p.do(c, http.MethodPost, "/api/v1/orders", `{"what":"`+strings.Repeat("x", 2*mostBody)+`"}`); answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %s", answer.Status)
	}
	for path, body := range map[string]string{"/api/v1/orders": `{"what":"block"}`, "/api/v1/held/release": `{"surprise":1}`, "/api/v1/users": `{"name":"x","role":"king"}`} {
		if answer, text := p.do(c, http.MethodPost, path, body); answer.StatusCode != http.StatusUnprocessableEntity || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s %s", path, body, answer.Status, text)
		}
	}
}

func TestCompressed(t *testing.T) {
	p := newPlace(t, nil)
	c := p.signedIn("admin")
	answer, text := p.do(c, http.MethodGet, "/api/openapi.json", "", "Accept-Encoding", "gzip")
	if answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", answer.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if want, _ := p.server.OpenAPI(); err != nil || string(plain) != string(want) {
		t.Errorf("%d bytes, %v", len(plain), err)
	}
	for _, refused := range []string{"identity", "gzip;q=0", "br"} {
		if answer, _ := p.do(c, http.MethodGet, "/api/openapi.json", "", "Accept-Encoding", refused); answer.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", refused, answer.Header)
		}
	}
}

// TestControl: the control socket serves the same API to whoever the kernel says is there.
func TestControl(t *testing.T) {
	p := newPlace(t, nil)
	for name, want := range map[string]int{"root": http.StatusOK, "": http.StatusForbidden} {
		h := p.server.Control(func(context.Context) string { return name })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/reload", nil))
		if w.Code != want {
			t.Errorf("%q: %d %s", name, w.Code, w.Body)
		}
	}
	if len(p.orders) != 1 || p.orders[0] != "reload by root" {
		t.Errorf("%q", p.orders)
	}
}

// TestOwnAccount: whoever has a browser that was left open can't take the account over without its password.
func TestOwnAccount(t *testing.T) {
	p := newPlace(t, nil)
	c := p.signedIn("support")
	for path, body := range map[string]string{"/api/v1/me/password": `{"old":"wrong horse","new":"another horse battery"}`, "/api/v1/me/totp": `{"password":"x"}`,
		"/api/v1/me/reset-factors": `{}`, "/account/passkey": `{}`} {
		if answer, text := p.do(c, http.MethodPost, path, body); answer.StatusCode < 400 {
			t.Errorf("%s: %s %s", path, answer.Status, text)
		}
	}
	p.at = p.at.Add(time.Hour)
	if answer, text := p.do(c, http.MethodPost, "/api/v1/me/password", `{"old":"`+password+`","new":"another horse battery"}`); answer.StatusCode >= 300 {
		t.Fatalf("%s %s", answer.Status, text)
	}
	if answer, _ := p.do(c, http.MethodGet, "/api/v1/me", ""); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session outlives the password: %s", answer.Status)
	}
	audit := get[Audit](p, p.signedIn("admin"), "/api/v1/audit")
	if !slices.ContainsFunc(audit.Deeds, func(d policy.Deed) bool { return d.What == "password" && d.By == "support" }) {
		t.Errorf("the audit trail does not tell: %+v", audit.Deeds)
	}
}

// FuzzCookie: whatever a browser sends as a session or a token, it is nobody, and nothing breaks.
func FuzzCookie(f *testing.F) {
	a := access.New(access.Options{Path: f.TempDir() + "/access.db", Now: time.Now})
	f.Cleanup(func() { a.Close() })
	s := &Server{o: Options{Config: DefaultConfig(), Access: a, Now: time.Now}}
	s.openSessions()
	for _, text := range []string{"", "x", "' OR 1=1 --", "osm_"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, cookie, header string) {
		ctx, err := s.sessions.Load(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := s.bySession(ctx); err != nil || v.Role != "" {
			t.Fatalf("%q: %+v, %v", cookie, v, err)
		}
		if v, err := s.byToken(t.Context(), header); err == nil {
			t.Fatalf("%q: %+v", header, v)
		}
	})
}
