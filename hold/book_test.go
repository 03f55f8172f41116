package hold

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"osm"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var alice = osm.Key{Kind: osm.KeyLogin, Value: "alice"}

func message(n int) Message {
	return Message{ID: fmt.Sprint("id-", n), Verdict: "V1", Key: alice, Rule: "stolen-login",
		Reason: "new-recipients", Weighed: true,
		Sender: "alice@x.example", To: []string{"a@b"}, Recipients: 1, Subject: "offer", Since: noon}
}

func bookOf(t *testing.T, cfg Config, n int) *Book {
	t.Helper()
	b := NewBook(cfg)
	for i := range n {
		if !b.Hold(message(i), 9, noon) {
			t.Fatalf("message %d does not fit", i)
		}
	}
	return b
}

func state(t *testing.T, b *Book, id string) State {
	t.Helper()
	m, ok := b.Get(id)
	if !ok {
		t.Fatalf("%s is not in the book", id)
	}
	return m.State
}

func wantState(t *testing.T, b *Book, id string, want State) {
	t.Helper()
	if got := state(t, b, id); got != want {
		t.Errorf("%s is %s, want %s", id, got, want)
	}
}

func TestLife(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 4)
	if !b.Order("id-0", Releasing, "root", "D1", time.Time{}, noon) || !b.Order("id-1", Deleting, "root", "D2",
		noon.Add(time.Minute), noon) {
		t.Fatal("an order is refused")
	}
	if b.Order("id-0", Deleting, "root", "D3", noon, noon) || b.Order("nobody", Releasing, "root", "D3", noon, noon) {
		t.Error("what is leaving, or not there, can be ordered about")
	}
	work := b.Work(10, noon)
	if len(work) != 1 || work[0].ID != "id-0" || len(b.Work(10, noon)) != 0 {
		t.Fatalf("work %+v", work)
	}
	b.Left("id-0", "delivered", noon) // the log, while Exim is being called
	if m, ok := b.Done("id-0", nil, noon); !ok || m.State != Released || m.By != "root" || m.Deed != "D1" {
		t.Errorf("%+v", m)
	}
	if next := b.Next(); !next.Equal(noon.Add(time.Minute)) {
		t.Errorf("the next deletion is due at %s", next)
	}
	if !b.TakeBack("id-1", noon) || b.TakeBack("id-1", noon) || len(b.Work(10, noon.Add(time.Hour))) != 0 {
		t.Error("what was taken back is deleted all the same, or taken back twice")
	}
	b.Order("id-1", Deleting, "root", "D4", noon, noon)
	if work = b.Work(10, noon); len(work) != 1 || b.TakeBack("id-1", noon) {
		t.Errorf("a deletion that has begun can be taken back; work %+v", work)
	}
	b.Done("id-1", errors.New("no Exim"), noon)
	if m, _ := b.Get("id-1"); m.State != Held || m.Error != "no Exim" {
		t.Errorf("after a failure: %+v", m)
	}
	b.Order("id-1", Deleting, "root", "D5", noon, noon)
	b.Work(10, noon)
	b.Done("id-1", nil, noon)
	wantState(t, b, "id-1", Deleted)
	b.Left("id-2", "released by somebody else", noon)
	wantState(t, b, "id-2", Gone)
	b.Hold(message(2), 9, noon)
	wantState(t, b, "id-2", Held)
	if held, others, _ := b.Size(); held != 2 || others != 2 {
		t.Errorf("%d held, %d others", held, others)
	}
	if g, _ := b.Group(alice); g.Held != 2 || g.Score != 9 {
		t.Errorf("%+v", g)
	}
}

// TestReleaseBeatsDeletion: while a deletion waits, a release takes its place, and nothing is deleted later.
func TestReleaseBeatsDeletion(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 1)
	b.Order("id-0", Deleting, "root", "D1", noon.Add(time.Minute), noon)
	if !b.Order("id-0", Releasing, "root", "D2", time.Time{}, noon) {
		t.Fatal("it can't be released")
	}
	if work := b.Work(10, noon.Add(time.Hour)); len(work) != 1 || work[0].State != Releasing {
		t.Errorf("%+v", work)
	}
}

