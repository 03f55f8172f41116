package web

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"osm/access"
)

// filled is a route's path with something in the place of its wildcards.
func filled(path string) string {
	return strings.ReplaceAll(regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "x"), "{$}", "")
}

// status sends what a route takes, and tells how it is answered; live events are not waited for.
func (p *place) status(c *http.Client, r Route) (status int, to string) {
	p.Helper()
	body := ""
	if strings.HasPrefix(r.Path, apiPath) && r.Method != http.MethodGet {
		body = "{}"
	}
	request, err := http.NewRequestWithContext(p.Context(), r.Method, p.http.URL+filled(r.Path), strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.Do(request)
	if err != nil {
		p.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Location")
}

// TestEveryRouteAndRole walks everything that can be asked, as nobody and in every role, and compares the answers with the
// table of rights.
func TestEveryRouteAndRole(t *testing.T) {
	p := newPlace(t, nil)
	routes := p.server.Routes()
	if len(routes) < 60 {
		t.Fatalf("%d routes", len(routes))
	}
	for _, r := range routes {
		if _, known := roles[r.Need]; !known && !r.Need.open() {
			t.Errorf("%s %s takes the right %q, which is in no row of the table", r.Method, r.Path, r.Need)
		}
		got, to := p.status(p.browser(), r)
		switch want := http.StatusSeeOther; {
		case r.Need.open():
			if got == http.StatusUnauthorized || got == http.StatusForbidden || got >= 500 {
				t.Errorf("nobody: %s %s: %d", r.Method, r.Path, got)
			}
		case strings.HasPrefix(r.Path, apiPath):
			want = http.StatusUnauthorized
			fallthrough
		default:
			if got != want || want == http.StatusSeeOther && !strings.HasPrefix(to, "/login") {
				t.Errorf("nobody: %s %s: %d to %q, want %d", r.Method, r.Path, got, to, want)
			}
		}
	}
	for _, role := range access.Roles() {
		c, leaves := p.signedIn(string(role)), p.signedIn(string(role))
		for _, r := range routes {
			if r.Need.open() {
				continue // a sign-in in another name would end this one
			}
			as := c
			if r.Path == "/logout" {
				as = leaves
			}
			got, to := p.status(as, r)
			if may := r.Need.has(role); may && (got == http.StatusForbidden || got == http.StatusUnauthorized || got >= 500 || strings.HasPrefix(to, "/login") && r.Path != "/logout") {
				t.Errorf("%s: %s %s: %d to %q, though the role has %s", role, r.Method, r.Path, got, to, r.Need)
			} else if !may && got != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d, want 403", role, r.Method, r.Path, got)
			}
		}
	}
}

// TestOtherMethods: a path answers no method that it was not registered for.
func TestOtherMethods(t *testing.T) {
	p := newPlace(t, nil)
	c := p.signedIn("admin")
	known := map[string][]string{}
	for _, r := range p.server.Routes() {
		known[filled(r.Path)] = append(known[filled(r.Path)], r.Method)
	}
	for path, methods := range known {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "TRACE", "BREW"} {
			if slices.Contains(methods, method) {
				continue
			}
			if answer, _ := p.do(c, method, path, ""); answer.StatusCode != http.StatusMethodNotAllowed && answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %s", method, path, answer.Status)
			}
		}
	}
}

// TestOneDoor: routes are registered where their right is looked at, and nowhere else.
func TestOneDoor(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") || name == "route.go" || name == "metrics.go" {
			continue // /metrics has its own rule, tested there
		}
		if at := regexp.MustCompile(`mux\.Handle|huma\.Register|huma\.(Get|Post|Put|Delete)\(`).Find(text); at != nil {
			t.Errorf("%s: %s goes around the rights", name, at)
		}
	}
}

