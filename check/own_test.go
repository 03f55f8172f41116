package check

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"osm"
)

func ownBench(t *testing.T) *bench {
	return newBench(t, func(c *Config) {
		withLists(osm.Accept, ListConfig{Zone: "bl.example", Codes: map[string]string{"127.0.0.2": "spam"}}, ListConfig{Zone: "dbl.example", Of: []string{OfLink}}, ListConfig{Zone: "second.example"})(c)
		c.Own.Enabled, c.Own.Addresses = true, []string{"203.0.113.5", "2001:db8:1::5"}
	})
}

// TestOwnAddressListed is the life of a listing: seen, told once with the suspects, kept over a restart, over.
func TestOwnAddressListed(t *testing.T) {
	b := ownBench(t)
	var since time.Time
	look := func() []Listed {
		return b.LookOwn(t.Context(), func(t time.Time) []Suspect {
			since = t
			return []Suspect{{Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}, Rule: "burst", Messages: 400}}
		})
	}
	if got := look(); len(got) > 0 || len(b.Listings()) > 0 || b.Changed() {
		t.Fatalf("%+v", got)
	}
	b.zone.lists("5.113.0.203.bl.example", "127.0.0.2")
	b.clock.pass(time.Hour)
	listed := b.clock.now()
	got := look()
	if len(got) != 1 || got[0].Address != "203.0.113.5" || got[0].List != "bl.example" || got[0].Name != "spam" || !got[0].Since.Equal(listed) ||
		len(got[0].Suspects) != 1 || !since.Equal(listed.Add(-24*time.Hour)) {
		t.Fatalf("%+v, suspects since %v", got, since)
	}
	b.clock.pass(time.Hour)
	if got := look(); len(got) > 0 {
		t.Errorf("told again: %+v", got)
	}
	saved := map[string][]byte{}
	if err := b.Dirty(func(key string, blob []byte) { saved[key] = blob }); err != nil || b.Changed() {
		t.Fatal(err)
	}
	again := ownBench(t)
	if err := again.Restore(ownState, saved[ownState]); err != nil {
		t.Fatal(err)
	}
	b.watch.all = again.Listings()

	b.zone.lists("5.113.0.203.bl.example", "")
	b.zone.does("5.113.0.203.bl.example", servfail)
	b.clock.pass(time.Hour)
	if got := look(); len(got) > 0 || !b.Listings()[0].Until.IsZero() {
		t.Errorf("a list that does not answer has let the address go: %+v", got)
	}
	b.zone.does("5.113.0.203.bl.example", (*answering).send)
	b.clock.pass(time.Hour)
	if got := look(); len(got) != 1 || !got[0].Until.Equal(b.clock.now()) {
		t.Errorf("%+v", got)
	}
	b.zone.lists("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.second.example", "127.0.0.9")
	b.clock.pass(time.Hour)
	if got := look(); len(got) != 1 || got[0].Address != "2001:db8:1::5" {
		t.Errorf("%+v", got)
	}
	all := b.Listings()
	if len(all) != 2 || !all[0].Until.IsZero() || all[1].Until.IsZero() {
		t.Errorf("%+v", all)
	}
	for q := range b.zone.questions() {
		if strings.Contains(q, "dbl.example") {
			t.Errorf("a list of domains was asked about an address: %s", q)
		}
	}
}

func TestOwnAddresses(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Own.Enabled, c.Own.Lists = true, []string{"bl.example"} })
	if s := b.Stats(); len(s.Watched) != 1 || s.Watched[0] != "203.0.113.25" || len(s.Notices) > 0 || !b.Watches() || b.Any() {
		t.Errorf("%+v", s)
	}
	for range 100 {
		if w := b.Wait(); w < 55*time.Minute || w > 65*time.Minute {
			t.Fatalf("the next look is in %v", w)
		}
	}
	nat := New(b.cfg, Options{Now: b.clock.now, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("100.64.1.1"), netip.MustParseAddr("fe80::1")}})
	if s := nat.Stats(); len(s.Watched) > 0 || len(s.Notices) != 1 {
		t.Errorf("behind a NAT: %+v", s)
	}
}

func TestNoChecksByDefault(t *testing.T) {
	c := New(DefaultConfig(), Options{Now: newClock().now})
	if c.Any() || c.Watches() || c.Limit() > 0 || c.Changed() {
		t.Error("something is asked although nothing is enabled")
	}
}
