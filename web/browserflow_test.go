package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"osm"
	"osm/policy"
	"osm/web"
)

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// testFlow is a day of an administrator's: he signs in, finds who sends, reads why, releases, blocks and takes it back, tries a
// rule on the past and saves it, and signs out. Without scripts the same works, but for the questions before an order.
func testFlow(t *testing.T, w *world, parent context.Context, scripts bool) {
	b := open(t, parent, w.base)
	sure := b.sure
	if !scripts {
		command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		sure = b.press
	}
	name, rule, limit := "ann", "tried by hand", int64(6000)
	if !scripts {
		name, rule, limit = "ben", "tried without scripts", 7000
	}
	b.goTo("/rules") // he is sent to the form, and back
	b.do(chromedp.SendKeys(css("#name"), "admin"), chromedp.SendKeys(css("#password"), password))
	b.press("form[action$='/login'] button.main")
	if b.where() != "/rules" {
		t.Fatalf("after the sign-in he is at %s", b.where())
	}
	find(b, w)
	release(b, w, name)
	block(b, w, sure)
	tryRule(b, w, rule, scripts)
	editRule(b, w, limit)
	if scripts {
		b.do(chromedp.Click(css("details.own summary")))
	} else {
		command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
		b.do(chromedp.Click(css("details.own summary")))
		command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	}
	b.press("form[action$='/logout'] button")
	if b.goTo("/audit"); !strings.HasPrefix(b.where(), "/login") {
		t.Errorf("signed out, he is at %s", b.where())
	}
	b.clean("the flow")
}

// find looks for a sender by the box on every page, and reads why he was stopped.
func find(b *tab, w *world) {
	b.Helper()
	var incidents []web.IncidentPage
	w.must(w.ask(http.MethodGet, "incidents", nil, &incidents))
	who := incidents[0].Key
	b.do(chromedp.SetValue(css("#find"), who.Value))
	b.follow(chromedp.Submit(css("form.find")))
	if !strings.Contains(b.text("main"), osm.Printable(who.Value)) {
		b.Errorf("the box finds %s: %s", who.Value, short(b.text("main")))
	}
	b.goTo("/incidents")
	b.press("main a[href*='/incidents/" + incidents[0].ID + "']")
	if text := b.text("main"); !strings.Contains(text, osm.Printable(who.Value)) {
		b.Errorf("the incident does not say who it is about: %s", short(text))
	}
}

// release lets a held message go, and it arrives.
func release(b *tab, w *world, name string) {
	b.Helper()
	var held web.Held
	w.must(w.ask(http.MethodGet, "held?list=10", nil, &held))
	id := ""
	for _, m := range held.List {
		if len(m.To) > 0 && strings.HasPrefix(m.To[0], name+"@") {
			id = m.ID
		}
	}
	if b.goTo("/held/"+id) != http.StatusOK {
		b.Fatalf("/held/%s: %s", id, short(b.text("body")))
	}
	b.press("button[value='release']")
	w.until("the released message is on its way", func() bool {
		var m web.HeldOne
		return w.ask(http.MethodGet, "held/"+id, nil, &m) == nil && m.State.String() == "released"
	})
}

// block refuses a sender, finds it on the list, and takes it back in the audit trail.
func block(b *tab, w *world, sure func(string)) {
	b.Helper()
	key := osm.Key{Kind: osm.KeyClient, Value: "192.0.2.66"}
	listed := func() bool {
		var list []policy.Entry
		w.must(w.ask(http.MethodGet, "lists", nil, &list))
		for _, e := range list {
			if e.Key == key {
				return true
			}
		}
		return false
	}
	b.goTo("/sender?" + url.Values{"kind": {"client"}, "value": {key.Value}}.Encode())
	for _, meaning := range []string{"refuses all of its mail", "lets all of its mail through", "your own command"} {
		if text := b.text("main .choices"); !strings.Contains(text, meaning) {
			b.Errorf("the orders do not say %q: %s", meaning, short(text))
		}
	}
	sure("main form[action$='/lists'] button.danger")
	if !listed() {
		b.Fatalf("it is not blocked: %s", short(b.text("main")))
	}
	b.goTo("/lists")
	if text := b.text("#list"); !strings.Contains(text, key.Value) || !strings.Contains(text, "suspended") {
		b.Errorf("the lists do not tell a block from a suspension: %s", short(text))
	}
	b.goTo("/audit")
	b.press("form[action$='/undo'] button") // the latest
	if listed() {
		b.Errorf("it is still blocked: %s", short(b.text("main")))
	}
}