// TestBoundRoles: what resellers and customers may do is what is written here, so that a new right is not theirs by mistake.
func TestBoundRoles(t *testing.T) {
	own := []Right{OwnAccount, SeeHeld, SeeIncidents, SeeMessages, SeeNow, SeeSenders, ReleaseHeld, SignedIn}
	for role, want := range map[access.Role][]Right{access.Customer: own, access.Reseller: append([]Right{SeeDelivery, SeeSuspensions}, own...)} {
		var got []Right
		for _, need := range rights() {
			if need.has(role) {
				got = append(got, need)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", role, got, want)
		}
	}
	for need, who := range roles {
		if !slices.Contains(who, access.Admin) {
			t.Errorf("an administrator has not %s", need)
		}
	}
}

// TestScope: a customer finds his own account's mail by every question, and nothing of another account's.
func TestScope(t *testing.T) {
	p := newPlace(t, nil)
	theirs := func(path string) string {
		return strings.NewReplacer("I-shop", "Ibakery", "V-shop", "Vbakery", messageID(0), messageID(1), "shop", "bakery", "192.0.2.1", "192.0.2.2").Replace(path)
	}
	ours := []string{"/api/v1/incidents/Ishop", "/api/v1/messages/" + messageID(0), "/api/v1/verdicts/Vshop", "/api/v1/held/" + messageID(0),
		"/api/v1/sender?kind=login&value=info@shop.example", "/api/v1/sender?kind=account&value=shop", "/api/v1/sender?kind=client&value=192.0.2.1",
		"/api/v1/sender?kind=sender-domain&value=shop.example", "/api/v1/sender?kind=sender&value=info@shop.example",
		"/api/v1/sender?kind=subject&value=offer+of+shop"}
	lists := []string{"/api/v1/now", "/api/v1/incidents?all=true", "/api/v1/messages", "/api/v1/messages?account=bakery", "/api/v1/messages?login=*bakery*",
		"/api/v1/messages?id=" + messageID(1), "/api/v1/messages?recipient=*far*", "/api/v1/messages?judged=true", "/api/v1/held",
		"/api/v1/senders?kind=account", "/api/v1/senders?kind=login", "/api/v1/senders?kind=script", "/api/v1/senders?kind=client",
		"/api/v1/senders?kind=sender-domain", "/api/v1/senders?kind=subject", "/api/v1/senders?kind=login&order=failed"}
	for _, role := range []string{"customer", "reseller", "admin"} {
		c := p.signedIn(role)
		if role == "reseller" {
			lists = append(lists, "/api/v1/delivery", "/api/v1/suspensions")
		}
		for _, path := range ours {
			if answer, text := p.do(c, http.MethodGet, path, ""); answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %s: %s %s", role, path, answer.Status, text)
			}
			answer, text := p.do(c, http.MethodGet, theirs(path), "")
			if want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[role == "admin"]; answer.StatusCode != want ||
				want != http.StatusOK && strings.Contains(strings.ReplaceAll(text, "bakery\\\" is not", ""), "offer") {
				t.Errorf("%s: %s: %s %s", role, theirs(path), answer.Status, text)
			}
		}
		for _, path := range lists {
			answer, text := p.do(c, http.MethodGet, path, "")
			if answer.StatusCode != http.StatusOK || role != "admin" && strings.Contains(text, "bakery") {
				t.Errorf("%s: %s: %s\n%s", role, path, answer.Status, text)
			}
		}
	}
}

// TestScopeCounts: sums are those of the viewer's accounts, and orders are given within them.
func TestScopeCounts(t *testing.T) {
	p := newPlace(t, nil)
	customer, admin := p.signedIn("customer"), p.signedIn("admin")
	for c, want := range map[*http.Client]int64{customer: 1, admin: 2} {
		o := get[Overview](p, c, "/api/v1/now")
		minutes, day := int64(0), int64(0)
		for _, m := range o.Minutes {
			for _, n := range m.Classes {
				minutes += n
			}
		}
		for _, h := range o.Day {
			day += h.Messages
		}
		if minutes != want || day != want || int64(len(o.Incidents)) != want || int64(o.Held) != want || int64(len(o.Verdicts)) != want {
			t.Errorf("%d in minutes, %d in hours, %d incidents, %d held, %d verdicts; want %d", minutes, day, len(o.Incidents), o.Held, len(o.Verdicts), want)
		}
		if l := get[SenderList](p, c, "/api/v1/senders?kind=login"); int64(len(l.Rows)) != want || l.Total.Messages != want {
			t.Errorf("%+v, want %d", l, want)
		}
	}
	if got := len(get[Overview](p, customer, "/api/v1/now").Sources); got != 0 {
		t.Errorf("a customer sees %d sources", got)
	}
	for body, want := range map[string]int{`{"all":true}`: http.StatusOK, `{"all":true,"allow":true}`: http.StatusForbidden, `{"ids":["x"],"once":true}`: http.StatusForbidden} {
		if answer, text := p.do(customer, http.MethodPost, "/api/v1/held/release", body); answer.StatusCode != want {
			t.Errorf("%s: %s %s", body, answer.Status, text)
		}
	}
	if want := []string{"release by customer"}; !slices.Equal(p.orders, want) {
		t.Errorf("ordered %q, want %q", p.orders, want)
	}
	if s := get[Sender](p, customer, "/api/v1/sender?kind=login&value=info@shop.example"); len(s.Answers) != 1 || s.Answers[0].Domain != "farshop.example" ||
		len(s.Clients) != 1 || len(s.Domains) != 1 || !slices.Equal(s.Accounts, []string{"shop"}) || s.Total.Messages != 1 || !s.Complete {
		text, _ := json.Marshal(s)
		t.Errorf("%s", text)
	}
}
