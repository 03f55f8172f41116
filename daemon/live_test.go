package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/access"
	"osm/policy"
)

// watch opens the live feed as a browser does, from a frame on ("" for now), and hands on what comes.
func (b *browser) watch(ctx context.Context, last string) <-chan liveNews {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+"/live", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", b.lang)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		b.t.Fatalf("the feed is %q: %s", kind, answer.Status)
	}
	news := make(chan liveNews, 200)
	go func() {
		defer close(news)
		defer answer.Body.Close()
		lines, id := bufio.NewScanner(answer.Body), ""
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = text
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				one := liveNews{ID: id}
				if json.Unmarshal([]byte(text), &one) == nil {
					news <- one
				}
			}
		}
	}()
	return news
}

type liveNews struct {
	ID     string
	HTML   string `json:"html"`
	Lost   int    `json:"lost"`
	Counts []int  `json:"counts"`
	Turned bool   `json:"turned"`
}

// TestLive: who watches sees what the engine finds, in his language and of his accounts alone; whoever comes back is told what he has
// missed, and a storm is told as a number.
func TestLive(t *testing.T) {
	s, server := pageWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	german, customer := signIn(t, server, "vic", "de").watch(ctx, ""), signIn(t, server, "cuno", "en").watch(ctx, "")
	now := time.Now()
	own, foreign := suspicious(900, now, osm.Hold), suspicious(901, now, osm.Hold)
	own.Subject, own.HasSubject, foreign.Account, foreign.Login = hostileText, true, "other", "eve@other.example"
	for _, m := range []*osm.Message{own, foreign} {
		s.live.Arrival(m)
	}
	s.live.Arrival(&osm.Message{Login: "quiet@shop.example"}) // nothing was found about it
	s.live.Tick(3, 5, true)
	all, some := <-german, <-customer
	if strings.Count(all.HTML, "<li") != 2 || !strings.Contains(all.HTML, "angehalten") || !strings.Contains(seen(all.HTML), "eve@other.example") ||
		len(all.Counts) != 2 || all.Counts[0] != 3 || all.Counts[1] != 5 || !all.Turned {
		t.Errorf("to the viewer: %+v", all)
	}
	if strings.Count(some.HTML, "<li") != 1 || !strings.Contains(some.HTML, "held") || strings.Contains(some.HTML, "other") || some.Counts != nil {
		t.Errorf("to the customer: %+v", some)
	}
	if found := strangers(t, all.HTML); len(found) > 0 || strings.ContainsAny(all.HTML, "\x1b\u202e") || strings.Contains(all.HTML, "quiet@") {
		t.Errorf("%v in %s", found, all.HTML)
	}
	for n := range 100 {
		s.live.Arrival(suspicious(n, now, osm.Reject))
	}
	s.live.Tick(3, 5, false)
	if storm := <-german; strings.Count(storm.HTML, "<li") != 30 || storm.Lost != 70 {
		t.Errorf("a storm: %d lines, %d lost", strings.Count(storm.HTML, "<li"), storm.Lost)
	}
	for range 70 {
		s.live.Tick(3, 5, false)
	}
	back := <-signIn(t, server, "ada", "en").watch(ctx, all.ID)
	if back.Lost != 100 {
		t.Errorf("who comes back has missed %d", back.Lost)
	}
}

// TestLiveNeverWaits: the engine goes on when a viewer does not read.
func TestLiveNeverWaits(t *testing.T) {
	s, server := pageWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	b := signIn(t, server, "ada", "en")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	m := suspicious(1, time.Now(), osm.Hold)
	m.HasSubject, m.Subject = true, strings.Repeat("x", 500)
	for range 2000 { // some megabytes that nobody reads: sockets' buffers hold far less
		for range 40 {
			s.live.Arrival(m)
		}
		s.live.Tick(1, 1, false)
	}
	if !s.live.Watched() {
		t.Error("the viewer is gone: the test shows nothing")
	}
}

