package policy

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"osm"
)

const heldID = "1xVPOh-0003K5-0B"

func rewriter(t testing.TB) *Rewriter {
	w, err := NewRewriter([]byte(strings.Repeat("k", keySize)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRewrittenAddresses(t *testing.T) {
	w := rewriter(t)
	for _, original := range []string{"x@far.example", `"a b,c|\"@@"@far.example`, "jos\xc3\xa9@\xc3\xbcber.example", "O'Neil=+/x@[192.0.2.1]",
		strings.Repeat("l", 110) + "@far.example", "a\nb@c"} {
		for _, action := range []osm.Action{osm.Hold, osm.Reject, osm.Discard} {
			address := w.Encode(heldID, original, osm.Verdict{Action: action, ID: "V0ABC234"})
			if strings.Trim(strings.TrimSuffix(address, "@"+HoldDomain), "abcdefghijklmnopqrstuvwxyz0123456789.") != "" {
				t.Errorf("%q is not plain", address)
			}
			for _, a := range []string{address, strings.ToUpper(address)} {
				got, err := w.Decode(heldID, a)
				if err != nil || got != (Rewritten{Action: action, Verdict: "V0ABC234", Original: original, Signed: true}) {
					t.Errorf("%q: %+v, %v", a, got, err)
				}
			}
		}
	}
}

// TestLongAddress: Exim does not rewrite to an address that is longer than it takes, and the message would go.
func TestLongAddress(t *testing.T) {
	w := rewriter(t)
	for n := 100; n < 250; n++ {
		address := w.Encode(heldID, strings.Repeat("l", n)+"@x.example", osm.Verdict{Action: osm.Hold, ID: "V0ABC234"})
		if len(address) > 255 {
			t.Fatalf("%d bytes became %d", n, len(address))
		}
		r := &Request{State: Rewrite, Recipient: address, Message: osm.Message{ID: heldID}}
		if v := w.Answer(r, nil); n > 130 && v.Action != osm.Reject || n < 120 && v.Action != osm.Defer {
			t.Errorf("%d bytes: %+v", n, v)
		}
	}
}

// TestForgedAddresses changes every character of an address, and takes it to another message and another key.
func TestForgedAddresses(t *testing.T) {
	w := rewriter(t)
	address := w.Encode(heldID, "x@far.example", osm.Verdict{Action: osm.Hold, ID: "V0ABC234"})
	for i := range strings.IndexByte(address, '@') {
		forged := address[:i] + string(address[i]^1) + address[i+1:]
		if got, err := w.Decode(heldID, forged); !errors.Is(err, ErrNotOurs) {
			t.Errorf("%q is taken for %+v", forged, got)
		}
	}
	other, err := NewRewriter([]byte(strings.Repeat("o", keySize)))
	if err != nil {
		t.Fatal(err)
	}
	for name, decode := range map[string]func() (Rewritten, error){
		"another message": func() (Rewritten, error) { return w.Decode("1xVPOh-0003K5-0C", address) },
		"another key":     func() (Rewritten, error) { return other.Decode(heldID, address) },
		"another domain": func() (Rewritten, error) {
			return w.Decode(heldID, strings.Replace(address, HoldDomain, "far.example", 1))
		},
		"no parts":    func() (Rewritten, error) { return w.Decode(heldID, "x@"+HoldDomain) },
		"no original": func() (Rewritten, error) { return w.Decode(heldID, "u.@"+HoldDomain) },
		"twice": func() (Rewritten, error) {
			return w.Decode(heldID, "u."+base64.RawURLEncoding.EncodeToString([]byte(address))+"@"+HoldDomain)
		},
	} {
		if got, err := decode(); !errors.Is(err, ErrNotOurs) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRewriteAnswers(t *testing.T) {
	w := rewriter(t)
	released := false
	w.Released = func(id, verdict string) bool { return released && id == heldID && (verdict == "V1" || verdict == "") }
	verdict := osm.Verdict{}
	ask := func(recipient string) osm.Verdict {
		r := &Request{State: Rewrite, Recipient: recipient, Message: osm.Message{ID: heldID}}
		return w.Answer(r, func(string) osm.Verdict { return verdict })
	}
	if v := ask("x@far.example"); v.Action != osm.Accept {
		t.Errorf("an accepted recipient: %+v", v)
	}
	verdict = osm.Verdict{Action: osm.Hold, ID: "V1", Shadow: true}
	if v := ask("x@far.example"); v.Stops() {
		t.Errorf("a rule in shadow: %+v", v)
	}
	original := base64.StdEncoding.EncodeToString([]byte("x@far.example"))
	for _, c := range []struct{ first, waits, goes osm.Action }{
		{osm.Hold, osm.Defer, osm.Divert}, {osm.Defer, osm.Defer, osm.Divert},
		{osm.Reject, osm.Reject, osm.Divert}, {osm.Discard, osm.Discard, osm.Divert},
	} {
		verdict, released = osm.Verdict{Action: c.first, ID: "V1"}, false
		v := ask("x@far.example")
		if v.Action != osm.Divert || !IsRewritten(v.Detail) {
			t.Fatalf("%v: %+v", c.first, v)
		}
		if held := ask(v.Detail); held.Action != c.waits || held.ID != "V1" {
			t.Errorf("%v waits as %+v", c.first, held)
		}
		released = true
		if gone := ask(v.Detail); gone.Action != c.goes || gone.Detail != original {
			t.Errorf("%v is released as %+v", c.first, gone)
		}
	}
	if v := ask("h.v1.forged.00@" + HoldDomain); v.Action != osm.Defer {
		t.Errorf("a forged address: %+v: it may be ours with a lost key, and must not be lost", v)
	}
	unsigned := "u." + base64.RawURLEncoding.EncodeToString([]byte("x@far.example")) + "@" + HoldDomain
	verdict, released = osm.Verdict{Action: osm.Hold, ID: "V2"}, false
	if v := ask(unsigned); v.Action != osm.Defer {
		t.Errorf("an unsigned address that is to be held: %+v", v)
	}
	released = true
	if v := ask(unsigned); v.Action != osm.Divert || v.Detail != original {
		t.Errorf("an unsigned address that was held and is released: %+v", v)
	}
	verdict = osm.Verdict{}
	if v := ask(unsigned); v.Action != osm.Divert || v.Detail != original {
		t.Errorf("an unsigned address that may go: %+v", v)
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	path, owner := filepath.Join(dir, "key"), os.Geteuid()
	if owner == 0 {
		owner = 65534
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bool{true, false} {
		if created, err := CreateKey(path); err != nil || created != want {
			t.Fatalf("%v, %v", created, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; info.Mode().Perm() != 0o600 || int(uid) != owner {
		t.Errorf("mode %v, owner %d, not %d", info.Mode(), uid, owner)
	}
	one, err := OpenRewriter(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := OpenRewriter(path)
	if err != nil {
		t.Fatal(err)
	}
	address := one.Encode(heldID, "x@y", osm.Verdict{Action: osm.Hold})
	if got, err := two.Decode(heldID, address); err != nil || got.Original != "x@y" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRewriter(path); err == nil {
		t.Error("a torn key is taken")
	}
}

func FuzzDecodeRewritten(f *testing.F) {
	w := rewriter(f)
	f.Add(w.Encode(heldID, "x@far.example", osm.Verdict{Action: osm.Hold, ID: "V1"}))
	f.Add("u.eEBmYXIuZXhhbXBsZQ@" + HoldDomain)
	f.Fuzz(func(t *testing.T, address string) {
		got, err := w.Decode(heldID, address)
		if err == nil && got.Signed && !strings.EqualFold(address, w.Encode(heldID, got.Original, osm.Verdict{Action: got.Action, ID: got.Verdict})) {
			t.Errorf("%q is taken for %+v", address, got)
		}
	})
}
