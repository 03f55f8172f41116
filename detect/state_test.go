package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"osm"
	"osm/window"
)

// A restart changes no decision: what a restored detector says is what the old one would have said.
func TestStateSurvivesARestart(t *testing.T) {
	w := newTown(t)
	saved := map[string][]byte{}
	save := func() {
		w.d.Dirty(func(key string, blob []byte) {
			if blob == nil {
				delete(saved, key)
			} else {
				saved[key] = slices.Clone(blob)
			}
		})
	}
	save()
	w.leak(4, func(i int) *osm.Message { return w.thief("203.0.113.9", "Cheap pills", stranger(i)) })
	save()
	d := New(DefaultConfig())
	for key, blob := range saved {
		if err := d.Restore(key, blob); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		w.pass(7 * time.Minute)
		m := w.anna(fmt.Sprintf("lunch %d", i), fmt.Sprintf("friend%d@far.example", i%12))
		if i%3 == 0 {
			m = w.thief("203.0.113.9", "Cheap pills", stranger(100+i))
		}
		want, got := w.d.Find(m), d.Find(m)
		if got.Action != want.Action || got.Score != want.Score {
			t.Fatalf("message %d: %v with %g, before the restart %v with %g\n%+v\n%+v", i, got.Action, got.Score, want.Action, want.Score, got.Findings, want.Findings)
		}
		w.d.Learn(m, want.Action == osm.Accept)
		d.Learn(m, want.Action == osm.Accept)
	}
	changed := 0
	d.Dirty(func(string, []byte) { changed++ })
	if changed == 0 || changed > 100 {
		t.Errorf("60 messages changed %d pieces of state", changed)
	}
	d.Dirty(func(key string, _ []byte) { t.Errorf("%s changed without a cause", key) })
}

func TestDamagedStateIsRefused(t *testing.T) {
	w := newTown(t)
	blobs := map[string][]byte{}
	w.d.Dirty(func(key string, blob []byte) { blobs[key] = slices.Clone(blob) })
	keys := make([]string, 0, len(blobs))
	for key := range blobs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		blob := blobs[key]
		d := New(DefaultConfig())
		if cut := rapid.IntRange(0, len(blob)-1).Draw(t, "cut"); cut%8 != 1 { // whole cells are a shorter page
			if d.Restore(key, blob[:cut]) == nil {
				t.Fatalf("%q cut to %d of %d bytes is accepted", key, cut, len(blob))
			}
		}
		noise := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "noise")
		_ = d.Restore(key, noise) // whatever it says, it must not break
		_ = d.Restore(rapid.String().Draw(t, "other"), noise)
		m := w.anna("hello", "friend1@far.example")
		d.Find(m)
		d.Learn(m, true)
	})
}

// What a stranger can invent is forgotten in favour of what is used, and the tables keep their size.
func TestInventedSendersDoNotFillTheMemory(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Senders, cfg.Known = 1000, 10_000
	d := New(cfg)
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	gone := 0
	for i := range 30_000 {
		now = now.Add(time.Second)
		m := &osm.Message{ID: fmt.Sprint(i), Time: now, Class: osm.Login, Login: fmt.Sprintf("login%d@d%d.example", i, i),
			Sender: fmt.Sprintf("s%d@x%d.example", i, i), Helo: fmt.Sprint("h", i), HasSubject: true,
			Subject: fmt.Sprintf("word%c word%c", 'a'+i%26, 'a'+i/26%26), Recipients: []string{stranger(i)},
			Client: netip.AddrFrom4([4]byte{1, byte(i >> 16), byte(i >> 8), byte(i)})}
		d.Find(m)
		d.Learn(m, true)
		if i%1000 == 0 {
			d.Dirty(func(_ string, blob []byte) {
				if blob == nil {
					gone++
				}
			})
		}
	}
	if n := d.senders.index.used; n != cfg.Senders || len(d.senders.ring) != n {
		t.Errorf("%d senders in mind, %d rows, want %d", n, len(d.senders.ring), cfg.Senders)
	}
	if n := d.accounts.index.used; n > 2*cfg.Senders {
		t.Errorf("%d accounts in mind", n)
	}
	if n := d.known.Len(); n > 4*cfg.Known {
		t.Errorf("%d pairs known for a limit of %d", n, cfg.Known)
	}
	if gone < 20_000 {
		t.Errorf("the store was told of %d forgotten rows", gone)
	}
}

func TestSenderSize(t *testing.T) {
	few, more := unsafe.Sizeof(sender{}), unsafe.Sizeof([moreValues]attr{})
	if few > 1024 || few+more > 2048 {
		t.Errorf("a sender takes %d bytes and, with many values, %d more: want at most 1024 and 2048 together", few, more)
	}
}

func TestFindAllocatesNothing(t *testing.T) {
	w := newTown(t)
	m := w.anna("Re: lunch", "friend1@far.example")
	if n := testing.AllocsPerRun(200, func() { w.d.Find(m); w.d.Learn(m, true) }); n > 0 {
		t.Errorf("%g allocations a message", n)
	}
	dl := osm.Delivery{Time: w.now, Outcome: osm.Delivered, Recipient: "friend1@far.example", Remote: true}
	if n := testing.AllocsPerRun(200, func() { w.d.Delivery(m, &dl) }); n > 0 {
		t.Errorf("%g allocations a delivery", n)
	}
}

