package action

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func suspension(name string, until time.Time) Suspension {
	return Suspension{Subject: Subject{login(name), "shop"}, Means: ByPanel,
		Plan:  Plan{Step{Argv: []string{"/bin/x"}}, Step{Argv: []string{"/bin/y"}}},
		Until: until, By: "root", Deed: "D" + name}
}

func every(*Suspension) bool { return true }

func TestSuspensionLife(t *testing.T) {
	b := NewSuspensions()
	first, err := b.Start(suspension("a", monday.Add(time.Hour)), monday)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(suspension("a", time.Time{}), monday); err == nil {
		t.Error("it is suspended twice")
	}
	work, ok := b.Take(monday)
	if _, again := b.Take(monday); !ok || again || work.ID != first.ID || work.State != Starting {
		t.Fatalf("%+v", work)
	}
	if s := b.Done(work.ID, work.State, "OK", nil, monday); s.State != Active || s.Output != "OK" {
		t.Errorf("%+v", s)
	}
	if over := b.Tick(monday.Add(time.Hour - time.Second)); len(over) != 0 {
		t.Error("it ends too early")
	}
	end := monday.Add(time.Hour)
	if over := b.Tick(end); len(over) != 1 || over[0].State != Ending {
		t.Fatalf("%+v", over)
	}
	for range 10 { // to take it back is tried for good
		work, ok = b.Take(end)
		if !ok || work.State != Ending {
			t.Fatalf("%+v", work)
		}
		s := b.Done(work.ID, work.State, "", errors.New("no panel"), end)
		if _, at := b.Take(end); at || s.State != Ending {
			t.Fatalf("no pause, or given up: %+v", s)
		}
		end = s.Next
	}
	work, _ = b.Take(end)
	if s := b.Done(work.ID, work.State, "", nil, end); s.State != Ended || s.Error != "" {
		t.Errorf("%+v", s)
	}
	b.Tick(end.Add(31 * 24 * time.Hour))
	if len(b.All()) != 0 {
		t.Error("it is never forgotten")
	}
}

func TestSuspensionThatFails(t *testing.T) {
	b := NewSuspensions()
	b.Start(suspension("a", time.Time{}), monday)
	at := monday
	for range startTries {
		work, ok := b.Take(at)
		if !ok {
			t.Fatal("it is not tried again")
		}
		at = b.Done(work.ID, work.State, "", errors.New("no panel"), at).Next
	}
	if s := b.All()[0]; s.State != Failed || s.Error != "no panel" || b.Suspended(login("a"), ByPanel) {
		t.Errorf("%+v", s)
	}
}

// TestEndWhileStarting: what is ended while its program runs is taken back after it, if it worked.
func TestEndWhileStarting(t *testing.T) {
	for _, failure := range []error{nil, errors.New("no panel")} {
		b := NewSuspensions()
		b.Start(suspension("a", time.Time{}), monday)
		work, _ := b.Take(monday)
		if ended := b.End(every, monday); len(ended) != 1 || ended[0].State != Ending {
			t.Fatalf("%+v", ended)
		}
		s := b.Done(work.ID, work.State, "", failure, monday)
		next, ok := b.Take(monday)
		if failure == nil && (!ok || next.State != Ending) || failure != nil && (ok || s.State != Ended) {
			t.Errorf("after %v: %+v", failure, s)
		}
	}
	b := NewSuspensions()
	b.Start(suspension("a", time.Time{}), monday)
	if ended := b.End(every, monday); ended[0].State != Ended {
		t.Errorf("what had not begun: %+v", ended)
	}
}

func TestSuspensionsRestore(t *testing.T) {
	b := NewSuspensions()
	s, _ := b.Start(suspension("a", monday.Add(time.Hour)), monday)
	b.Take(monday)
	again := NewSuspensions()
	if err := b.Dirty(func(id string, blob []byte) {
		if err := again.Restore(id, blob); err != nil {
			t.Error(err)
		}
	}); err != nil || b.Changed() {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.All(), again.All(), cmpopts.IgnoreUnexported(Suspension{})); diff != "" {
		t.Error(diff)
	}
	if work, ok := again.Take(monday); !ok || work.ID != s.ID {
		t.Error("what was being done is not done again")
	}
	for id, blob := range map[string]string{"S1": "{", "S2": `{"id":"S3"}`, "": "{}"} {
		if err := again.Restore(id, []byte(blob)); err == nil {
			t.Errorf("%q is restored", blob)
		}
	}
}
