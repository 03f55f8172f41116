package access

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

func TestTokens(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	made, secret, err := a.AddToken(ctx, Token{User: "Alice", Name: "backup", Scopes: []string{"read"}, Expires: c.at.Add(time.Hour)}, "alice")
	if err != nil || !strings.HasPrefix(secret, tokenMark) {
		t.Fatalf("%q, %v", secret, err)
	}
	a = again(t, a)
	if u, got, err := a.UseToken(ctx, secret); err != nil || u.Name != "alice" || got.ID != made.ID || got.Scopes[0] != "read" {
		t.Errorf("%+v %+v, %v", u, got, err)
	}
	blob, err := os.ReadFile(a.options.Path)
	if err != nil || strings.Contains(string(blob), secret[len(tokenMark):]) {
		t.Errorf("the token is in the file, %v", err)
	}
	for _, bad := range []string{"", "osm_", secret + "x", strings.TrimPrefix(secret, tokenMark), strings.ToUpper(secret), made.ID} {
		if _, _, err := a.UseToken(ctx, bad); !errors.Is(err, ErrOver) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := a.RemoveToken(ctx, made.ID, "shop", "shop"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger removes a token: %v", err)
	}
	c.pass(time.Hour)
	if _, _, err := a.UseToken(ctx, secret); !errors.Is(err, ErrOver) {
		t.Errorf("after its time: %v", err)
	}
	for _, bad := range []Token{{User: "alice"}, {User: "nobody", Name: "x"}, {User: "alice", Name: "x", Expires: c.at}} {
		if _, _, err := a.AddToken(ctx, bad, "root"); err == nil {
			t.Errorf("%+v is made", bad)
		}
	}
	_, secret, err = a.AddToken(ctx, Token{User: "shop", Name: "x"}, "root")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(ctx, "shop", "root"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.UseToken(ctx, secret); !errors.Is(err, ErrOver) {
		t.Errorf("the token of a user who is gone: %v", err)
	}
}

func TestTickets(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	want := Guest{Name: "web\"><script>", Role: Reseller, Accounts: []string{"b", "a", "a"}, Page: "/held"}
	secret, err := a.MakeTicket(ctx, want, TicketFor, "root")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.UseTicket(ctx, secret); err != nil || got.Name != want.Name || len(got.Accounts) != 2 || got.Role != Reseller {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := a.UseTicket(ctx, secret); !errors.Is(err, ErrOver) {
		t.Errorf("used twice: %v", err)
	}
	if secret, err = a.MakeTicket(ctx, Guest{User: "ALICE"}, TicketFor, "root"); err != nil {
		t.Fatal(err)
	}
	c.pass(TicketFor)
	if _, err := a.UseTicket(ctx, secret); !errors.Is(err, ErrOver) {
		t.Errorf("after its time: %v", err)
	}
	for _, bad := range []Guest{{}, {User: "nobody"}, {Name: "x", Role: "king"}, {Name: "x", Role: Customer}, {Role: Admin}} {
		if _, err := a.MakeTicket(ctx, bad, TicketFor, "root"); err == nil {
			t.Errorf("%+v gets a ticket", bad)
		}
	}
}

func TestLinks(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	until := c.at.Add(time.Hour)
	token, err := a.MakeLink(ctx, Guest{Name: "shop", Role: Customer, Accounts: []string{"shop"}, Page: "/held"}, until, "alice")
	if err != nil {
		t.Fatal(err)
	}
	a = again(t, a)
	for range 2 {
		if g, end, err := a.UseLink(ctx, token); err != nil || g.Accounts[0] != "shop" || !end.Equal(until) {
			t.Errorf("%+v %v, %v", g, end, err)
		}
	}
	left, right, _ := strings.Cut(token, ".")
	for _, bad := range []string{"", ".", left, right, left + ".", left + "." + right[:20], left + "A." + right, right + "." + left, token + "A", token + "=",
		strings.Repeat("a", 3000) + "." + right} {
		if g, _, err := a.UseLink(ctx, bad); !errors.Is(err, ErrOver) {
			t.Errorf("%.60q: %+v, %v", bad, g, err)
		}
	}
	other, _ := open(t)
	if _, _, err := other.UseLink(ctx, token); !errors.Is(err, ErrOver) {
		t.Errorf("another server's link: %v", err)
	}
	c.pass(time.Hour)
	if _, _, err := a.UseLink(ctx, token); !errors.Is(err, ErrOver) {
		t.Errorf("after its time: %v", err)
	}
	for _, bad := range []Guest{{Name: "x", Role: Admin}, {Name: "x", Role: Viewer}, {User: "alice"}, {Name: "x", Role: Customer}} {
		if _, err := a.MakeLink(ctx, bad, until, "alice"); err == nil {
			t.Errorf("%+v gets a link", bad)
		}
	}
}

// FuzzLink: nothing but what was signed is let in, whatever is sent.
func FuzzLink(f *testing.F) {
	a, c := open(f)
	token, err := a.MakeLink(f.Context(), Guest{Name: "shop", Role: Customer, Accounts: []string{"shop"}}, c.at.Add(time.Hour), "alice")
	if err != nil {
		f.Fatal(err)
	}
	key, err := a.key(f.Context(), linkKey)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{token, "", ".", "a.b", "e30.", strings.Replace(token, ".", "..", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if l, ok := readLink(key, s); ok && s != token {
			t.Fatalf("%q is taken for %+v", s, l)
		}
	})
}

// FuzzTicketAndToken: nobody comes in with what was not handed out.
func FuzzTicketAndToken(f *testing.F) {
	a, _ := open(f)
	for _, s := range []string{"", "osm_", "' OR 1=1 --", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if g, err := a.UseTicket(t.Context(), s); err == nil {
			t.Fatalf("the ticket %q is %+v", s, g)
		}
		if u, _, err := a.UseToken(t.Context(), s); err == nil {
			t.Fatalf("the token %q is %+v", s, u)
		}
	})
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		c, _, sum, err := parseHash(s)
		if err == nil && (c.Memory > mostMemory || c.Time > mostRounds || c.Time == 0 || c.Threads == 0 || len(sum) != hashLength) {
			t.Fatalf("%q: %+v", s, c)
		}
	})
}

