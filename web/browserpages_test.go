package web_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"osm"
	"osm/web"
)

// stills looks at pages and keeps pictures of them.
type stills struct {
	*tab
	checker, dir string // axe's script, and where pictures go
}

// testPages looks at each page as an administrator, by day and night, wide and on a phone: nothing of a stranger's runs, nothing
// fails, everybody can use it, and nothing is wider than the screen.
func testPages(t *testing.T, w *world, parent context.Context, places []string, checker string) {
	s := stills{tab: open(t, parent, w.base), checker: checker, dir: album(t)}
	s.signIn("admin")
	s.clean("sign-in")
	var own web.OwnRules
	w.must(w.ask(http.MethodGet, "rules/own", nil, &own))
	if len(own.Trials) == 0 {
		t.Error("the flows have tried no rule")
	}
	for _, trial := range own.Trials[:min(1, len(own.Trials))] {
		places = append(places, "/rules/trials/"+trial.ID)
	}
	for i, path := range places {
		s.look(path, fmt.Sprintf("%02d-%s", i, placeName(path)), http.StatusOK)
	}
	s.look("/nowhere", "missing", http.StatusNotFound)
	s.look("/messages/never", "message-missing", http.StatusNotFound)
	t.Logf("pictures are in %s", s.dir)
}

// testOthers looks at what those see who are no administrators: the sign-in, what is forbidden, a customer by a link.
func testOthers(t *testing.T, w *world, parent context.Context, checker string) {
	s := stills{tab: open(t, parent, w.base), checker: checker, dir: album(t)}
	s.look("/login", "sign-in", http.StatusOK)
	s.do(chromedp.SendKeys(css("#name"), "viewer"), chromedp.SendKeys(css("#password"), "guessed"))
	s.press("form[action$='/login'] button.main")
	s.shoot(s.dir, "sign-in-wrong", "wide-light")
	s.clean("the wrong password", "status of 4")
	s.signIn("viewer")
	s.look("/rules/new", "forbidden", http.StatusForbidden)
	var page web.MessagePage
	w.must(w.ask(http.MethodGet, "messages?limit=200", nil, &page))
	account := ""
	for _, m := range page.Messages {
		if !strings.Contains(m.Account, "<") {
			account = cmp.Or(account, m.Account)
		}
	}
	if account == "" {
		t.Fatal("no message belongs to an account")
	}
	var link struct{ URL string }
	w.must(w.ask(http.MethodPost, "links", map[string]any{"account": account, "for": osm.Duration(time.Hour)}, &link))
	c := stills{tab: open(t, parent, w.base), checker: s.checker, dir: s.dir}
	c.do(chromedp.Navigate(link.URL))
	for _, path := range []string{"/", "/messages", "/senders", "/held", "/incidents"} {
		c.look(path, "customer-"+placeName(path), http.StatusOK)
	}
	if text := c.text("body"); !strings.Contains(text, account) {
		t.Errorf("the customer %s is not named: %s", account, short(text))
	}
}

// look shows a page wide and on a phone, by day and night.
func (s stills) look(path, name string, want int64) {
	s.Helper()
	s.do(chromedp.EmulateViewport(1440, 900))
	if status := s.goTo(path); status != want {
		s.Errorf("%s: %d, want %d: %s", path, status, want, short(s.text("body")))
	}
	if title := eval[string](s.tab, "document.title"); title == "owned" || !strings.HasSuffix(title, "osm") || strings.Contains(title, "bdi>") {
		s.Errorf("%s: the title is %q", path, title)
	}
	if eval[bool](s.tab, `/[\u0000-\u0008\u001b\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText)`) {
		s.Errorf("%s shows characters that steer the writing", path)
	}
	s.accessible(s.checker, path, "")
	s.shoot(s.dir, name, "wide-light")
	s.dark(true)
	s.accessible(s.checker, path+" (dark)", `runOnly: ["color-contrast"], `)
	s.shoot(s.dir, name, "wide-dark")
	s.do(chromedp.EmulateViewport(360, 780, chromedp.EmulateMobile))
	if wide := eval[float64](s.tab, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		s.Errorf("%s is %v pixels wider than a phone: %s", path, wide, eval[string](s.tab, widest))
	}
	s.shoot(s.dir, name, "phone-dark")
	s.dark(false)
	s.shoot(s.dir, name, "phone-light")
	if strings.HasPrefix(path, "/incidents/") {
		s.do(chromedp.EmulateViewport(1000, 1400))
		command(s.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		s.shoot(s.dir, name, "print")
		command(s.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	}
	if want != http.StatusOK {
		s.clean(path, fmt.Sprintf("status of %d", want))
		return
	}
	s.clean(path)
}

// placeName is the first word of a path.
func placeName(path string) string {
	name, _, _ := strings.Cut(path[1:], "?")
	name, _, _ = strings.Cut(name, "/")
	return cmp.Or(name, "now")
}

// widest names what reaches out of the screen.
const widest = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(e => e.outerHTML.slice(0, 150)).join(" | ")`