var undoForm = regexp.MustCompile(`action="(/audit/[^"]+/undo)"`)

// seen is a page's text without the places where a line may break.
func seen(page string) string { return strings.ReplaceAll(page, "<wbr>", "") }

// TestFindBlockUndo is what a person does who finds the sender, blocks him and takes it back, without a script.
func TestFindBlockUndo(t *testing.T) {
	s, server := pageWorld(t)
	b := signIn(t, server, "sue", "en")
	status, text := b.get("/find?q=alice@shop.example")
	if status != http.StatusOK || !strings.Contains(seen(text), "<h1 id=\"headline\"><bdi>alice@shop.example</bdi>") {
		t.Fatalf("the search box does not lead to the sender: %d %.300s", status, text)
	}
	key := osm.Key{Kind: osm.KeyLogin, Value: "alice@shop.example"}
	form := url.Values{"what": {"block"}, "kind": {"login"}, "value": {key.Value}, "for": {"24h"}, "back": {"/sender?kind=login&value=alice%40shop.example"}}
	status, text = b.post("/lists", form)
	undo := undoForm.FindStringSubmatch(text)
	if status != http.StatusOK || !strings.Contains(text, "is blocked.") || undo == nil || !s.ledger.Listed(key) {
		t.Fatalf("%d, listed %v, undo %v\n%.2000s", status, s.ledger.Listed(key), undo, text)
	}
	status, text = b.post(undo[1], url.Values{"back": {"/lists"}})
	if status != http.StatusOK || !strings.Contains(text, "It is undone.") || s.ledger.Listed(key) {
		t.Errorf("%d, listed %v", status, s.ledger.Listed(key))
	}
	if _, again := b.get("/lists"); strings.Contains(again, "It is undone.") {
		t.Error("the notice is shown twice")
	}
	if _, text := b.post("/lists", url.Values{"what": {"block"}, "kind": {"client"}, "value": {"not an address"}}); !strings.Contains(text, "That did not work") {
		t.Error("a mistake is not told")
	}
	if deeds := s.audit(); deeds[0].What != policy.Undo || deeds[0].By != "sue" {
		t.Errorf("the audit trail: %+v", deeds[0])
	}
}

// TestPagesByRole: pages do not offer what one may not do, and a customer sees his own alone.
func TestPagesByRole(t *testing.T) {
	s, server := pageWorld(t)
	for name, want := range map[string]struct {
		sees, hides []string
	}{
		"ada":  {sees: []string{`href="/settings"`, `action="/lists"`, "alice@shop.example"}},
		"sue":  {sees: []string{`href="/settings"`, `action="/lists"`}, hides: []string{`href="/users"`, `action="/suspensions"`}},
		"vic":  {sees: []string{`href="/audit"`, "alice@shop.example"}, hides: []string{`action="/lists"`, `action="/held"`, `href="/settings"`}},
		"cuno": {sees: []string{"alice@shop.example"}, hides: []string{`action="/lists"`, `href="/lists"`, `href="/rules"`, `href="/settings"`, "mikaha", "public_html"}},
	} {
		b := signIn(t, server, name, "en")
		_, text := b.get("/")
		text = seen(text)
		for _, part := range want.sees {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not see %s", name, part)
			}
		}
		for _, part := range want.hides {
			if strings.Contains(text, part) {
				t.Errorf("%s sees %s", name, part)
			}
		}
	}
	foreign := ""
	for _, i := range s.incidents(access.Scope{All: true}) {
		if i.Account != "shop" {
			foreign = i.ID
		}
	}
	customer := signIn(t, server, "cuno", "de")
	if status, text := customer.get("/incidents/" + foreign); status != http.StatusNotFound || !strings.Contains(text, "Das gibt es nicht") {
		t.Errorf("a customer and another's incident: %d", status)
	}
	if status, text := customer.post("/lists", url.Values{"what": {"allow"}, "kind": {"login"}, "value": {"alice@shop.example"}}); status != http.StatusForbidden ||
		!strings.Contains(text, "Das dürfen Sie nicht") {
		t.Errorf("a customer allows himself: %d", status)
	}
}