func TestExpiry(t *testing.T) {
	for expire, want := range map[Expiry]State{ExpireDelete: Deleting, ExpireRelease: Releasing} {
		cfg := DefaultConfig()
		cfg.Expire = expire
		b := bookOf(t, cfg, 3)
		b.Order("id-1", Releasing, "root", "D1", noon, noon)
		b.Work(10, noon)
		b.Done("id-1", nil, noon)
		end := noon.Add(7 * 24 * time.Hour)
		walkWhole(b)
		sweep(b, end.Add(-time.Second))
		if len(b.Work(10, end)) != 0 {
			t.Error("it expires too early")
		}
		if _, ok := b.Get("id-1"); ok {
			t.Error("what has left long ago is remembered")
		}
		sweep(b, end)
		work := b.Work(10, end)
		if len(work) != 2 || work[0].State != want || work[0].By != ByExpiry {
			t.Fatalf("%+v", work)
		}
		if m, _ := b.Done(work[0].ID, nil, end); m.State != Expired {
			t.Errorf("%+v", m)
		}
	}
}

// TestFoundBeforeTold: a walk may find a message before the log tells why it is held.
func TestFoundBeforeTold(t *testing.T) {
	b := NewBook(DefaultConfig())
	bob := osm.Key{Kind: osm.KeySender, Value: "bob@x.example"}
	b.Hold(Message{ID: "id-0", Verdict: "V1", Key: bob, Since: noon}, 0, noon)
	b.Hold(message(0), 9, noon)
	b.Hold(Message{ID: "id-0", Key: bob}, 0, noon) // the next walk
	m, _ := b.Get("id-0")
	if m.Key != alice || m.Rule != "stolen-login" || !m.Weighed || m.State != Held {
		t.Errorf("%+v", m)
	}
	g, _ := b.Group(alice)
	if was, _ := b.Group(bob); g.Held != 1 || g.Score != 9 || g.known != 1 || was.Held != 0 || was.known != 0 {
		t.Errorf("%+v, before %+v", g, was)
	}
}

// walkWhole looks through a spool in which some messages are left.
func walkWhole(b *Book, ids ...string) {
	b.BeginWalk()
	for _, id := range ids {
		b.Saw(id, "")
	}
	b.EndWalk()
}

// TestRemembersWhatWaits: a message that was released and waits in the queue for days, its receiver being out of reach, is
// remembered as long as it does: where mail is held by rewriting, Exim asks at every attempt.
func TestRemembersWhatWaits(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 2)
	for _, id := range []string{"id-0", "id-1"} {
		b.Order(id, Releasing, "root", "D1", time.Time{}, noon)
	}
	for _, m := range b.Work(10, noon) {
		b.Done(m.ID, nil, noon)
	}
	for day := range 4 {
		walkWhole(b, "id-0")
		b.BeginWalk() // the next one breaks off
		sweep(b, noon.Add(time.Duration(day+1)*25*time.Hour))
	}
	wantState(t, b, "id-0", Released)
	if _, ok := b.Get("id-1"); ok {
		t.Error("what has left long ago is remembered")
	}
	walkWhole(b)
	sweep(b, noon.Add(200*time.Hour))
	if _, ok := b.Get("id-0"); ok {
		t.Error("it has left, and is remembered")
	}
}

func sweep(b *Book, now time.Time) {
	for b.Sweep(1, now) {
		break
	}
	for !b.Sweep(1, now) {
	}
}

// TestEachSeesAll: what stays in the book is seen once, whatever leaves meanwhile.
func TestEachSeesAll(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 1000)
	for i := 0; i < 1000; i += 3 {
		b.Left(fmt.Sprint("id-", i), "gone", noon)
	}
	seen := map[string]int{}
	late := noon.Add(25 * time.Hour)
	walkWhole(b)
	for below := b.All(); below > 0; {
		below = b.Each(below, 7, func(m *Message) { seen[m.ID]++ })
		b.Sweep(5, late)
	}
	for i := range 1000 {
		if id := fmt.Sprint("id-", i); i%3 != 0 && seen[id] != 1 {
			t.Errorf("%s is seen %d times", id, seen[id])
		}
	}
}

