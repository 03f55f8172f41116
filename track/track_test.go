package track

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"osm"
	"osm/exim"
)

// feed gives lines to a tracker as the engine does and returns the event of each.
type feed struct {
	t       *Tracker
	parser  *exim.Parser
	forgery exim.Forgery
	entry   exim.Entry
}

func newFeed(o Options) *feed {
	if o.Config == (Config{}) {
		o.Config = DefaultConfig()
	}
	return &feed{t: New(o), parser: exim.NewParser(time.UTC)}
}

func (f *feed) add(line string) Event {
	f.parser.Parse(line, &f.entry)
	f.forgery.Look(&f.entry)
	return f.t.Add(&f.entry)
}

func (f *feed) all(lines ...string) (last Event) {
	for _, l := range lines {
		last = f.add(l)
	}
	return last
}

const (
	day = "2026-11-23 "
	id1 = "1xVPMa-0000Tw-18"
	id2 = "1xVPMa-0000Tw-1A"
)

func TestMessage(t *testing.T) {
	f := newFeed(Options{})
	ev := f.add(day + `08:25:24 ` + id1 + ` <= "a b"@osm.test H=mail.example (client.example) [192.0.2.7]:39764 I=[203.0.113.1]:587 ` +
		`P=esmtpsa X=TLS1.3:ECDHE:256 CV=no A=plain_a:alice@osm.test S=327 id=1@client.example T="caf\303\251 \"x\" for z@z" ` +
		`from <"a b"@osm.test> for x0@far.example "y z"@far.example`)
	m := ev.Message
	if !ev.New || m == nil || ev.Kind != exim.Arrival {
		t.Fatalf("event %+v is no arrival", ev)
	}
	got := fmt.Sprintf("%s|%s|%s|%s|%s|%s|%d|%d|%s|%s|%s|%s|%s|%v|%d|%s|%q|%s", m.ID, m.Time.Format(time.RFC3339), m.Sender, m.Login, m.Auth,
		m.Client, m.ClientPort, m.ServerPort, m.ClientHost, m.Helo, m.Protocol, m.TLS, m.Subject, m.HasSubject, m.Size, m.MessageID,
		m.Recipients, m.User)
	want := `1xVPMa-0000Tw-18|2026-11-23T08:25:24Z|"a b"@osm.test|alice@osm.test|plain_a|192.0.2.7|39764|587|mail.example|` +
		"client.example|esmtpsa|TLS1.3:ECDHE:256|caf\xc3\xa9 \"x\" for z@z|true|327|1@client.example|" +
		`["x0@far.example" "\"y z\"@far.example"]|`
	if got != want {
		t.Errorf("message\n%s\nwant\n%s", got, want)
	}

	ev = f.add(day + `08:25:30 ` + id1 + ` ** x0@far.example F=<"a b"@osm.test> R=dns T=remote_smtp H=mx.far.example [198.51.100.4]:25: ` +
		`SMTP error from remote mail server after RCPT TO:<x0@far.example>: 550 5.1.1 line\n550 5.1.1 two`)
	d := ev.Delivery
	if ev.Message != m || d == nil {
		t.Fatalf("the failure is not tied to its message: %+v", ev)
	}
	if d.Outcome != osm.Failed || d.Recipient != "x0@far.example" || d.Original != "x0@far.example" || d.Router != "dns" ||
		d.Transport != "remote_smtp" || d.Host != "mx.far.example" || d.IP.String() != "198.51.100.4" || d.Port != 25 ||
		d.Code != 550 || d.Enhanced != "5.1.1" || !strings.HasSuffix(d.Text, ": 550 5.1.1 line\n550 5.1.1 two") {
		t.Errorf("delivery %+v", *d)
	}
	if ev = f.add(day + `08:25:30 ` + id1 + ` Completed`); !ev.Done || ev.Message != m {
		t.Errorf("completion: %+v", ev)
	}
	if ev = f.add(day + `08:25:31 ` + id1 + ` => y@far.example R=dns T=remote_smtp H=h [192.0.2.1]`); ev.Message != nil {
		t.Errorf("a completed message is still known")
	}
	if s := f.t.Stats(); s.Live != 0 || s.Messages != 1 || s.Pending != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestDeliveryAddresses(t *testing.T) {
	for line, want := range map[string]string{
		"=> bob <bob@osm.test> R=local T=mbox":                                            "bob@osm.test < bob@osm.test delivered",
		"=> Bob <bob+tag@osm.test> R=local T=mbox":                                        "Bob < bob+tag@osm.test delivered",
		"=> alice (copy@osm.test) <copy@osm.test> R=local T=mbox":                         "alice < copy@osm.test delivered",
		"-> x@far.example <list@osm.test> R=dns T=smtp H=mx [192.0.2.1]":                  "x@far.example < list@osm.test delivered",
		"=> /var/mail/file <tofile@osm.test> R=f T=address_file":                          "/var/mail/file < tofile@osm.test delivered",
		"*> x@far.example R=dns T=smtp H=mx [192.0.2.1]":                                  "x@far.example < x@far.example suppressed",
		"== x@far.example R=dns T=smtp defer (111): Connection refused":                   "x@far.example < x@far.example deferred",
		"** nosuch@osm.test F=<a@osm.test>: Unrouteable address":                          "nosuch@osm.test < nosuch@osm.test failed",
		">> x@far.example R=dns T=smtp H=mx [192.0.2.1] C=\"250 OK\"":                     "x@far.example < x@far.example delivered",
		"=> \\303\\274ber <\\303\\274ber@osm.test> R=local T=mbox":                        "über@osm.test < über@osm.test delivered",
		"=> x@far.example <a@osm.test> P=<a@osm.test> R=dns T=smtp H=mx [2001:db8::1]:25": "x@far.example < a@osm.test delivered",
	} {
		f := newFeed(Options{})
		ev := f.all(day+"08:25:24 "+id1+" <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1", day+"08:25:24 "+id1+" "+line)
		if ev.Delivery == nil {
			t.Errorf("%s: no delivery", line)
			continue
		}
		d := ev.Delivery
		if got := fmt.Sprintf("%s < %s %s", d.Recipient, d.Original, d.Outcome); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// U= over SMTP is the ident service's word of the client: anybody can claim to be any user.
func TestIdentIsNoUser(t *testing.T) {
	f := newFeed(Options{})
	if ev := f.add(day + "08:25:24 " + id1 + " <= a@osm.test H=(h) [192.0.2.7] U=root P=esmtp S=1"); ev.Message.User != "" {
		t.Errorf("user %q over SMTP", ev.Message.User)
	}
}

func TestEarlyDeliveries(t *testing.T) {
	f := newFeed(Options{})
	line := day + "08:25:24 " + id1 + ` >> x@far.example R=all T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK"`
	ev := f.add(line)
	if ev.Message != nil || ev.Delivery != nil {
		t.Fatalf("a delivery before its arrival: %+v", ev)
	}
	f.add(strings.Replace(line, "x@far", "y@far", 1))
	ev = f.add(day + "08:25:24 " + id1 + " <= a@osm.test U=a P=local-esmtp S=1 for x@far.example y@far.example")
	if !ev.New || len(ev.Early) != 2 || ev.Early[0].Recipient != "x@far.example" || ev.Early[1].Recipient != "y@far.example" {
		t.Fatalf("early deliveries %+v", ev.Early)
	}
	if s := f.t.Stats(); s.Pending != 0 || s.Live != 1 || s.Orphans != 0 {
		t.Errorf("stats %+v", s)
	}
	// One that is rejected in the end never arrives.
	f.add(day + "08:25:25 " + id2 + ` >> x@far.example R=all T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK"`)
	f.add(day + "08:25:25 " + id2 + " H=(h) [192.0.2.7] F=<a@osm.test> rejected after DATA: spam")
	if s := f.t.Stats(); s.Pending != 0 || s.Orphans != 1 {
		t.Errorf("after the rejection: %+v", s)
	}
}

func TestEarlyDeliveriesAreBounded(t *testing.T) {
	f := newFeed(Options{})
	for i := range 5 * maxEarly {
		f.add(fmt.Sprintf("%s08:25:24 1xVPMa-%06d-18 => x@far.example R=all T=smtp H=h [127.0.0.1]", day, i))
	}
	for range 200_000 {
		f.add(day + "08:25:24 " + id1 + " => x@far.example R=all T=smtp H=h [127.0.0.1] C=\"250 " + strings.Repeat("x", 200) + "\"")
	}
	s := f.t.Stats()
	if s.Pending > maxEarly || s.Bytes > int64(DefaultConfig().Memory) || s.Orphans < 4*maxEarly {
		t.Errorf("stats %+v", s)
	}
}

func TestLookup(t *testing.T) {
	asked := 0
	f := newFeed(Options{Lookup: func(id string) *osm.Message {
		asked++
		if id != id1 {
			return nil
		}
		return &osm.Message{ID: id, Sender: "old@osm.test"}
	}})
	for range 3 {
		ev := f.add(day + "08:25:24 " + id1 + " == x@far.example R=all T=smtp defer (-44) H=h [127.0.0.1]: later")
		if ev.Message == nil || ev.Message.Sender != "old@osm.test" || ev.Delivery == nil || ev.New {
			t.Fatalf("event %+v", ev)
		}
	}
	for range 3 {
		if ev := f.add(day + "08:25:24 " + id2 + " => x@far.example R=all T=smtp H=h [127.0.0.1]"); ev.Message != nil {
			t.Fatalf("event %+v", ev)
		}
	}
	if s := f.t.Stats(); asked != 2 || s.Restored != 1 || s.Live != 1 {
		t.Errorf("asked %d times, stats %+v", asked, s)
	}
}

func TestRepeatedArrival(t *testing.T) {
	f := newFeed(Options{})
	arrival := day + "08:25:24 " + id1 + " <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1"
	f.add(arrival)
	ev := f.add(strings.Replace(arrival, "a@osm.test", "forged@osm.test", 1))
	if ev.New || ev.Message == nil || ev.Message.Sender != "a@osm.test" || f.t.Stats().Repeated != 1 {
		t.Errorf("event %+v, stats %+v", ev, f.t.Stats())
	}
}

func TestLimits(t *testing.T) {
	c := Config{Messages: 100, Memory: 1 << 30, Age: osm.Duration(time.Hour)}
	f := newFeed(Options{Config: c})
	for i := range 250 {
		f.add(fmt.Sprintf("%s08:25:24 1xVPMa-%06d-18 <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1", day, i))
	}
	if s := f.t.Stats(); s.Live != 100 || s.Evicted != 150 {
		t.Errorf("number: %+v", s)
	}
	f.add(day + "10:25:24 End queue run: pid=1811") // one line moves the time by an hour at most
	if s := f.t.Stats(); s.Live != 100 {
		t.Errorf("a single line from later forgot messages: %+v", s)
	}
	f.add(day + "10:25:24 End queue run: pid=1811")
	if s := f.t.Stats(); s.Live != 0 || s.Expired != 100 || s.Bytes != 0 {
		t.Errorf("age: %+v", s)
	}

	c = Config{Messages: 1_000_000, Memory: 1 << 20, Age: osm.Duration(time.Hour)}
	f = newFeed(Options{Config: c})
	for i := range 5000 {
		f.add(fmt.Sprintf("%s08:25:24 1xVPMa-%06d-18 <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1 T=\"%s\" for %s", day, i,
			strings.Repeat("s", 500), strings.Repeat("x@y.example ", 20)))
	}
	if s := f.t.Stats(); s.Bytes > int64(c.Memory) || s.Live < 300 {
		t.Errorf("memory: %+v", s)
	}
	// A single message larger than the limit is still followed.
	ev := f.add(day + "08:25:24 " + id1 + " <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1 T=\"" + strings.Repeat("s", 2<<20) + "\"")
	if !ev.New || f.t.Stats().Live != 1 {
		t.Errorf("a huge message: %+v", f.t.Stats())
	}
}

func TestForgedLinesChangeNothing(t *testing.T) {
	f := newFeed(Options{})
	f.add(day + "08:25:24 [500] " + id1 + " <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1")
	ev := f.all(
		day+"08:25:25 [1953] cwd=/tmp/x",
		day+"08:25:25 [1953] "+id1+" => victim@far.example R=dns T=smtp H=h [127.0.0.1]",
		day+"08:25:25 [1953] "+id1+" Completed",
		day+"08:25:25 [1953] 1xVPMa-0000VV-1A <= b@osm.test U=root P=local S=1",
	)
	if ev.Forged != exim.AfterTorn || ev.New || ev.Message != nil {
		t.Errorf("event %+v", ev)
	}
	if s := f.t.Stats(); s.Forged != 4 || s.Live != 1 || s.Messages != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestUnknownSamples(t *testing.T) {
	f := newFeed(Options{})
	for i := range 25 {
		f.t.Add(&exim.Entry{Head: exim.Head{Kind: exim.Unknown, Line: fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000))}})
	}
	s := f.t.Stats()
	if s.Unknown != 25 || len(s.Samples) != maxSamples || len(s.Samples[0]) != maxSample || !strings.HasPrefix(s.Samples[0], "15 x") ||
		!strings.HasPrefix(s.Samples[maxSamples-1], "24 x") {
		t.Errorf("unknown %d, samples %.10q", s.Unknown, s.Samples)
	}
}

// What an event points to belongs to the tracker, but strings of a message may be kept: they are no part of the line
// and are not written to again.
func TestStringsOutliveTheLine(t *testing.T) {
	f := newFeed(Options{})
	line := []byte(day + "08:25:24 " + id1 + " <= a@osm.test H=(h) [192.0.2.7] P=esmtp S=1 for x@far.example")
	m := *f.add(string(line)).Message
	f.add(day + "08:25:24 " + id1 + " Completed")
	for i := range 100 {
		f.add(fmt.Sprintf("%s08:25:24 1xVPMa-%06d-18 <= zzzzzzzzz@osm.test H=(h) [192.0.2.7] P=esmtp S=1 for z@z", day, i))
	}
	if m.Sender != "a@osm.test" || m.Recipients[0] != "x@far.example" || m.ID != id1 {
		t.Errorf("kept message changed: %+v", m)
	}
}

// sample reads one of the real logs, or skips the test.
func sample(tb testing.TB, name string) []string {
	data, err := os.ReadFile("../../shared/data/exim-samples/" + name + "/mainlog")
	if err != nil {
		tb.Skip("no real logs here: ", err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// In the real logs every delivery finds its message and every message is completed, but for those that the logs really
// leave open: held, frozen, deferred.
func TestRealLogs(t *testing.T) {
	for _, name := range []string{"4.99-cpanel", "4.99-default", "all", "cpanel", "debian", "default", "directadmin", "hestia",
		"osm-recommended", "pid-millisec"} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(Options{})
			arrivals, tied := 0, 0
			for _, line := range sample(t, name) {
				ev := f.add(line)
				if ev.New {
					arrivals++
				}
				if ev.Delivery != nil {
					tied++
				}
				tied += len(ev.Early)
				if ev.Forged == exim.NoSign && strings.Contains(line, " Completed") && !ev.Done {
					t.Errorf("completion of an unknown message: %s", line)
				}
			}
			s := f.t.Stats()
			if arrivals == 0 || uint64(arrivals) != s.Messages || s.Orphans != 0 || s.Pending > 1 || s.Repeated != 0 || s.Evicted != 0 {
				t.Errorf("%d arrivals, %d deliveries, %+v", arrivals, tied, s)
			}
			if s.Live > arrivals/4 {
				t.Errorf("%d of %d messages were not completed", s.Live, arrivals)
			}
		})
	}
}

func FuzzAdd(f *testing.F) {
	for _, name := range []string{"cpanel", "osm-recommended"} {
		if data, err := os.ReadFile("../../shared/data/exim-samples/" + name + "/mainlog"); err == nil {
			f.Add(string(data[:3000]))
		}
	}
	f.Add(day + "08:25:24 " + id1 + " <= a@osm.test U=a P=local S=1\n" + day + "08:25:24 " + id1 + " => b@c\n" + day + "08:25:24 " + id1 + " Completed")
	f.Fuzz(func(t *testing.T, log string) {
		c := Config{Messages: 5, Memory: 1 << 20, Age: osm.Duration(time.Minute)}
		feed := newFeed(Options{Config: c})
		for line := range strings.SplitSeq(log, "\n") {
			ev := feed.add(line)
			if ev.New && ev.Message == nil || ev.Delivery != nil && ev.Message == nil {
				t.Fatalf("event without a message: %+v", ev)
			}
			if s := feed.t.Stats(); s.Live > c.Messages || s.Live != feed.t.live.n || s.Bytes < 0 || feed.t.slots.used != s.Live+s.Pending {
				t.Fatalf("stats %+v, %d slots", s, feed.t.slots.used)
			}
		}
	})
}

// What was read in batches ties to the same messages and deliveries as line by line.
func TestBatch(t *testing.T) {
	entries := traffic(500, 7)
	tell := func(events []string, ev Event) []string {
		if ev.Message == nil || !ev.New && ev.Delivery == nil && !ev.Done {
			return events
		}
		return append(events, fmt.Sprintf("%v %v %v %+v %+v %v", ev.Kind, ev.New, ev.Done, *ev.Message, ev.Delivery, ev.Early))
	}
	var single, batched []string
	a, b := New(Options{Config: DefaultConfig()}), New(Options{Config: DefaultConfig()})
	var two [2]Batch // one is read while the other is tied
	for start := 0; start < len(entries); start += 130 {
		piece := &two[start/130%2]
		piece.Reset()
		for i := start; i < min(start+130, len(entries)); i++ {
			single = tell(single, a.Add(&entries[i]))
			piece.Read(&entries[i])
		}
		for _, ev := range b.Tie(piece) {
			batched = tell(batched, ev)
		}
	}
	if !slices.Equal(single, batched) || len(single) < 1500 {
		t.Errorf("%d events line by line, %d in batches", len(single), len(batched))
	}
	if a.Stats().Live != b.Stats().Live || a.Stats().Messages != b.Stats().Messages {
		t.Errorf("%+v\n%+v", a.Stats(), b.Stats())
	}
}

// The index finds what a map finds, whatever is added and removed.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, want := index{cells: make([]*slot, 32), seed: 3}, map[exim.Key]*slot{} // crowded
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			k := exim.Key{A: rapid.Uint64Range(0, 15).Draw(t, "key"), B: 1}
			if s := want[k]; s != nil {
				x.remove(s)
				delete(want, k)
			} else {
				want[k] = &slot{key: k}
				x.put(want[k])
			}
			for k := range want {
				if x.get(k) != want[k] {
					t.Fatalf("%v is lost", k)
				}
			}
		}
		if x.used != len(want) {
			t.Fatalf("%d slots, want %d", x.used, len(want))
		}
	})
	x := newIndex()
	for i := range uint64(100_000) {
		x.put(&slot{key: exim.Key{A: i}})
	}
	for i := range uint64(100_000) {
		s := x.get(exim.Key{A: i})
		if s == nil {
			t.Fatalf("%d is lost", i)
		}
		if i%3 > 0 {
			x.remove(s)
		}
	}
	for i := range uint64(100_000) {
		if s := x.get(exim.Key{A: i}); (s != nil) != (i%3 == 0) {
			t.Fatalf("%d: %v", i, s)
		}
	}
}
