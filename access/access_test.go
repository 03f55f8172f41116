package access

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time        { return c.at }
func (c *clock) pass(by time.Duration) { c.at = c.at.Add(by) }

const (
	right = "correct horse battery"
	wrong = "wrong horse battery"
)

var home = netip.MustParseAddr("192.0.2.1")

// open makes a file with alice, an administrator, and shop, a customer.
func open(t testing.TB) (*Access, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	a := New(Options{Path: filepath.Join(t.TempDir(), "access.db"), Now: c.now, Cost: Cost{Memory: 64, Time: 1, Threads: 1}})
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, n := range []NewUser{{Name: "Alice", Role: Admin, Password: right, OIDC: "alice@example.org"},
		{Name: "shop", Role: Customer, Accounts: []string{"shop", " shop", ""}, Password: right}} {
		if err := a.Add(t.Context(), n, "root"); err != nil {
			t.Fatal(err)
		}
	}
	return a, c
}

// again is the same file after a restart.
func again(t *testing.T, a *Access) *Access {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := New(a.options)
	t.Cleanup(func() { b.Close() })
	return b
}

func TestUsers(t *testing.T) {
	a, _ := open(t)
	ctx := t.Context()
	for _, bad := range []NewUser{{Name: "", Role: Viewer}, {Name: "a b", Role: Viewer}, {Name: "../x", Role: Viewer}, {Name: "bob", Role: "king"},
		{Name: "bob", Role: Customer}, {Name: "bob", Role: Reseller, Accounts: []string{" "}}, {Name: "bob", Role: Admin, Accounts: []string{"shop"}},
		{Name: "bob", Role: Viewer, Password: "short"}, {Name: "bob-bob-bob", Role: Viewer, Password: "BOB-bob-bob"},
		{Name: "ALICE", Role: Viewer}, {Name: "bob", Role: Viewer, OIDC: "alice@example.org"}} {
		if err := a.Add(ctx, bad, "root"); err == nil {
			t.Errorf("%+v is made", bad)
		}
	}
	u, err := a.User(ctx, "SHOP")
	if err != nil || !slices.Equal(u.Accounts, []string{"shop"}) || u.Scope().Has("other") || !u.Scope().Has("shop") || u.Scope().Has("") {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := a.User(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	for _, last := range []error{a.Remove(ctx, "alice", "root"), a.Change(ctx, NewUser{Name: "alice", Role: Viewer}, "root")} {
		if last == nil || !strings.Contains(last.Error(), "last administrator") {
			t.Errorf("the last administrator goes: %v", last)
		}
	}
	if err := a.Change(ctx, NewUser{Name: "shop", Role: Admin}, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(ctx, "alice", "shop"); err != nil {
		t.Fatal(err)
	}
	if users, err := again(t, a).Users(ctx); err != nil || len(users) != 1 || users[0].Name != "shop" || !users[0].Scope().All {
		t.Errorf("%+v, %v", users, err)
	}
}

func TestTrail(t *testing.T) {
	a, _ := open(t)
	if err := a.SetPassword(t.Context(), "shop", right+"!", "alice"); err != nil {
		t.Fatal(err)
	}
	changes, err := a.Changes(t.Context(), 10)
	if err != nil || len(changes) != 3 || changes[0].What != "password" || changes[0].By != "alice" || changes[2].Text != "admin" {
		t.Errorf("%+v, %v", changes, err)
	}
	for _, c := range changes {
		if strings.Contains(c.Text, right) {
			t.Errorf("the trail has a password: %+v", c)
		}
	}
}

// TestPrivateFile: nobody but its owner reads it.
func TestPrivateFile(t *testing.T) {
	a, _ := open(t)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(a.options.Path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info.Mode(), err)
		}
	}
	blob, err := os.ReadFile(a.options.Path + "-wal")
	if err != nil || strings.Contains(string(blob), right) {
		t.Errorf("the password is in the file, %v", err)
	}
}

func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := New(Options{Path: path, Now: time.Now})
	if _, err := a.Users(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if users, err := a.Users(t.Context()); err != nil || len(users) != 0 {
		t.Errorf("when it is gone: %v, %v", users, err)
	}
	a.Close()
}

func TestSignIn(t *testing.T) {
	a, _ := open(t)
	ctx := t.Context()
	if u, err := a.SignIn(ctx, " Alice ", right, home); err != nil || u.Name != "alice" {
		t.Errorf("%+v, %v", u, err)
	}
	for _, bad := range [][2]string{{"alice", wrong}, {"alice", ""}, {"nobody", right}, {"", ""}, {"alice\x00", right}, {strings.Repeat("a", 1e6), right},
		{"shop", strings.Repeat("x", 1e6)}} {
		if u, err := a.SignIn(ctx, bad[0], bad[1], home); !errors.Is(err, ErrDenied) {
			t.Errorf("%.20q: %+v, %v", bad, u, err)
		}
	}
	if err := a.Add(ctx, NewUser{Name: "sso", Role: Viewer}, "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SignIn(ctx, "sso", "", home); !errors.Is(err, ErrDenied) {
		t.Errorf("a user without a password comes in with none: %v", err)
	}
}

func TestThrottle(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	for range triesPair {
		if _, err := a.SignIn(ctx, "alice", wrong, home); !errors.Is(err, ErrDenied) {
			t.Fatal(err)
		}
	}
	if _, err := a.SignIn(ctx, "alice", right, home); !errors.Is(err, ErrThrottled) {
		t.Errorf("the right password after %d wrong ones: %v", triesPair, err)
	}
	if _, err := a.SignIn(ctx, "alice", right, netip.MustParseAddr("198.51.100.7")); err != nil {
		t.Errorf("the owner is locked out elsewhere: %v", err)
	}
	c.pass(triesSpan)
	if _, err := a.SignIn(ctx, "alice", right, home); err != nil {
		t.Errorf("after a while: %v", err)
	}
	// One network, many users; 64 bits of IPv6 are one network.
	for n := range triesNetwork {
		from := netip.MustParseAddr("2001:db8::").As16()
		from[15] = byte(n)
		if _, err := a.SignIn(ctx, "user"+string(rune('a'+n)), wrong, netip.AddrFrom16(from)); !errors.Is(err, ErrDenied) {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if _, err := a.SignIn(ctx, "alice", right, netip.MustParseAddr("2001:db8::ffff")); !errors.Is(err, ErrThrottled) {
		t.Errorf("from a network that tries many users: %v", err)
	}
	if _, err := a.SignIn(ctx, "alice", right, netip.MustParseAddr("2001:db8:0:1::1")); err != nil {
		t.Errorf("from the network next to it: %v", err)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th, now := newThrottle(), time.Unix(1e9, 0)
	for range triesPair {
		th.try("alice", home, now)
	}
	for n := range 2 * triesMost {
		th.try("user", netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), now)
		th.try(strings.Repeat("x", n%100), netip.AddrFrom4([4]byte{11, byte(n >> 16), byte(n >> 8), byte(n)}), now)
	}
	if len(th.counts) > triesMost {
		t.Errorf("%d counts", len(th.counts))
	}
	if th.try("alice", home, now) {
		t.Error("who has failed most is forgotten for those who fail once")
	}
}

// TestHashes: a hash tells its own parameters, and one that can't be read lets nobody in.
func TestHashes(t *testing.T) {
	a, _ := open(t)
	ctx := t.Context()
	old, err := a.hash(ctx, right)
	if err != nil {
		t.Fatal(err)
	}
	a.options.Cost = Cost{Memory: 128, Time: 2, Threads: 2}
	if ok, err := a.matches(ctx, right, old); !ok || err != nil {
		t.Errorf("a hash of other parameters: %v, %v", ok, err)
	}
	for _, damaged := range []string{"", "x", strings.Replace(old, "argon2id", "argon2i", 1), strings.Replace(old, "m=64", "m=4000000000", 1),
		strings.Replace(old, "t=1", "t=0", 1), strings.Replace(old, "p=1", "p=0", 1), old[:len(old)-3], old + "A", strings.Replace(old, "v=19", "v=16", 1)} {
		if ok, err := a.matches(ctx, right, damaged); ok || err != nil {
			t.Errorf("%s lets in: %v, %v", damaged, ok, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	a.hashing <- struct{}{} // another one is being looked at
	if _, err := a.matches(gone, right, old); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that has gone away: %v", err)
	}
	<-a.hashing
}

func TestSessions(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	m := &scs.SessionManager{Lifetime: time.Hour, Store: a.Sessions(), Codec: SessionCodec{}, HashTokenInStore: true}
	begin := func(values map[string]string) string {
		t.Helper()
		in, err := m.Load(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range values {
			m.Put(in, k, v)
		}
		m.SetDeadline(in, c.at.Add(time.Hour))
		token, _, err := m.Commit(in)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	token := begin(map[string]string{UserValue: "alice"})
	guest := begin(map[string]string{GuestValue: "{}"})
	user := func(a *Access, token string) string {
		t.Helper()
		m.Store = a.Sessions()
		in, err := m.Load(ctx, token)
		if err != nil {
			t.Fatal(err)
		}
		return m.GetString(in, UserValue)
	}
	a = again(t, a)
	if got := user(a, token); got != "alice" {
		t.Errorf("after a restart it is %q's session", got)
	}
	blob, err := os.ReadFile(a.options.Path)
	if err != nil || strings.Contains(string(blob), token) {
		t.Errorf("the token is in the file, %v", err)
	}
	sessions, err := a.Sessions().Of(ctx, "alice")
	if err != nil || len(sessions) != 1 || sessions[0].ID == token {
		t.Fatalf("%+v, %v", sessions, err)
	}
	if err := a.Sessions().End(ctx, "shop", sessions[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger ends a session: %v", err)
	}
	for name, end := range map[string]func() error{
		"password": func() error { return a.SetPassword(ctx, "alice", right, "root") },
		"change":   func() error { return a.Change(ctx, NewUser{Name: "alice", Role: Admin}, "root") },
		"end": func() error {
			all, err := a.Sessions().Of(ctx, "alice")
			return errors.Join(err, a.Sessions().End(ctx, "alice", all[0].ID))
		},
		"time": func() error { c.pass(time.Hour); return nil },
	} {
		m.Store = a.Sessions()
		token := begin(map[string]string{UserValue: "alice"})
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if got := user(a, token); got != "" {
			t.Errorf("%s: it is %q's session still", name, got)
		}
	}
	_ = guest
}

// TestIdleSessions: a session that is used lasts until its time, one that is not ends before, and one that was ended stays so.
func TestIdleSessions(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	s := a.Sessions()
	s.Idle = time.Hour
	deadline := c.at.Add(150 * time.Minute)
	data, err := SessionCodec{}.Encode(deadline, map[string]any{UserValue: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"used", "unused"} {
		if err := s.CommitCtx(ctx, token, data, deadline); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		pass  time.Duration
		token string
		there bool
	}{{50 * time.Minute, "used", true}, {50 * time.Minute, "used", true}, {0, "unused", false}, {40 * time.Minute, "used", true}, {11 * time.Minute, "used", false}} {
		c.at = c.at.Add(step.pass)
		if _, there, err := s.FindCtx(ctx, step.token); there != step.there || err != nil {
			t.Errorf("%s at %s: %t, %v", step.token, c.at, there, err)
		}
	}
	if data, err = (SessionCodec{}).Encode(c.at.Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.used(ctx, "ended", data, time.Time{}); err != nil { // a request that began before
		t.Fatal(err)
	}
	if _, there, err := s.FindCtx(ctx, "ended"); there || err != nil {
		t.Errorf("a session that was ended is there again, %v", err)
	}
}

// TestStrangersSessions: sign-ins that nobody finishes do not push out those of users and guests.
func TestStrangersSessions(t *testing.T) {
	a, c := open(t)
	ctx := t.Context()
	if err := a.Sessions().CommitCtx(ctx, "guest", []byte(`{"values":{"guest":"{}"}}`), c.at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	db, err := a.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO session SELECT 's' || i, '', '{}', ? FROM n`, mostUnknown+50, c.at.Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if err := a.Sessions().CommitCtx(ctx, "one more", []byte(`{}`), c.at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var all int
	if err := db.QueryRow("SELECT count(*) FROM session").Scan(&all); err != nil || all != mostUnknown+1 {
		t.Errorf("%d sessions, %v", all, err)
	}
	if _, ok, err := a.Sessions().FindCtx(ctx, "guest"); !ok || err != nil {
		t.Errorf("the guest's is gone, %v", err)
	}
}
