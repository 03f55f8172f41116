package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"osm"
	"osm/access"
	"osm/hold"
	"osm/policy"
	"osm/sim"
	"osm/tail"
	"osm/web"
)

// hostileText is what a stranger writes to harm a page: markup, a script, an escape sequence, and characters that turn the writing around.
const hostileText = `"><script>alert(1)</script><img src=x onerror=alert(2)>` + "\x1b[31m\u202egnp.exe\u2066"

// pageWorld is a session with a past of two weeks, an attack that is going on, held mail and hostile texts, and its pages.
func pageWorld(t testing.TB) (*session, *httptest.Server) {
	t.Helper()
	s := ruleSession(t, map[string]string{"rules.d/50-web.toml": "[[rule]]\nname = \"newsletters\"\nkey = \"login\"\nlimit = 5000\nwindow = \"24h\"\ncount = \"recipients\"\naction = \"hold\"\nshadow = true\n"})
	now := time.Now().UTC().Truncate(time.Second)
	world := sim.New(sim.Config{Seed: 3, Accounts: 12, Days: 15, Start: now.AddDate(0, 0, -14).Truncate(24 * time.Hour), LongIDs: true, Geo: true})
	var log strings.Builder
	if err := world.WriteLog(&log, nil); err != nil {
		t.Fatal(err)
	}
	end := now.Add(-time.Minute).Format("2006-01-02 15:04:05")
	var past strings.Builder
	for line := range strings.Lines(log.String()) {
		if line[:19] < end {
			past.WriteString(line)
		}
	}
	s.feed(t, past.String())
	s.attack(t, now)
	var err error
	s.follower, err = tail.Follow(tail.Options{Paths: []string{writeFile(t, t.TempDir(), "mainlog", "")}, Config: s.cfg.Tail, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.follower.Close() })
	s.access = access.New(access.Options{Path: filepath.Join(t.TempDir(), "access.db"), Now: time.Now, Cost: access.Cost{Memory: 64, Time: 1, Threads: 1}})
	t.Cleanup(func() { s.access.Close() })
	for name, role := range map[string]access.Role{"ada": access.Admin, "sue": access.Support, "vic": access.Viewer, "cuno": access.Customer} {
		n := access.NewUser{Name: name, Role: role, Password: "correct horse battery"}
		if role.Bound() {
			n.Accounts = []string{"shop"}
		}
		if err := s.access.Add(t.Context(), n, "root"); err != nil {
			t.Fatal(err)
		}
	}
	s.options.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s.live = web.NewFeed()
	pages, err := s.newWeb()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pages.Handler())
	t.Cleanup(server.Close)
	return s, server
}

// attack is a stolen login that is held and then refused, and a message whose every text is hostile.
func (s *session) attack(t testing.TB, now time.Time) {
	t.Helper()
	log := &strings.Builder{}
	for n := range 40 {
		at := now.Add(time.Duration(n-45) * time.Minute)
		m := suspicious(n, at, osm.Hold)
		m.ID = messageID(at, n)
		m.HasSubject, m.Subject, m.Country = true, "Your invoice is overdue", "BR"
		m.Recipients = []string{fmt.Sprintf("somebody%d@far.example", n), "other@elsewhere.example"}
		m.Verdict.ID, m.Verdict.Detail = "V"+osm.ShortID(uint64(n+1)<<40), "78 of 80 recipients never mailed before"
		m.Verdict.Findings = []osm.Finding{{Fact: "new-recipients", Value: "78 of 80 recipients never mailed before", Normal: "2.1 % of its recipients are new", Weight: 5.2},
			{Fact: "new-country", Value: "country BR not used before", Weight: 1.8},
			{Fact: "new-helo", Value: `HELO "` + hostileText + `" not used before`, Normal: "0.4 % of its messages open a new one", Weight: 0.9},
			{Fact: "known-recipients", Value: "2 of 80 recipients mailed before", Weight: -0.3}}
		if n > 30 {
			m.Verdict.Action = osm.Reject
		}
		if n == 39 {
			m.Subject, m.Sender, m.Helo = strings.Repeat(hostileText, 900), hostileText+"@evil.example", hostileText
		}
		s.engine.Sink.Arrival(m)
		stamp := at.Format("2006-01-02 15:04:05")
		fmt.Fprintf(log, "%s %s == %s R=dnslookup T=remote_smtp defer (0): %s\n", stamp, m.ID, m.Recipients[0], hostileText)
	}
	s.feed(t, log.String())
	if _, err := s.order(web.Order{What: policy.Block, Key: osm.Key{Kind: osm.KeyClient, Value: "192.0.2.66"}, For: osm.Duration(24 * time.Hour),
		Reason: hostileText}, "ada", now); err != nil {
		t.Fatal(err)
	}
	s.save(t)
}

