package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"osm/access"
)

// testTOTP: who has a second factor is asked for it, and a wrong code does not let him in.
func testTOTP(t *testing.T, w *world, parent context.Context) {
	w.must(w.users.Add(t.Context(), access.NewUser{Name: "tina", Role: access.Viewer, Password: password}, "root"))
	secret, _, err := w.users.BeginTOTP(t.Context(), "tina", "osm")
	w.must(err)
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(secret, at)
		w.must(err)
		return c
	}
	_, err = w.users.ConfirmTOTP(t.Context(), "tina", code(time.Now().Add(-30*time.Second)), "tina")
	w.must(err)
	b := open(t, parent, w.base)
	b.goTo("/login")
	b.do(chromedp.SendKeys(css("#name"), "tina"), chromedp.SendKeys(css("#password"), password))
	b.press("form[action$='/login'] button.main")
	if b.goTo("/incidents"); !strings.HasPrefix(b.where(), "/login") {
		t.Fatalf("without the second factor she is at %s", b.where())
	}
	b.goTo("/login/code")
	b.shoot(album(t), "code", "light")
	b.do(chromedp.EmulateViewport(360, 780, chromedp.EmulateMobile))
	b.shoot(album(t), "code", "phone")
	for _, try := range []struct {
		code string
		in   bool
	}{{"000000", false}, {code(time.Now()), true}} {
		b.do(chromedp.SendKeys(css("#code"), try.code))
		b.press("form[action$='/login/code'] button.main")
		if in := !strings.HasPrefix(b.where(), "/login"); in != try.in {
			t.Errorf("with the code %s she is at %s: %s", try.code, b.where(), short(b.text("main")))
		}
	}
	b.clean("the second factor", "status of 4")
}

// testPasskey: a passkey is made on the page of one's own account, and signs in without a password. The authenticator is the
// browser's virtual one.
func testPasskey(t *testing.T, w *world, parent context.Context) {
	b := open(t, parent, w.base)
	command(b, webauthn.Enable, webauthn.EnableParams{})
	command(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true}})
	b.signIn("support")
	b.goTo("/account")
	b.do(chromedp.WaitVisible(css("#passkey")), chromedp.SetValue(css("#passkey [name=name]"), "my key"))
	if eval[bool](b, "!!document.querySelector('#passkey [name=password]')") {
		b.do(chromedp.SendKeys(css("#passkey [name=password]"), password))
	}
	b.press("#passkey button")
	keys, err := w.users.PasskeysOf(t.Context(), "support")
	if err != nil || len(keys) != 1 {
		t.Fatalf("%+v, %v: %s", keys, err, short(b.text("main")))
	}
	b.do(chromedp.Click(css("details.own summary")))
	b.press("form[action$='/logout'] button")
	b.goTo("/login")
	b.do(chromedp.WaitVisible(css("[data-passkey-sign]")))
	b.press("[data-passkey-sign]")
	if status := b.goTo("/account"); status != http.StatusOK || strings.HasPrefix(b.where(), "/login") {
		t.Errorf("after the passkey: %d at %s", status, b.where())
	}
	b.clean("the passkey")
}
