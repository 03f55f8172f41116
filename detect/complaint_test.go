package detect

import (
	"fmt"
	"testing"

	"osm"
)

// A few complaints beside little mail are evidence; they alone stop nobody, and a large list always has some.
func TestComplaintsAddUp(t *testing.T) {
	score := func(mails, complaints int) (Assessment, float64) {
		w := newTown(t)
		var of []*osm.Message
		for i := range mails {
			m := w.shop(fmt.Sprintf("Your order %d", w.sent), fmt.Sprintf("buyer%d@mail.example", i))
			w.accept(m)
			of = append(of, m)
		}
		for i := range complaints {
			key, charged := w.d.Complaint(of[i], w.now)
			if !charged || key.String() != "script:/home/site/shop" {
				t.Fatalf("charged to %s", key)
			}
		}
		a := w.d.Find(w.shop("Your order", "buyer0@mail.example"))
		return a, a.Score
	}
	_, none := score(20, 0)
	few, some := score(20, 5)
	_, list := score(2000, 0)
	_, large := score(2000, 5)
	if some < none+4 || few.Action != osm.Accept {
		t.Errorf("five complaints about twenty messages: %.1f after %.1f, %s", some, none, few.Action)
	}
	if large != list {
		t.Errorf("five complaints about two thousand messages: %.1f after %.1f", large, list)
	}
}

func TestComplaintsAreForgiven(t *testing.T) {
	w := newTown(t)
	m := w.anna("lunch", "friend1@far.example")
	w.accept(m)
	before := w.d.Find(w.anna("lunch", "friend1@far.example")).Score
	for range 5 {
		w.d.Complaint(m, w.now)
	}
	if after := w.d.Find(w.anna("lunch", "friend1@far.example")).Score; after < before+3 {
		t.Errorf("%.1f after %.1f", after, before)
	}
	if w.d.Release(osm.Key{Kind: osm.KeyLogin, Value: "anna@site.example"}, w.now); w.d.Find(w.anna("lunch", "friend1@far.example")).Score > before+0.5 {
		t.Error("complaints count on after a release")
	}
}

// A forwarded message is not the forwarder's.
func TestComplaintAboutNobodysMail(t *testing.T) {
	w := newTown(t)
	m := w.message(osm.Message{Class: osm.Forward, Sender: "x@far.example", Recipients: []string{"friend1@far.example"}})
	if key, charged := w.d.Complaint(m, w.now); charged {
		t.Errorf("charged to %s", key)
	}
}

// What an older version kept of a sender has no complaints, or no lists and places, and is read all the same.
func TestStateBeforeComplaints(t *testing.T) {
	w := newTown(t)
	m := w.anna("lunch", "friend1@far.example")
	w.accept(m)
	w.d.Complaint(m, w.now)
	kept := map[string][]byte{}
	w.d.Dirty(func(key string, blob []byte) { kept[key] = append([]byte(nil), blob...) })
	s := w.d.named(osm.Key{Kind: osm.KeyLogin, Value: "anna@site.example"})
	key := fmt.Sprintf("%s%x", senderKey, s.hash)
	for cut, want := range map[int]float32{0: 1, 40: 1, 48: 0} {
		d := New(DefaultConfig())
		blob := append([]byte{1}, kept[key][1:len(kept[key])-cut]...)
		if err := d.Restore(key, blob); err != nil {
			t.Fatal(err)
		}
		if again, ok := d.senders.index.get(s.hash); !ok || again.complaints.Sum != want {
			t.Errorf("%+v, want %g complaints", again, want)
		}
	}
}