func FuzzSessionCodec(f *testing.F) {
	f.Add([]byte(`{"deadline":"2026-11-23T12:00:00Z","values":{"user":"alice"}}`))
	f.Fuzz(func(t *testing.T, blob []byte) {
		end, values, err := SessionCodec{}.Decode(blob)
		if err != nil {
			return
		}
		if _, err := (SessionCodec{}).Encode(end, values); err != nil && end.Year() >= 0 && end.Year() <= 9999 {
			t.Fatalf("%q can't be written again: %v", blob, err)
		}
	})
}

func TestOneTimeCodes(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	secret, address, err := a.BeginTOTP(ctx, "alice", "osm mx.example")
	if err != nil || !strings.HasPrefix(address, "otpauth://totp/") {
		t.Fatalf("%q, %v", address, err)
	}
	code := func(at time.Time) string {
		t.Helper()
		text, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if u, _ := a.User(ctx, "alice"); u.TOTP {
		t.Error("codes are needed before one was told")
	}
	if _, err := a.ConfirmTOTP(ctx, "alice", "000000", "alice"); !errors.Is(err, ErrFactor) {
		t.Errorf("a wrong first code: %v", err)
	}
	recovery, err := a.ConfirmTOTP(ctx, "alice", code(c.at), "alice")
	if err != nil || len(recovery) != recoveryCodes {
		t.Fatalf("%v, %v", recovery, err)
	}
	if err := a.SecondFactor(ctx, "alice", code(c.at), home); !errors.Is(err, ErrFactor) {
		t.Errorf("a code that was used already: %v", err)
	}
	c.pass(codeStep)
	if err := a.SecondFactor(ctx, "alice", " "+code(c.at)[:3]+" "+code(c.at)[3:], home); err != nil {
		t.Errorf("the next code: %v", err)
	}
	if err := a.SecondFactor(ctx, "alice", code(c.at.Add(-codeStep)), home); !errors.Is(err, ErrFactor) {
		t.Errorf("one before the latest: %v", err)
	}
	if err := a.SecondFactor(ctx, "alice", code(c.at.Add(5*codeStep)), home); !errors.Is(err, ErrFactor) {
		t.Errorf("one that is not due: %v", err)
	}
	if err := a.SecondFactor(ctx, "alice", strings.ToUpper(recovery[3]), home); err != nil {
		t.Errorf("a code for a lost phone: %v", err)
	}
	if err := a.SecondFactor(ctx, "alice", recovery[3], home); !errors.Is(err, ErrFactor) {
		t.Errorf("the same again: %v", err)
	}
	for range triesPair {
		err = a.SecondFactor(ctx, "alice", "123456", home)
	}
	c.pass(codeStep)
	if throttled := a.SecondFactor(ctx, "alice", code(c.at), home); !errors.Is(throttled, ErrThrottled) {
		t.Errorf("after many wrong ones: %v, %v", err, throttled)
	}
	if err := a.ResetFactors(ctx, "alice", "root"); err != nil {
		t.Fatal(err)
	}
	if u, _ := a.User(ctx, "alice"); u.TOTP {
		t.Error("codes are needed after they were taken away")
	}
	c.pass(triesSpan)
	if err := a.SecondFactor(ctx, "alice", recovery[0], home); !errors.Is(err, ErrFactor) {
		t.Errorf("an old code for a lost phone: %v", err)
	}
}
