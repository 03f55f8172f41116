package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"osm"
)

func put(t *testing.T, l *Ledger, allow bool, value string, until time.Time) Deed {
	t.Helper()
	d, err := l.Put(Entry{Allow: allow, Key: osm.Key{Kind: osm.KeyLogin, Value: value}, Until: until, Reason: "test", By: "root"}, monday)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listed are the keys on the lists: -login for a block, +login for an allowance.
func keys(l *Ledger) string {
	var all []string
	for _, e := range l.Entries() {
		all = append(all, map[bool]string{true: "+", false: "-"}[e.Allow]+e.Key.Value)
	}
	return strings.Join(all, " ")
}

func TestLedgerUndo(t *testing.T) {
	l := NewLedger()
	block := put(t, l, false, "Alice", time.Time{})
	allow := put(t, l, true, "alice", time.Time{})
	if got := keys(l); got != "+alice" {
		t.Fatalf("lists %q", got)
	}
	if _, err := l.Undo(block.ID, "root", monday); err == nil {
		t.Error("what has been changed since is undone")
	}
	back, err := l.Undo(allow.ID, "root", monday)
	if err != nil || keys(l) != "-alice" {
		t.Errorf("after undo: %q, %v", keys(l), err)
	}
	if _, err := l.Undo(allow.ID, "root", monday); err == nil {
		t.Error("undone twice")
	}
	if _, err := l.Undo(back.ID, "root", monday); err != nil || keys(l) != "+alice" {
		t.Errorf("after undoing the undo: %q, %v", keys(l), err)
	}
	removed, err := l.Remove(osm.Key{Kind: osm.KeyLogin, Value: "ALICE"}, "root", "", monday)
	if err != nil || keys(l) != "" {
		t.Errorf("after removing: %q, %v", keys(l), err)
	}
	if _, err := l.Remove(osm.Key{Kind: osm.KeyLogin, Value: "alice"}, "root", "", monday); err == nil {
		t.Error("removed twice")
	}
	if _, err := l.Undo(removed.ID, "root", monday); err != nil || keys(l) != "+alice" {
		t.Errorf("after undoing the removal: %q, %v", keys(l), err)
	}
	if _, err := l.Undo("nonsense", "root", monday); err == nil {
		t.Error("nonsense is undone")
	}
	note := l.Note(Deed{What: Forgive, Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}, By: "root", Time: monday})
	if _, err := l.Undo(note.ID, "root", monday); err == nil {
		t.Error("what changed nothing is undone")
	}
}

func TestLedgerExpires(t *testing.T) {
	l := NewLedger()
	put(t, l, false, "a", monday.Add(time.Hour))
	put(t, l, false, "b", time.Time{})
	if over := l.Tick(monday.Add(59 * time.Minute)); len(over) != 0 {
		t.Errorf("too early: %v", over)
	}
	if over := l.Tick(monday.Add(time.Hour)); len(over) != 1 || keys(l) != "-b" {
		t.Errorf("%d over, lists %q", len(over), keys(l))
	}
	if _, err := l.Put(Entry{Key: osm.Key{Kind: osm.KeyLogin, Value: "c"}, Until: monday}, monday); err == nil {
		t.Error("an entry that is over is taken")
	}
}

func TestLedgerSurvives(t *testing.T) {
	l, again := NewLedger(), NewLedger()
	kept := map[string][]byte{}
	save := func() {
		l.Dirty(func(key string, blob []byte) {
			kept[key] = blob
			if blob == nil {
				delete(kept, key)
			}
		})
	}
	put(t, l, false, "a", time.Time{})
	save()
	put(t, l, true, "b", monday.Add(time.Hour))
	last := put(t, l, false, "c", time.Time{})
	l.Remove(osm.Key{Kind: osm.KeyLogin, Value: "a"}, "root", "", monday)
	save()
	for key, blob := range kept {
		if err := again.Restore(key, blob); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(l.Entries(), again.Entries()); diff != "" {
		t.Error(diff)
	}
	if _, err := again.Undo(last.ID, "root", monday); err != nil || keys(again) != "+b" {
		t.Errorf("%q, %v", keys(again), err)
	}
	for _, key := range []string{"deed/x", "entry/x"} {
		for _, blob := range []string{"", "{}", "["} {
			if again.Restore(key, []byte(blob)) == nil {
				t.Errorf("%s %q is restored", key, blob)
			}
		}
	}
}

func TestLedgerIsBounded(t *testing.T) {
	l := NewLedger()
	for range mostDeeds + 10 {
		put(t, l, false, "a", time.Time{})
		clear(l.dirty)
	}
	if n := len(l.Deeds()); n != mostDeeds {
		t.Errorf("%d deeds are kept", n)
	}
}