// browser is somebody who has signed in.
type browser struct {
	*http.Client
	t    testing.TB
	base string
	lang string
}

func signIn(t testing.TB, server *httptest.Server, name, lang string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{Client: &http.Client{Jar: jar}, t: t, base: server.URL, lang: lang}
	status, text := b.post("/login", url.Values{"name": {name}, "password": {"correct horse battery"}})
	if status != http.StatusOK || strings.Contains(text, `name="password"`) {
		t.Fatalf("%s can't sign in: %d", name, status)
	}
	return b
}

func (b *browser) do(r *http.Request) (int, string) {
	b.t.Helper()
	r.Header.Set("Accept-Language", b.lang)
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (b *browser) get(path string) (int, string) {
	r, err := http.NewRequest(http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(path string, form url.Values) (int, string) {
	r, err := http.NewRequest(http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	return b.do(r)
}

// pathsOf are the pages, with one of each kind of thing.
func (s *session) pathsOf(t *testing.T) []string {
	t.Helper()
	i := s.incidents(access.Scope{All: true})[0]
	sample := i.Samples[len(i.Samples)-1]
	who := url.Values{"kind": {i.Key.Kind.String()}, "value": {i.Key.Value}}.Encode()
	held := ""
	s.eachHeld(func(m *hold.Message) { held = m.ID })
	return []string{"/", "/incidents", "/incidents?state=all", "/incidents/" + i.ID, "/held", "/held?by=reason", "/held?" + who, "/held/" + held, "/senders", "/senders?kind=subject&since=7d",
		"/sender?" + who, "/messages", "/messages?subject=invoice&action=hold", "/messages/" + sample.ID, "/verdicts/" + sample.Verdict, "/delivery?since=7d",
		"/rules", "/rules/new", "/rules/new?name=newsletters", "/lists", "/settings", "/settings?changed=1", "/health", "/alerts", "/audit", "/users", "/users/cuno", "/account",
		"/find?q=nothing-of-the-kind"}
}

// strangers lists what a page has that is not ours: scripts and handlers, and styles that the policy forbids.
func strangers(t *testing.T, page string) (found []string) {
	t.Helper()
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				t.Error(tokens.Err())
			}
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := tokens.Token()
			if tag.Data == "style" || tag.Data == "iframe" || tag.Data == "img" {
				found = append(found, tag.String())
			}
			for _, a := range tag.Attr {
				ours := tag.Data != "script" || a.Key != "src" || strings.HasPrefix(a.Val, "/assets/osm.js?")
				if !ours || strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(a.Val, "javascript:") {
					found = append(found, tag.String())
				}
			}
			if tag.Data == "script" && len(tag.Attr) == 0 {
				found = append(found, tag.String())
			}
		}
	}
}

// TestPages draws every page in both languages: nothing of a stranger's gets to be markup, and no page is too large.
func TestPages(t *testing.T) {
	s, server := pageWorld(t)
	for _, lang := range []string{"en", "de"} {
		b := signIn(t, server, "ada", lang)
		for _, path := range s.pathsOf(t) {
			status, text := b.get(path)
			if status != http.StatusOK {
				t.Errorf("%s in %s: %d\n%.600s", path, lang, status, text)
				continue
			}
			for _, found := range strangers(t, text) {
				t.Errorf("%s in %s: a stranger has written %.100q", path, lang, found)
			}
			if strings.ContainsAny(text, "\x1b\u202e\u2066") {
				t.Errorf("%s in %s: a control character got through", path, lang)
			}
			if !strings.Contains(text, `<html lang="`+lang+`"`) || strings.Count(text, "<h1") != 1 && path != "/delivery?since=7d" {
				t.Errorf("%s in %s: %d headings", path, lang, strings.Count(text, "<h1"))
			}
			if len(text) > 600<<10 {
				t.Errorf("%s in %s has %d kB", path, lang, len(text)>>10)
			}
		}
	}
}
