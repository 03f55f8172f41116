package detect

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"osm"
)

// office makes a working day of a server: people who answer each other, a shop and a newsletter.
func office(senders, messages int) []osm.Message {
	all := make([]osm.Message, messages)
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for i := range all {
		n := i % senders
		at = at.Add(700 * time.Millisecond)
		m := &all[i]
		*m = osm.Message{ID: fmt.Sprintf("1w%04d-%06d-00", i%7919, i), Time: at, HasSubject: true, Size: 4000,
			Subject: fmt.Sprintf("Re: the report of week %d", i%50)}
		if n%5 == 4 {
			m.Class, m.User, m.Account = osm.Local, fmt.Sprintf("u%d", n), fmt.Sprintf("u%d", n)
			m.Script = osm.Script{Path: fmt.Sprintf("/home/u%d/public_html", n), Sure: osm.Exact}
			m.Sender, m.Subject = fmt.Sprintf("shop@d%d.example", n), fmt.Sprintf("Your order %d", i)
			m.Recipients = []string{fmt.Sprintf("buyer%d@mail.example", i)}
			continue
		}
		m.Class, m.Login = osm.Login, fmt.Sprintf("p%d@d%d.example", n, n/5)
		m.Sender, m.Account, m.Helo = m.Login, fmt.Sprintf("u%d", n/5), fmt.Sprintf("PC%d", n)
		m.Client = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
		m.Recipients = []string{fmt.Sprintf("friend%d@far%d.example", i/senders%20, n)}
	}
	return all
}

func BenchmarkFind(b *testing.B) {
	all := office(500, 50_000)
	d := New(DefaultConfig())
	for i := range all {
		d.Find(&all[i])
		d.Learn(&all[i], true)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.Find(&all[i%len(all)])
	}
}

// BenchmarkFindRead is what a replay pays in the one goroutine that judges: others have read the messages before.
func BenchmarkFindRead(b *testing.B) {
	all := office(500, 50_000)
	d, prints := New(DefaultConfig()), make([]Prints, len(all))
	for i := range all {
		prints[i].Read(&all[i])
		d.Find(&all[i])
		d.Learn(&all[i], true)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.FindRead(&all[i%len(all)], &prints[i%len(all)])
	}
}

func BenchmarkFindAndLearn(b *testing.B) {
	all := office(500, 50_000)
	d := New(DefaultConfig())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m := &all[i%len(all)]
		d.Find(m)
		d.Learn(m, true)
	}
}

func BenchmarkDelivery(b *testing.B) {
	all := office(500, 50_000)
	d := New(DefaultConfig())
	for i := range all {
		d.Find(&all[i])
		d.Learn(&all[i], true)
	}
	dl := osm.Delivery{Time: all[len(all)-1].Time, Outcome: osm.Delivered, Remote: true}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		dl.Recipient = all[i%len(all)].Recipients[0]
		d.Delivery(&all[i%len(all)], &dl)
	}
}

// BenchmarkMemory prints what a sender takes with all that hangs on it, and a pair of sender and recipient.
func BenchmarkMemory(b *testing.B) {
	const senders, pairs = 20_000, 400_000
	for b.Loop() {
		all := office(senders, senders)
		var before, after runtime.MemStats
		d := New(DefaultConfig())
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range all {
			d.Find(&all[i])
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/senders, "B/sender")
		runtime.ReadMemStats(&before)
		for i := range uint64(pairs) {
			d.known.Add(i*0x9e3779b97f4a7c15, 1_800_000_000)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/pairs, "B/recipient")
		runtime.KeepAlive(d)
	}
}