// A line from the future, or years from the past, changes nothing for those that follow.
func TestWrongClocks(t *testing.T) {
	w := newTown(t)
	right := w.now
	for _, wrong := range []time.Time{right.AddDate(11, 0, 0), right.AddDate(-20, 0, 0), {}} {
		w.now = wrong
		w.try(w.anna("hello", "friend1@far.example"))
		w.now = right
	}
	for i := range 20 {
		w.pass(10 * time.Minute)
		w.accept(w.anna(fmt.Sprintf("lunch %d", i), fmt.Sprintf("friend%d@far.example", i%10)))
	}
	if got := w.leak(50, func(i int) *osm.Message { return w.thief("203.0.113.9", "Cheap pills", stranger(i)) }); got > 6 {
		t.Errorf("after wrong clocks a thief sends %d", got)
	}
}

func template(s string) (hash uint64, words int, reply bool) {
	var t subject
	t.read(s)
	return t.template, t.words, t.reply
}

func TestTemplate(t *testing.T) {
	same := [][2]string{{"Your order 4711", "Your order 12"}, {"Re: AW: Hello there", "hello THERE"},
		{"Invoice 2026-11 for ACME", "invoice 2027-01 for acme"}, {"you have won xk4d", "You have won 9qq1"}}
	for _, c := range same {
		a, _, _ := template(c[0])
		b, _, _ := template(c[1])
		if a != b {
			t.Errorf("%q and %q differ", c[0], c[1])
		}
	}
	a, n, reply := template("Cheap pills")
	b, _, _ := template("Your order 7")
	if a == b || n != 2 || reply {
		t.Errorf("hashes %x and %x, %d words, reply %v", a, b, n, reply)
	}
	if _, _, reply := template(" [Fwd: x"); reply {
		t.Error("a bracket is no reply mark")
	}
	if _, n, _ := template("Re: Fw: "); n != 0 {
		t.Error("an empty reply has words")
	}
}

func TestHashSender(t *testing.T) {
	for _, c := range [][2]string{
		{"bounce+ann=mail.example@list.example", "bounce+bob=other.example@list.example"},
		{"prvs=0123456789=ann@site.example", "prvs=fedcba9876=ann@site.example"},
		{"Ann@Site.example", "ann@site.EXAMPLE"},
	} {
		if hashSender(c[0]) != hashSender(c[1]) {
			t.Errorf("%q and %q differ", c[0], c[1])
		}
	}
	if hashSender("ann@site.example") == hashSender("bob@site.example") {
		t.Error("two people are one")
	}
}

func TestHashHelo(t *testing.T) {
	client := netip.MustParseAddr("203.0.113.9")
	kinds := map[string]uint64{"": 1, "ip-203-0-113-9.isp": 2, "[nonsense]": 3, "[192.168.1.5]": 4, "[10.0.0.1]": 4, "[203.0.113.9]": 5,
		"[198.51.100.1]": 6, "[IPv6:fe80::1]": 4}
	for helo, want := range kinds {
		if got := hashHelo(helo, client); got != want {
			t.Errorf("%q is of kind %d, want %d", helo, got, want)
		}
	}
	if hashHelo("LAPTOP-1", client) < 8 {
		t.Error("a name is taken for an address")
	}
}

func TestUploadPath(t *testing.T) {
	for path, want := range map[string]float32{"/home/a/public_html/wp-content/uploads/2026": 1, "/home/a/.cache/x": 1, "/tmp": 1,
		"/home/a/public_html": 0, "/home/a/shop": 0, "": 0, "/home/a/cache": 0.4, "/var/www/../x": 0} {
		if got := uploadPath(path); got != want {
			t.Errorf("%q: %g, want %g", path, got, want)
		}
	}
}

// The share with a prior lies between the prior and what was seen.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s share
		mean := rapid.Float32Range(0, 1).Draw(t, "mean")
		cases, all := float32(0), float32(0)
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			is := rapid.Bool().Draw(t, "is")
			s.add(is, 1)
			if all++; is {
				cases++
			}
		}
		if got := s.of(mean, 10); got < mean-1e-5 || got > mean+1e-5 {
			t.Fatal("what happens today is a habit already")
		}
		s.close(true)
		got := s.of(mean, 10)
		if all > 0 {
			lo, hi := min(mean, cases/all), max(mean, cases/all)
			if got < lo-1e-4 || got > hi+1e-4 {
				t.Fatalf("%g is not between %g and %g", got, lo, hi)
			}
		}
	})
}

func TestTableForgetsTheUnused(t *testing.T) {
	table := newTable[*account](64)
	for i := range uint64(1000) {
		table.add(&account{row: row{hash: i + 1, last: window.Seconds(i)}})
		if a, ok := table.index.get(1); ok {
			table.touch(a, window.Seconds(i)) // one that is always used
		}
	}
	if _, ok := table.index.get(1); table.index.used != 64 || !ok {
		t.Errorf("%d rows, and the one in use is there: %t", table.index.used, ok)
	}
}