func TestCleared(t *testing.T) {
	const halfLife = 48 * time.Hour
	g := Group{Score: 9, Last: noon}
	for _, c := range []struct {
		score   float64
		after   time.Duration
		stopped bool
		want    bool
	}{
		{8.9, time.Minute, false, false},    // nothing has happened
		{7, time.Minute, false, false},      // below the threshold, but hardly better
		{6.5, time.Minute, false, true},     // receivers' answers spoke for it
		{4.6, 48 * time.Hour, false, false}, // only time has passed
		{3.3, 48 * time.Hour, false, true},
		{0, time.Minute, true, false}, // it was stopped: a person decides
		{0, -time.Hour, false, true},  // a clock that goes back
	} {
		g.Stopped = c.stopped
		if got := g.Cleared(c.score, 8, halfLife, noon.Add(c.after)); got != c.want {
			t.Errorf("%+v: cleared %v", c, got)
		}
	}
	if new(Group).Cleared(0, 8, halfLife, noon) {
		t.Error("what a rule held clears by itself")
	}
}

func TestAutomaticHasAnEnd(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 1)
	for range DefaultConfig().Automatic {
		if keys := b.Waiting(9); len(keys) != 1 || keys[0] != alice {
			t.Fatalf("waiting: %v", keys)
		}
		b.Automatic(alice)
	}
	if keys := b.Waiting(9); len(keys) != 0 {
		t.Errorf("after %d releases by itself: %v", DefaultConfig().Automatic, keys)
	}
	b.Looked(func(k osm.Key) bool { return k == alice })
	if len(b.Waiting(9)) != 1 {
		t.Error("a person has looked, and it waits on")
	}
	b.Stopped(alice)
	if len(b.Waiting(9)) != 0 || b.Self(alice, noon) {
		t.Error("a stopped sender's mail may be released by itself, or by him")
	}
}

func TestSelfAndTold(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 1)
	n := 0
	for b.Self(alice, noon) {
		n++
	}
	if n != DefaultConfig().SelfRelease || !b.Self(alice, noon.Add(24*time.Hour)) {
		t.Errorf("%d in a day, and none the next day", n)
	}
	if !b.Told(alice, noon) || b.Told(alice, noon.Add(23*time.Hour)) || !b.Told(alice, noon.Add(25*time.Hour)) {
		t.Error("a sender is not told once a day")
	}
}

func TestWalk(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 3)
	b.BeginWalk()
	if !b.Saw("id-0", "") || b.Saw("id-0", "") {
		t.Error("a spool file is not read once in a walk")
	}
	if !b.Saw("unknown", "") {
		t.Error("an unknown message is not read")
	}
	b.Saw("id-1", "osmhold")
	b.Moved("id-1", "osmhold")
	if m, _ := b.Get("id-1"); m.Queue != "osmhold" {
		t.Errorf("it was moved to %q", m.Queue)
	}
	if ids, next := b.Missing(b.All(), 10, noon); len(ids) != 0 || next != 0 {
		t.Errorf("missing before the walk began: %v", ids)
	}
	if ids, _ := b.Missing(b.All(), 10, noon.Add(time.Second)); len(ids) != 1 || ids[0] != "id-2" {
		t.Errorf("missing: %v", ids)
	}
}