// tryRule writes a rule, tries it on the past, reads the difference, saves it, and takes it back in the audit trail.
func tryRule(b *tab, w *world, name string, scripts bool) {
	b.Helper()
	b.goTo("/rules/new")
	b.do(chromedp.SetValue(css("#name"), name), chromedp.SetValue(css("#when"), `size > 0 && class == "script"`))
	b.press("form[action$='/rules/try'] button.main")
	if !strings.HasPrefix(b.where(), "/rules/trials/") {
		b.Fatalf("at %s: %s", b.where(), short(b.text("main")))
	}
	path := b.where()
	var trial web.Trial
	w.until("the trial is done", func() bool {
		w.must(w.ask(http.MethodGet, strings.TrimPrefix(path, "/"), nil, &trial))
		return trial.State == web.TrialDone
	})
	if trial.Newly.Messages == 0 || trial.Messages < 1000 {
		b.Errorf("the trial found %d of %d messages", trial.Newly.Messages, trial.Messages)
	}
	if scripts { // the page notices by itself
		b.do(chromedp.WaitVisible(css("form[action$='/save']")))
	} else {
		b.goTo(path)
	}
	b.press("form[action$='/save'] button[value='']")
	var own web.OwnRules
	w.must(w.ask(http.MethodGet, "rules/own", nil, &own))
	last := own.Rules[len(own.Rules)-1]
	if last.Name != name || !last.Shadow || !last.Page || !strings.Contains(b.text("main"), name) {
		b.Errorf("saved: %+v; the page says %s", last, short(b.text("main")))
	}
	b.press(".note form[action$='/undo'] button")
	w.must(w.ask(http.MethodGet, "rules/own", nil, &own))
	if last := own.Rules[len(own.Rules)-1]; last.Name == name {
		b.Errorf("the rule is still there: %s", short(b.text("main")))
	}
}

// editRule changes one thing of a rule in the page, and finds the rest as it was.
func editRule(b *tab, w *world, limit int64) {
	b.Helper()
	rule := func() policy.Rule {
		var own web.OwnRules
		w.must(w.ask(http.MethodGet, "rules/own", nil, &own))
		for _, o := range own.Rules {
			if o.Name == "newsletters" {
				return o.Rule
			}
		}
		b.Fatalf("the rule is not there: %+v", own)
		return policy.Rule{}
	}
	want := rule()
	want.Limit = limit
	b.goTo("/rules/new?name=newsletters")
	b.do(chromedp.SetValue(css("#limit"), fmt.Sprint(limit)))
	b.press("form[action$='/rules/try'] button[name='live']")
	if got := rule(); !reflect.DeepEqual(got, want) || len(want.Limits) == 0 || len(want.Except) == 0 || !want.Off {
		b.Errorf("saving made\n%+v, not\n%+v: %s", got, want, short(b.text("main")))
	}
}

// testRoles: who may not see a page is told so, and who is bound to accounts finds nothing of others', by whatever address.
func testRoles(t *testing.T, w *world, parent context.Context, places []string) {
	closed := map[string]string{ // pages that a role may not see at all
		"customer": "/delivery /rules /rules/new /lists /settings /health /alerts /audit /users /users/customer",
		"reseller": "/rules /rules/new /lists /settings /health /alerts /audit /users /users/customer",
		"viewer":   "/rules/new /settings /health /alerts /users /users/customer",
		"support":  "/users /users/customer",
	}
	for role, list := range closed {
		b := open(t, parent, w.base)
		b.signIn(role)
		bound := role == "customer" || role == "reseller"
		for _, place := range places {
			path, _, _ := strings.Cut(place, "?")
			got := eval[struct {
				Status int
				Text   string
			}](b, fmt.Sprintf(`fetch(%q).then(async r => ({Status: r.status, Text: await r.text()}))`, w.base+place))
			want, parts := http.StatusOK, strings.Split(path, "/")
			switch {
			case strings.Contains(" "+list+" ", " "+path+" "):
				want = http.StatusForbidden
			case bound && len(parts) == 3: // one thing, which is somebody else's
				want = http.StatusNotFound
			}
			if got.Status != want && !(bound && want == http.StatusOK && got.Status == http.StatusNotFound) {
				t.Errorf("%s at %s: %d, want %d", role, place, got.Status, want)
			}
			if bound && !strings.Contains(place, "=") && strings.Contains(got.Text, "osm.test") {
				t.Errorf("%s sees of others at %s", role, place)
			}
		}
		b.clean(role, "status of 40", ": 40")
		for _, link := range eval[[]string](b, `[...document.querySelectorAll("a[href]")].map(a => new URL(a.href).pathname)`) {
			if strings.Contains(" "+list+" ", " "+strings.TrimPrefix(link, "/osm")+" ") {
				t.Errorf("%s is led to %s", role, link)
			}
		}
	}
}
