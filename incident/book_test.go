package incident

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"osm"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func found(at time.Time, login string, action osm.Action) *osm.Message {
	return &osm.Message{ID: fmt.Sprintf("id-%d", at.UnixNano()), Time: at, Login: login, Account: "shop", Sender: login + "@x.example", Subject: "offer",
		Client: netip.MustParseAddr("192.0.2.1"), Recipients: []string{"a@b", "c@d"},
		Verdict: osm.Verdict{Action: action, Rule: "stolen-login", Reason: "new-recipients", Detail: "9 of 9 never mailed before", ID: "V1",
			Key: osm.Key{Kind: osm.KeyLogin, Value: login}, Score: 11, Findings: []osm.Finding{{Fact: "new-recipients", Weight: 5}}}}
}

func states(i *Incident) string {
	var all []string
	for _, s := range i.Timeline {
		all = append(all, string(s.State))
	}
	return strings.Join(all, " ")
}

func TestLife(t *testing.T) {
	b := NewBook(DefaultConfig())
	first, turned := b.Note(found(noon, "alice", osm.Hold))
	if first == nil || !turned || first.State != Open {
		t.Fatalf("%+v, turned %v", first, turned)
	}
	at := noon
	for range 9 {
		at = at.Add(time.Minute)
		b.Note(found(at, "alice", osm.Hold))
	}
	if first.State != Growing || first.Messages != 10 || first.Recipients != 20 {
		t.Errorf("after ten messages: %s, %d messages, %d recipients", first.State, first.Messages, first.Recipients)
	}
	if _, turned := b.Note(found(at, "alice", osm.Reject)); !turned || first.State != Stopped {
		t.Errorf("after a refusal: %s", first.State)
	}
	if other, _ := b.Note(found(at, "bob", osm.Hold)); other == first {
		t.Error("another sender's message is in the same incident")
	}
	if closed := b.Tick(at.Add(5 * time.Hour)); len(closed) != 0 {
		t.Error("closed too early")
	}
	if closed := b.Tick(at.Add(6 * time.Hour)); len(closed) != 2 || first.State != Closed {
		t.Errorf("%d closed, %s", len(closed), first.State)
	}
	again, turned := b.Note(found(at.Add(24*time.Hour), "alice", osm.Hold))
	if again != first || !turned || again.State != Reopened {
		t.Errorf("the next day: %s", again.State)
	}
	if got, want := states(first), "open growing stopped closed reopened"; got != want {
		t.Errorf("timeline %q, want %q", got, want)
	}
	b.Tick(at.Add(48 * time.Hour))
	if late, _ := b.Note(found(at.Add(30*24*time.Hour), "alice", osm.Hold)); late == first || late.ID == first.ID {
		t.Error("a month later it is still the same incident")
	}
}

// TestWatchingStopsNobody: what was only found in the log goes on.
func TestWatchingStopsNobody(t *testing.T) {
	b := NewBook(DefaultConfig())
	m := found(noon, "alice", osm.Reject)
	m.Verdict.Passive = true
	i, _ := b.Note(m)
	if b.Note(m); i.State != Open || !i.Passive {
		t.Errorf("%s, passive %v", i.State, i.Passive)
	}
}