func TestRestore(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 5)
	b.SetSecret([]byte(strings.Repeat("k", SecretSize)))
	b.Order("id-1", Releasing, "root", "D1", time.Time{}, noon)
	b.Work(1, noon) // it is being released when the program ends
	b.Order("id-2", Deleting, "root", "D2", noon.Add(time.Minute), noon)
	b.Order("id-4", Deleting, "root", "D2", noon.Add(time.Hour), noon)
	b.Left("id-3", "gone", noon)
	b.Automatic(alice)
	blobs := map[string][]byte{}
	if err := b.Dirty(func(key string, blob []byte) { blobs[key] = blob }); err != nil || b.Changed() {
		t.Fatal(err, b.Changed())
	}
	again := NewBook(DefaultConfig())
	for key, blob := range blobs {
		if err := again.Restore(key, blob); err != nil {
			t.Error(err)
		}
	}
	for id, want := range b.byID {
		got, _ := again.Get(id)
		if diff := cmp.Diff(*want, got, cmpopts.IgnoreUnexported(Message{}), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	if g, _ := again.Group(alice); g.Held != 1 || g.Automatic != 1 || g.Score != 9 || g.known != 5 {
		t.Errorf("%+v", g)
	}
	if string(again.Secret()) != string(b.Secret()) {
		t.Error("the secret is another one")
	}
	if next := again.Next(); !next.Equal(noon.Add(time.Minute)) {
		t.Errorf("the next deletion is at %s", next)
	}
	if work := again.Work(10, noon.Add(time.Hour-1)); len(work) != 2 {
		t.Errorf("orders that were not carried out: %+v", work)
	}
	for key, blob := range map[string]string{"message/x": "{", "message/y": `{"id":"z"}`,
		"message/id-1": `{"id":"id-1"}`, "group/": "[]", "x": "{}"} {
		if err := again.Restore(key, []byte(blob)); err == nil {
			t.Errorf("%s: %q is restored", key, blob)
		}
	}
}

func TestBounds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Most = 1000
	b := bookOf(t, cfg, 1000)
	if b.Hold(message(1000), 9, noon) {
		t.Error("it has room for more than it may")
	}
	if _, _, lost := b.Size(); lost != 1 {
		t.Errorf("%d lost", lost)
	}
	long := message(5000)
	long.Subject, long.Sender, long.To = strings.Repeat("\xff", 1e6), strings.Repeat("s", 1e6), make([]string, 1e5)
	b = bookOf(t, cfg, 0)
	b.Hold(long, 9, noon)
	if m, _ := b.Get(long.ID); len(m.Subject) > 4*mostText || len(m.Sender) > mostAddress || len(m.To) > mostTo {
		t.Errorf("%d, %d, %d", len(m.Subject), len(m.Sender), len(m.To))
	}
	parts := 0
	for b = bookOf(t, DefaultConfig(), mostDirty+5); b.Changed(); parts++ {
		if err := b.Dirty(func(string, []byte) {}); err != nil {
			t.Fatal(err)
		}
	}
	if parts != 2 {
		t.Errorf("the state is saved in %d parts", parts)
	}
}

func TestSweepGroups(t *testing.T) {
	b := bookOf(t, DefaultConfig(), 1)
	late := noon.Add(30 * 24 * time.Hour)
	b.SweepGroups(late)
	if _, ok := b.Group(alice); !ok {
		t.Fatal("a sender that mail is held of is forgotten")
	}
	b.Left("id-0", "gone", noon)
	walkWhole(b)
	sweep(b, late)
	b.SweepGroups(late)
	if _, ok := b.Group(alice); ok {
		t.Error("a sender is remembered for ever")
	}
}

// A release that is to be tried again waits for its time, as a deletion does.
func TestReleaseLater(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	b := NewBook(DefaultConfig())
	b.Hold(Message{ID: "1xVPOh-000001-0A", Since: now}, 0, now)
	if !b.Order("1xVPOh-000001-0A", Releasing, "osm", "", now.Add(10*time.Second), now) {
		t.Fatal("no order is taken")
	}
	if work := b.Work(5, now); len(work) > 0 || !b.Next().Equal(now.Add(10*time.Second)) {
		t.Errorf("at once: %+v, next %v", work, b.Next())
	}
	if work := b.Work(5, now.Add(10*time.Second)); len(work) != 1 || work[0].State != Releasing {
		t.Errorf("when it is due: %+v", work)
	}
}