// TestChoices: language and colours are kept, and a stranger's address to go back to is not followed.
func TestChoices(t *testing.T) {
	_, server := pageWorld(t)
	b := signIn(t, server, "vic", "fr-CA, de;q=0.5")
	if _, text := b.get("/"); !strings.Contains(text, `<html lang="de">`) {
		t.Error("who asks for French, then German, gets no German")
	}
	_, text := b.post("/preferences", url.Values{"theme": {"dark"}, "language": {"en"}, "back": {"/incidents"}})
	if !strings.Contains(text, `<html lang="en" data-theme="dark">`) || !strings.Contains(text, `href="/incidents" aria-current="page"`) {
		t.Errorf("%.300s", text)
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, to := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "evil"} {
		r, err := http.NewRequest(http.MethodPost, server.URL+"/preferences", strings.NewReader(url.Values{"back": {to}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := b.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if where := answer.Header.Get("Location"); where != "/" {
			t.Errorf("back to %q leads to %q", to, where)
		}
	}
}

// TestFirstView: what a browser fetches at first is small.
func TestFirstView(t *testing.T) {
	_, server := pageWorld(t)
	b := signIn(t, server, "ada", "en")
	_, page := b.get("/")
	size := len(page)
	for _, m := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		status, text := b.get(m[1])
		if status != http.StatusOK || len(text) == 0 {
			t.Errorf("%s: %d", m[1], status)
		}
		size += len(text)
	}
	t.Logf("%d kB before they are packed, %d of them the page", size>>10, len(page)>>10)
	if size > 150_000 {
		t.Errorf("the first view has %d bytes", size)
	}
}

// BenchmarkLive is a second of 200 viewers while things are found.
func BenchmarkLive(b *testing.B) {
	const viewers = 200
	s, server := pageWorld(b)
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	one := signIn(b, server, "ada", "en")
	var all []<-chan liveNews
	for range viewers {
		all = append(all, one.watch(ctx, ""))
	}
	m := suspicious(1, time.Now(), osm.Hold)
	for b.Loop() {
		for range 20 {
			s.live.Arrival(m)
		}
		s.live.Tick(1, 1, false)
		for _, news := range all {
			<-news
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e7, "%core")
}

// BenchmarkNowPage is the first page, with all that it asks.
func BenchmarkNowPage(b *testing.B) {
	_, server := pageWorld(b)
	one := signIn(b, server, "ada", "en")
	for b.Loop() {
		if status, _ := one.get("/"); status != http.StatusOK {
			b.Fatal(status)
		}
	}
}

// TestBasePath: below a reverse proxy's path every address of a page stays below it, forms and what follows them too.
func TestBasePath(t *testing.T) {
	s, _ := pageWorld(t)
	s.cfg.Web.BasePath = "/osm"
	pages, err := s.newWeb()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pages.Handler())
	t.Cleanup(server.Close)
	b := signIn(t, &httptest.Server{URL: server.URL + "/osm"}, "ada", "en")
	address := regexp.MustCompile(` (?:href|src|action|data-live)="([^"]*)"`)
	for _, path := range s.pathsOf(t) {
		status, text := b.get(path)
		all := address.FindAllStringSubmatch(text, -1)
		if status != http.StatusOK || len(all) < 10 {
			t.Errorf("%s: %d, %d addresses", path, status, len(all))
		}
		for _, m := range all {
			if !strings.HasPrefix(m[1], "/osm/") && !strings.HasPrefix(m[1], "#") {
				t.Errorf("%s has the address %s", path, m[1])
			}
		}
	}
	if status, text := b.post("/lists", url.Values{"what": {"block"}, "kind": {"client"}, "value": {"192.0.2.99"}, "back": {"/lists"}}); status != http.StatusOK ||
		!strings.Contains(text, "is blocked.") {
		t.Errorf("a form below the base path: %d", status)
	}
}
