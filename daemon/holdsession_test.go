package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/access"
	"osm/action"
	"osm/config"
	"osm/exim"
	"osm/hold"
	"osm/panel"
	"osm/policy"
	"osm/store"
	"osm/web"
)

// idleSession is a session that nobody runs, on a server with DirectAdmin.
func idleSession(t testing.TB, change func(*config.Config)) *session {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"usr/local/directadmin/conf/directadmin.conf": "",
		"etc/virtual/domainowners": "shop.example: shop\n",
		"etc/passwd":               "shop:x:1001:1001::/home/shop:/bin/bash\n"} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Defaults()
	cfg.Store.Path = filepath.Join(t.TempDir(), "osm.db")
	cfg.Exim.Log = filepath.Join(root, "mainlog")
	if change != nil {
		change(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	owners := panel.Open(panel.Config{Kind: "directadmin"}, root, time.Now())
	d, err := New(cfg, Options{Logger: log, Panel: owners, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	history, err := store.Open(cfg.Store, time.Now(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { history.Close() })
	held := newHolds(cfg.Hold)
	alarm := newAlarm(cfg, owners, log)
	engine, err := newEngine(cfg, engineOptions{Sink: &record{store: history, alarm: alarm, holds: held, log: log},
		Panel: owners, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return newSession(d, engine, alarm, held, history, nil)
}

// suspicious is a message that the detection has something to say about.
func suspicious(n int, at time.Time, action osm.Action) *osm.Message {
	key := osm.Key{Kind: osm.KeyLogin, Value: "alice@shop.example"}
	return &osm.Message{ID: fmt.Sprintf("1xVPZd-%06d-2Y", n), Time: at, Class: osm.Login, Login: key.Value,
		Account: "shop", Sender: key.Value,
		Recipients: []string{"a@far.example"}, Subject: "offer", Client: netip.MustParseAddr("192.0.2.1"),
		Verdict: osm.Verdict{Action: action, Rule: "stolen-login", Reason: "new-recipients", Detail: "9 of 9",
			ID: "V1", Key: key, Score: 9,
			Findings: []osm.Finding{{Fact: "new-recipients", Weight: 9}}}}
}

func (s *session) stateOf(id string) hold.State {
	m, _ := s.holds.book.Get(id)
	return m.State
}

// TestClearedMailIsReleased: when the detection no longer suspects a sender its mail goes out by itself, a few times.
func TestClearedMailIsReleased(t *testing.T) {
	s := idleSession(t, nil)
	now := time.Now()
	first := suspicious(1, now, osm.Hold)
	s.holds.arrival(first, now)
	s.releaseAllCleared()
	if got := s.stateOf(first.ID); got != hold.Held {
		t.Fatalf("a sender that nothing is known of: %s", got)
	}
	s.engine.Detect.Find(&osm.Message{ID: "1xVPZd-999999-2Y", Time: now, Class: osm.Login, Login: first.Login,
		Recipients: []string{"a@far.example"}})
	for n := 2; n < 2+s.cfg.Hold.Automatic; n++ {
		s.holds.arrival(suspicious(n, now, osm.Hold), now)
		s.releaseAllCleared()
		if m, _ := s.holds.book.Get(first.ID); m.State != hold.Releasing || m.By != bySelf {
			t.Fatalf("%+v", m)
		}
	}
	if deeds := s.audit(); len(deeds) != s.cfg.Hold.Automatic || deeds[0].What != web.Release || deeds[0].By != bySelf {
		t.Errorf("the audit trail: %+v", deeds)
	}
	last := suspicious(50, now, osm.Hold)
	s.holds.arrival(last, now)
	s.releaseAllCleared()
	if got := s.stateOf(last.ID); got != hold.Held {
		t.Errorf("nobody has looked, and it is %s once more", got)
	}
	if _, err := s.order(web.Order{What: policy.Forgive, Key: first.Verdict.Key}, "root", now); err != nil {
		t.Fatal(err)
	}
	s.holds.arrival(suspicious(51, now, osm.Reject), now)
	s.releaseAllCleared()
	if got := s.stateOf(last.ID); got != hold.Held {
		t.Errorf("its sender was stopped, and it is %s", got)
	}
	if _, err := s.order(web.Order{What: policy.Forgive, Key: first.Verdict.Key}, "root", now); err != nil {
		t.Fatal(err)
	}
	s.releaseSoon()
	if got := s.stateOf(last.ID); got != hold.Releasing {
		t.Errorf("a person has looked, and it is %s", got)
	}
}

// TestKeysAsWritten: people name a login in small letters, whatever it is in the mail.
func TestKeysAsWritten(t *testing.T) {
	s := idleSession(t, nil)
	m := suspicious(1, time.Now(), osm.Hold)
	m.Verdict.Key.Value = "Alice@Shop.example"
	s.holds.arrival(m, time.Now())
	s.holds.book.Stopped(m.Verdict.Key)
	key := osm.Key{Kind: osm.KeyLogin, Value: "alice@shop.example"}
	if _, err := s.order(web.Order{What: policy.Allow, Key: key}, "root", time.Now()); err != nil {
		t.Fatal(err)
	}
	if g, _ := s.holds.book.Group(m.Verdict.Key); g.Stopped {
		t.Error("a person has looked, and it stays stopped")
	}
	if a := s.orderEach(heldOrder{HeldOrder: web.HeldOrder{What: web.Release, Key: key, Scope: everybody}}, "root", time.Now()); a.Messages != 1 {
		t.Errorf("%+v", a)
	}
}

func TestPassiveVerdictsHoldNothing(t *testing.T) {
	s := idleSession(t, nil)
	passive, shadow := suspicious(1, time.Now(), osm.Hold), suspicious(2, time.Now(), osm.Hold)
	passive.Verdict.Passive, shadow.Verdict.Shadow = true, true
	for _, m := range []*osm.Message{passive, shadow} {
		s.holds.arrival(m, time.Now())
	}
	if held, others, _ := s.holds.book.Size(); held+others != 0 {
		t.Errorf("%d held", held)
	}
}

// TestForgedLinesEndNothing: a local user's false lines in the log do not make held mail forgotten.
func TestForgedLinesEndNothing(t *testing.T) {
	s := idleSession(t, nil)
	m := suspicious(1, time.Now(), osm.Hold)
	s.holds.arrival(m, time.Now())
	forged := suspendedEntry(m.ID)
	forged.Forged = exim.AfterTorn
	ev := s.engine.Track.Add(&forged)
	s.holds.line(&forged, &ev)
	if got := s.stateOf(m.ID); got != hold.Held {
		t.Errorf("after a forged line it is %s", got)
	}
	honest := suspendedEntry(m.ID)
	ev = s.engine.Track.Add(&honest)
	s.holds.line(&honest, &ev)
	if got := s.stateOf(m.ID); got != hold.Gone {
		t.Errorf("after Exim's own line it is %s", got)
	}
}

func suspendedEntry(id string) exim.Entry {
	return exim.Entry{Head: exim.Head{Kind: exim.Removed, ID: id, Time: time.Now()}}
}

func TestSendersAreTold(t *testing.T) {
	s := idleSession(t, func(cfg *config.Config) { cfg.Hold.NoticeHeld, cfg.Hold.Link = true, "https://mail.example/r?t=" })
	s.holds.keepSecret()
	for n := range 20 {
		s.holds.arrival(suspicious(n, time.Now(), osm.Hold), time.Now())
	}
	stranger := suspicious(30, time.Now(), osm.Hold)
	stranger.Login, stranger.Verdict.Key = "", osm.Key{Kind: osm.KeyClient, Value: "192.0.2.9"}
	s.holds.arrival(stranger, time.Now())
	s.noticeHeld()
	s.noticeHeld()
	letters := s.alarm.outbox.Letters()
	if len(letters) != 1 {
		t.Fatalf("%d letters", len(letters))
	}
	mail := letters[0].Mail
	if len(mail.To) != 1 || mail.To[0] != "alice@shop.example" || !strings.Contains(mail.Subject,
		"20 of your messages") || strings.Count(mail.Text, "send it: https://mail.example/r?t=") != 10 {
		t.Errorf("%+v", mail)
	}
	_, token, _ := strings.Cut(mail.Text, "?t=")
	token, _, _ = strings.Cut(token, "\n")
	if id, err := hold.Verify(s.holds.book.Secret(), token, time.Now()); err != nil || s.stateOf(id) != hold.Held {
		t.Errorf("the link's token is of %q, %v", id, err)
	}
}

// TestExpiredIsTold: the end of a hold deletes the message, and its sender is told once.
func TestExpiredIsTold(t *testing.T) {
	s := idleSession(t, nil)
	q := &exim.Queue{Spool: t.TempDir(), Command: func(context.Context, ...string) (string, error) { return "", nil }}
	for n := range 300 { // more than one call of Exim takes
		s.holds.arrival(suspicious(n, time.Now().Add(-8*24*time.Hour), osm.Hold), time.Now())
	}
	fresh := suspicious(1000, time.Now(), osm.Hold)
	s.holds.arrival(fresh, time.Now())
	for round := false; !round; {
		round = s.holds.book.Sweep(lookAtOnce, time.Now())
	}
	s.carryOut(t.Context(), q)
	if m, _ := s.holds.book.Get(suspicious(7, time.Now(), osm.Hold).ID); m.State != hold.Expired || m.By != hold.ByExpiry {
		t.Errorf("%+v", m)
	}
	if got := s.stateOf(fresh.ID); got != hold.Held {
		t.Errorf("a fresh message is %s", got)
	}
	letters := s.alarm.outbox.Letters()
	if len(letters) != 1 || letters[0].Mail.To[0] != "alice@shop.example" ||
		!strings.Contains(letters[0].Mail.Subject, "300 of your messages were not sent") {
		t.Errorf("%d letters: %+v", len(letters), letters)
	}
}

// TestFailedCommandsKeepMailHeld: what Exim can't do is told, and tried by nobody but a person again.
func TestFailedCommandsKeepMailHeld(t *testing.T) {
	s := idleSession(t, nil)
	spool := t.TempDir()
	m := suspicious(1, time.Now(), osm.Hold)
	text := m.ID + "-H\nroot 0 0\n<>\n1795423133 0\n-frozen 1795423135\nXX\n1\nx@far.example\n\n"
	if err := errors.Join(os.Mkdir(filepath.Join(spool, "input"), 0o700), os.WriteFile(filepath.Join(spool, "input",
		m.ID+"-H"), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	q := &exim.Queue{Spool: spool, Command: func(context.Context, ...string) (string, error) {
		return "",
			errors.New("permission denied")
	}}
	s.holds.queue.Store(q)
	s.holds.arrival(m, time.Now())
	for _, what := range []policy.What{web.Release, web.Delete} {
		if _, err := s.orderHeld(doneContext(t), web.HeldOrder{What: what, IDs: []string{m.ID}, Now: true, Scope: everybody}, "root",
			time.Now()); err != nil {
			t.Fatal(err)
		}
		s.carryOut(t.Context(), q)
		if h, _ := s.holds.book.Get(m.ID); h.State != hold.Held || !strings.Contains(h.Error, "permission denied") {
			t.Errorf("%s: %+v", what, h)
		}
	}
	for _, o := range []web.HeldOrder{{What: web.Release}, {What: web.Release, All: true, IDs: []string{m.ID}}, {What: "burn",
		All: true},
		{What: web.Release, IDs: []string{"1xVPZd-999999-2Y"}}, {What: web.Release, Verdict: "I0"}, {What: web.Release,
			Key: osm.Key{Kind: osm.KeyASN, Value: "x"}}} {
		o.Scope = everybody
		if a, err := s.orderHeld(doneContext(t), o, "root", time.Now()); err == nil {
			t.Errorf("%+v is carried out: %+v", o, a)
		}
	}
}

// everybody is the scope of an administrator.
var everybody = access.Scope{All: true}

// doneContext makes answers that do not wait for the worker.
func doneContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestFastLane: a sender with a past that is suspected gets one message to one recipient out.
func TestFastLane(t *testing.T) {
	s := idleSession(t, func(cfg *config.Config) { cfg.Detect.Suspect, cfg.Detect.Stop = 0.01, 1e9 })
	now := time.Now()
	write := func(n int, at time.Time, to ...string) *policy.Request {
		return &policy.Request{State: policy.Data, UID: -1, Message: osm.Message{ID: fmt.Sprintf("1xVPZd-%06d-2Y", n),
			Time: at, Protocol: "esmtpsa",
			Login: "alice@shop.example", Auth: "plain", Sender: "alice@shop.example",
			Client: netip.MustParseAddr("192.0.2.1"), Helo: "laptop",
			Subject: "hello", HasSubject: true, Recipients: to}}
	}
	for n := range 40 {
		at := now.Add(-time.Duration(40-n) * 12 * time.Hour)
		m := &write(n, at, "bob@far.example").Message
		m.Class = osm.Login
		s.engine.Detect.Find(m)
		s.engine.Detect.Learn(m, true)
	}
	ask := func(n int, to ...string) osm.Verdict {
		r := write(n, now, to...)
		r.Message.Client, r.Message.Helo = netip.MustParseAddr("198.51.100.7"), "elsewhere"
		return s.engine.Ask(r, now)
	}
	if v := ask(100, "new@one.example", "new@two.example"); v.Action != osm.Hold {
		t.Fatalf("two new recipients: %+v", v)
	}
	if v := ask(101, "new@three.example"); v.Action != osm.Accept || v.Rule != "fast-lane" || v.Score == 0 {
		t.Errorf("the first to one recipient: %+v", v)
	}
	if v := ask(102, "new@four.example"); v.Action != osm.Hold {
		t.Errorf("the second in the hour: %+v", v)
	}
	m := write(103, now.Add(2*time.Hour), "new@five.example").Message // the log tells of it and nobody has asked, as in a replay
	m.Client, m.Helo = netip.MustParseAddr("198.51.100.7"), "elsewhere"
	s.engine.arrival(&m, nil)
	if m.Verdict.Rule != "fast-lane" || !m.Verdict.Passive {
		t.Errorf("in the log, hours later: %+v", m.Verdict)
	}
}

// TestWhatIsLostIsTold: what did not fit into memory is counted, and osm doctor says so.
func TestWhatIsLostIsTold(t *testing.T) {
	s := idleSession(t, func(cfg *config.Config) { cfg.Hold.Most = 1 })
	now := time.Now()
	if all := s.lost(); len(all) > 0 {
		t.Errorf("at the start: %q", all)
	}
	for range refusedMost + 3 {
		s.engine.asked.refuse(suspicious(1, now, osm.Reject))
	}
	s.holds.arrival(suspicious(2, now, osm.Hold), now)
	s.holds.arrival(suspicious(3, now, osm.Hold), now)
	if all := s.lost(); len(all) != 2 || !strings.HasPrefix(all[0], "3 messages") || !strings.HasPrefix(all[1], "1 message found") {
		t.Errorf("%q", all)
	}
}

// TestAutomaticSuspension: what the detection stops is suspended in the panel, until its time is over.
func TestAutomaticSuspension(t *testing.T) {
	s := idleSession(t, func(cfg *config.Config) {
		cfg.Action.Automatic, cfg.Action.PerHour = []action.Means{action.ByPanel, action.ByList}, 1
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.keepSuspended(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()
	s.mu.Lock()
	s.holds.arrival(suspicious(1, time.Now().Add(-2*time.Hour), osm.Reject), time.Now()) // of an old log
	m := suspicious(2, time.Now(), osm.Reject)
	s.holds.arrival(m, time.Now())
	s.mu.Unlock()
	file := filepath.Join(s.options.Root, "etc/virtual/blacklist_smtp_usernames")
	waitFor(t, "the panel's file has the login", func() bool {
		text, _ := os.ReadFile(file)
		all := s.suspensions(everybody)
		return strings.HasPrefix(string(text), "alice@shop.example:") && len(all) == 1 && all[0].State == action.Active
	})
	waitFor(t, "the login is on the block list", func() bool {
		return len(s.entries()) == 1 &&
			!s.entries()[0].Until.IsZero()
	})
	other := suspicious(3, time.Now(), osm.Reject)
	other.Verdict.Key.Value = "bob@shop.example"
	s.suspendRefused(time.Now()) // nothing new
	s.mu.Lock()
	s.holds.arrival(other, time.Now())
	s.mu.Unlock()
	waitFor(t, "the second one of the hour was looked at", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.stops.refused) == 0
	})
	if all := s.suspensions(everybody); len(all) != 1 {
		t.Errorf("%d suspensions in the hour", len(all))
	}
	for _, d := range s.audit() {
		if d.What == web.Suspend {
			if _, err := s.undo(d.ID, "root", time.Now()); err != nil {
				t.Error(err)
			}
			if _, err := s.undo(d.ID, "root", time.Now()); err == nil {
				t.Error("it is undone twice")
			}
		}
	}
	waitFor(t, "the panel's file is as before", func() bool {
		text, _ := os.ReadFile(file)
		return string(text) == "" && s.suspensions(everybody)[0].State == action.Ended
	})
	if a, err := s.suspend(web.SuspendOrder{What: web.Resume, Key: m.Verdict.Key}, "", "root", time.Now()); err != nil ||
		len(a.Deeds) != 1 || len(s.entries()) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := within(t).Done()
	for !ready() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waiting until %s took too long", what)
		}
	}
}

// TestSuspendedLogin: a suspended login is refused as soon as Exim knows who it is, and only over SMTP.
func TestSuspendedLogin(t *testing.T) {
	s := idleSession(t, nil)
	ask := func(state policy.State, login string) osm.Action {
		return s.ask(t.Context(), &policy.Request{State: state, UID: -1, Recipient: "x@far.example",
			Message: osm.Message{Login: login, Client: netip.MustParseAddr("192.0.2.1")}}).Action
	}
	key := osm.Key{Kind: osm.KeyLogin, Value: "alice@shop.example"}
	a, err := s.suspend(web.SuspendOrder{What: web.Suspend, Key: key, For: osm.Duration(time.Hour), Reason: "stolen"}, "", "root",
		time.Now())
	if err != nil || len(a.Deeds) != 1 {
		t.Fatal(a, err)
	}
	for _, state := range []policy.State{policy.Auth, policy.Mail, policy.Rcpt, policy.Data} {
		if got := ask(state, "Alice@shop.example"); got != osm.Reject {
			t.Errorf("at %s: %s", state, got)
		}
		if got := ask(state, "bob@shop.example"); got != osm.Accept {
			t.Errorf("another login at %s: %s", state, got)
		}
	}
	if _, err := s.undo(a.Deeds[0].ID, "root", time.Now()); err != nil || ask(policy.Mail, key.Value) != osm.Accept {
		t.Errorf("after the undo: %v", err)
	}
}

func TestSuspendDryRunAndRefusals(t *testing.T) {
	s := idleSession(t, nil)
	key := osm.Key{Kind: osm.KeyLogin, Value: "Alice@shop.example"}
	a, err := s.suspend(web.SuspendOrder{What: web.Suspend, Key: key, With: []action.Means{action.ByList, action.ByPanel},
		DryRun: true}, "", "root", time.Now())
	if err != nil || len(a.Steps) != 2 || len(s.entries())+len(s.suspensions(everybody))+len(s.audit()) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, o := range []web.SuspendOrder{{What: web.Suspend, Key: osm.Key{Kind: osm.KeyLogin, Value: "x@unknown.example"},
		With: []action.Means{action.ByPanel}},
		{What: web.Suspend, Key: key, With: []action.Means{action.ByCommand}}, {What: web.Suspend, Key: key,
			With: []action.Means{"magic"}},
		{What: web.Resume, Key: key}, {What: web.Release, Key: key}, {What: web.Suspend}} {
		if a, err := s.suspend(o, "", "root", time.Now()); err == nil {
			t.Errorf("%+v is done: %+v", o, a)
		}
	}
	if len(s.audit()) != 0 {
		t.Errorf("%+v", s.audit())
	}
}

// TestSpoolWalkIsBounded walks over a hundred thousand held messages that osm knows nothing of, and again when it
// knows them.
func TestSpoolWalkIsBounded(t *testing.T) {
	many := 100_000
	if testing.Short() {
		many = 5_000
	}
	spool := t.TempDir()
	input := filepath.Join(spool, "input")
	if err := os.Mkdir(input, 0o700); err != nil {
		t.Fatal(err)
	}
	const why = "9 of 9 never mailed before (V1)"
	for n := range many {
		id := fmt.Sprintf("1xVPZd-%06d-2Y", n)
		text := fmt.Sprintf("%s-H\nalice 1000 1000\n<alice@shop.example>\n1795423133 0\n-frozen 1795423135\n-aclm _osm_held %d\n%s\n-auth_id alice@shop.example\n"+
			"-host_address [192.0.2.1]:5000\nXX\n1\nx%d@far.example\n\n014  Subject: %04d\n", id, len(why), why, n,
			n%10_000)
		if err := os.WriteFile(filepath.Join(input, id+"-H"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := idleSession(t, nil)
	q := &exim.Queue{Spool: spool, Command: func(context.Context, ...string) (string, error) { return "", nil }}
	walk := func() (allocated, kept uint64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		whole, began := s.walkSpool(t.Context(), q)
		if !whole {
			t.Fatal("the walk did not see all")
		}
		s.dropMissing(t.Context(), q, began)
		runtime.GC()
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / uint64(many), max(after.HeapAlloc,
			before.HeapAlloc) - before.HeapAlloc
	}
	_, kept := walk()
	if held, _, _ := s.holds.book.Size(); held != many {
		t.Fatalf("%d of %d are found", held, many)
	}
	if each := kept / uint64(many); each > 1500 {
		t.Errorf("%d bytes are kept of each message", each)
	}
	t.Logf("%d bytes are kept of each message", kept/uint64(many))
	walk() // some of what is known is read again in each walk
	allocated, _ := walk()
	if many > 50_000 && allocated > 1500 {
		t.Errorf("a walk over what is known allocates %d bytes for each message", allocated)
	}
	if m, ok := s.holds.book.Get("1xVPZd-000007-2Y"); !ok || m.Verdict != "V1" ||
		m.Key.Value != "alice@shop.example" || m.Subject != "0007" {
		t.Errorf("%+v", m)
	}
	for n := range 10 {
		os.Remove(filepath.Join(input, fmt.Sprintf("1xVPZd-%06d-2Y-H", n)))
	}
	walk()
	if held, gone, _ := s.holds.book.Size(); held != many-10 || gone != 10 {
		t.Errorf("%d held, %d gone", held, gone)
	}
}