// TestBlocked: what a block refuses belongs to the incident that led to it, whose words it does not change; when that is over, to
// none. A sender that was blocked without an incident gets one of its own.
func TestBlocked(t *testing.T) {
	blocked := func(at time.Time, login string) *osm.Message {
		m := found(at, login, osm.Reject)
		m.Verdict = osm.Verdict{Action: osm.Reject, Rule: osm.RuleBlockList, Reason: "listed", Detail: "login:" + login, ID: "V2", Key: m.Verdict.Key}
		return m
	}
	b := NewBook(DefaultConfig())
	first, _ := b.Note(found(noon, "alice", osm.Hold))
	for _, book := range []*Book{b, restored(t, b)} {
		i, turned := book.Note(blocked(noon.Add(time.Minute), "alice"))
		if i == nil || i.ID != first.ID || !turned || i.State != Stopped || i.Messages != 2 || i.Reason != "new-recipients" || len(book.All()) != 1 {
			t.Errorf("filed in %+v, turned %v", i, turned)
		}
		if err := book.Close(i.ID, "ann", "dealt with", noon.Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if i, _ := book.Note(blocked(noon.Add(2*time.Hour), "alice")); i != nil || len(book.All()) != 1 {
			t.Errorf("after it was closed: %+v", i)
		}
		if again, _ := book.Note(found(noon.Add(3*time.Hour), "alice", osm.Hold)); again == nil || again.State != Reopened {
			t.Errorf("found again: %+v", again)
		}
		if own, turned := book.Note(blocked(noon, "bob")); own == nil || !turned || own.Rule != osm.RuleBlockList || len(book.All()) != 2 {
			t.Errorf("without an incident before: %+v", own)
		}
	}
}

// restored is a book as it is after a restart.
func restored(t *testing.T, b *Book) *Book {
	other := NewBook(DefaultConfig())
	b.dirty = map[string]bool{}
	for id := range b.byID {
		b.dirty[id] = true
	}
	err := b.Dirty(func(_ string, blob []byte) {
		if err := other.Restore(blob); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	return other
}

func TestNothingFound(t *testing.T) {
	b := NewBook(DefaultConfig())
	shadow := found(noon, "alice", osm.Hold)
	shadow.Verdict.Shadow = true
	for _, m := range []*osm.Message{{Time: noon}, shadow} {
		if i, _ := b.Note(m); i != nil {
			t.Errorf("%+v made an incident", m.Verdict)
		}
	}
}

func TestBounds(t *testing.T) {
	b := NewBook(DefaultConfig())
	long := found(noon, "alice", osm.Hold)
	long.Subject = strings.Repeat("x", 1e6)
	i, _ := b.Note(long)
	for k := range 1000 {
		m := found(noon.Add(time.Duration(k)*time.Second), "alice", osm.Hold)
		m.Client = netip.AddrFrom4([4]byte{10, 0, byte(k >> 8), byte(k)})
		b.Note(m)
		b.close(i, m.Time, "test")
	}
	if len(i.Samples) > maxSamples || len(i.Clients) > maxClients || len(i.Timeline) > maxSteps || len(i.Samples[0].Subject) > 998 {
		t.Errorf("%d samples, %d clients, %d steps", len(i.Samples), len(i.Clients), len(i.Timeline))
	}
	if last := i.Samples[maxSamples-1].Time; !last.Equal(noon.Add(999 * time.Second)) {
		t.Errorf("the latest message is not among the samples: %v", last)
	}
	b = NewBook(DefaultConfig())
	for k := range most + 100 {
		b.Note(found(noon, fmt.Sprint("login", k), osm.Hold))
	}
	if len(b.byID) > most || b.Lost() != 100 {
		t.Errorf("%d incidents, %d lost", len(b.byID), b.Lost())
	}
}

func TestRestore(t *testing.T) {
	b := NewBook(DefaultConfig())
	i, _ := b.Note(found(noon, "alice", osm.Reject))
	blobs := map[string][]byte{}
	keep := func(id string, blob []byte) { blobs[id] = blob }
	if err := b.Dirty(keep); err != nil || len(blobs) != 1 {
		t.Fatalf("%d blobs, %v", len(blobs), err)
	}
	again := NewBook(DefaultConfig())
	if err := again.Restore(blobs[i.ID]); err != nil {
		t.Fatal(err)
	}
	got, ok := again.Get(i.ID)
	if !ok {
		t.Fatal("it is gone")
	}
	if diff := cmp.Diff(i, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if next, turned := again.Note(found(noon.Add(time.Minute), "alice", osm.Reject)); next != got || turned {
		t.Error("the sender's next message is not in the restored incident")
	}
	for _, damaged := range []string{"", "{", "{}", "[]"} {
		if err := again.Restore([]byte(damaged)); err == nil {
			t.Errorf("%q is restored", damaged)
		}
	}
	again.Tick(noon.Add(6*time.Hour + time.Minute))
	again.Tick(noon.Add(200 * 24 * time.Hour))
	clear(blobs)
	again.Dirty(keep)
	if blob, gone := blobs[i.ID]; !gone || blob != nil {
		t.Errorf("a forgotten incident is kept as %q", blob)
	}
}
