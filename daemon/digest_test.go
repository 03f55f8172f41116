package daemon

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/action"
	"osm/config"
	"osm/incident"
	"osm/panel"
	"osm/store"
)

// alarmed is as much of a session as makes digests and notices, on a store that stays when the session ends.
func alarmed(t *testing.T, path string, change func(*config.Config)) *session {
	t.Helper()
	cfg := config.Defaults()
	cfg.Store.Path, cfg.Alert.Mail, cfg.Alert.Digest = path, []string{"root"}, "07:00"
	if change != nil {
		change(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	history, err := store.Open(cfg.Store, morning, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { history.Close() })
	owners := panel.Open(panel.Config{Kind: "plain"}, t.TempDir(), morning)
	s := &session{Daemon: &Daemon{cfg: cfg, options: Options{Logger: log}}, alarm: newAlarm(cfg, owners, log), store: history}
	err = history.LoadState(context.Background(), digestState, s.alarm.restoreDigest)
	if err == nil {
		err = history.LoadState(context.Background(), letterState, func(_ string, blob []byte) error { return s.alarm.outbox.Restore(blob) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var morning = time.Date(2026, 11, 23, 6, 0, 0, 0, time.Local)

// end saves what there is, as the end of a daemon does.
func end(t *testing.T, s *session) {
	t.Helper()
	if !s.alarm.changed() {
		t.Error("there is nothing to save")
	}
	if err := s.alarm.save(s.store.SaveState); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Flush(morning, nil); err != nil {
		t.Fatal(err)
	}
	if s.alarm.changed() {
		t.Error("what is saved still counts as changed")
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDigestOnceADay: through restarts, on days on which the daemon was down at the time as well.
func TestDigestOnceADay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "osm.db")
	s := alarmed(t, path, nil)
	for _, step := range []struct {
		after   time.Duration // since 6 in the morning
		restart bool
		want    int // digests so far
	}{
		{0, false, 0}, {30 * time.Minute, false, 0}, // just installed: the one of yesterday is none
		{time.Hour, false, 1}, {time.Hour + time.Minute, false, 1}, {2 * time.Hour, true, 1}, {20 * time.Hour, false, 1},
		{24*time.Hour + 59*time.Minute, true, 1},
		{30 * time.Hour, true, 2}, // it was down at 7
		{31 * time.Hour, true, 2},
		{100 * time.Hour, true, 3}, // for days: one tells of the last of them
		{101 * time.Hour, false, 3},
	} {
		if step.restart {
			end(t, s)
			s = alarmed(t, path, nil)
		}
		if err := s.digest(context.Background(), morning.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if got := len(s.alarm.outbox.Letters()); got != step.want {
			t.Fatalf("after %v: %d digests, want %d", step.after, got, step.want)
		}
		s.alarm.made(s.alarm.digested) // there is always something to save
	}
}

func TestDigestSumsUp(t *testing.T) {
	s := alarmed(t, filepath.Join(t.TempDir(), "osm.db"), nil)
	if err := s.digest(context.Background(), morning); err != nil {
		t.Fatal(err)
	}
	m := spam(morning)
	s.store.Arrival(m)
	s.store.Delivery(m, &osm.Delivery{Time: morning, Outcome: osm.Failed, Recipient: "a@far.example", Refusal: osm.NoSuchUser, Remote: true})
	s.alarm.note(m, morning)
	if err := s.store.Flush(morning, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.digest(context.Background(), morning.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	letters := s.alarm.outbox.Letters()
	if len(letters) != 1 {
		t.Fatalf("%d letters", len(letters))
	}
	text := letters[0].Mail.Text
	for _, want := range []string{"login ", "bob@x.example", osm.NoSuchUser.String(), "stolen-login", "all that was sent"} {
		if !strings.Contains(text, want) {
			t.Errorf("the digest does not have %q:\n%s", want, text)
		}
	}
}

// spam is a message that something was found about.
func spam(at time.Time) *osm.Message {
	key := osm.Key{Kind: osm.KeyLogin, Value: "bob@x.example"}
	return &osm.Message{ID: "1xVPOh-0003K5-0B", Time: at, Class: osm.Login, Login: key.Value, Sender: key.Value, Recipients: []string{"a@far.example"},
		Verdict: osm.Verdict{Action: osm.Reject, Rule: "stolen-login", Detail: "never mailed before", Key: key, ID: "V1"}}
}

// TestCustomerIsTold: of each new state once, beside the administrator's alert, which waits for others of its kind.
func TestCustomerIsTold(t *testing.T) {
	for _, customers := range []bool{true, false} {
		s := alarmed(t, filepath.Join(t.TempDir(), "osm.db"), func(cfg *config.Config) { cfg.Alert.Customers = customers })
		for range 5 {
			s.alarm.note(spam(morning), morning)
		}
		letters, want := s.alarm.outbox.Letters(), 0
		if customers {
			want = 1
		}
		if len(letters) != want {
			t.Errorf("customers = %v: %d letters", customers, len(letters))
		}
		for _, l := range letters {
			if l.Mail == nil || l.Mail.To[0] != "bob@x.example" || !strings.HasSuffix(l.ID, string(incident.Stopped)) {
				t.Errorf("%+v", l)
			}
		}
		s.alarm.tick(morning.Add(2 * time.Minute))
		if got := len(s.alarm.outbox.Letters()); got != want+1 {
			t.Errorf("customers = %v: %d letters with the administrator's", customers, got)
		}
	}
}

// TestLettersGoOut sends a digest and a notice by a real program.
func TestLettersGoOut(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	program := writeFile(t, dir, "sendmail", "#!/bin/sh\necho \"$@\" >> "+out+"\ncat > /dev/null\n")
	s := alarmed(t, filepath.Join(dir, "osm.db"), func(cfg *config.Config) { cfg.Alert.Sendmail = program })
	d := action.Digest{Host: "mx.example", Until: morning}
	letter, err := d.Letter(&s.cfg.Alert, morning)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.alarm.sendOne(context.Background(), letter); err == nil {
		t.Error("a program that may not be run was run")
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.alarm.sendOne(context.Background(), letter); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !strings.HasSuffix(string(got), " -- root\n") {
		t.Errorf("called with %q, %v", got, err)
	}
}
