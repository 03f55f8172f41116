package track

import (
	"fmt"
	"testing"
	"time"

	"osm/exim"
)

// traffic is a log of n messages as a server with cPanel's log_selector writes it, parsed: scripts, logins and mail
// from outside, each with its delivery process, one delivery and its completion. depth messages are in the queue at a
// time.
func traffic(n, depth int) []exim.Entry {
	parser := exim.NewParser(time.UTC)
	var entries []exim.Entry
	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	add := func(i int, format string, args ...any) {
		var e exim.Entry
		line := start.Add(time.Duration(i)*20*time.Millisecond).Format("2006-01-02 15:04:05 ") + fmt.Sprintf(format, args...)
		parser.Parse(line, &e)
		entries = append(entries, e)
	}
	id := func(i int) string { return fmt.Sprintf("1xVP%c%c-%06d-%02d", 'A'+i%26, 'a'+i/26%26, i%1000000, i%100) }
	for i := range n + depth {
		if i < n {
			switch i % 4 {
			case 0:
				add(i, "cwd=/home/shop%d/public_html 3 args: /usr/sbin/sendmail -t -i", i%40)
				add(i, "%s <= shop%d@example.com U=shop%d P=local S=9000 T=\"Your order %d has been shipped\" "+
					"for customer%d@example.org", id(i), i%40, i%40, i, i)
			case 1:
				add(i, "%s <= user%d@example.com H=(laptop.local) [192.0.2.%d]:40000 P=esmtpsa X=TLS1.3:AES_256:256 CV=no "+
					"A=dovecot_login:user%d@example.com S=9000 id=%d@example.com T=\"Re: offer %d\" "+
					"for a%d@example.org b%d@example.net", id(i), i%90, i%250, i%90, i, i, i, i)
			default:
				add(i, "%s <= news@sender%d.example.net H=mx%d.example.net [198.51.100.%d]:40000 P=esmtps "+
					"X=TLS1.2:ECDHE-RSA-AES256:256 CV=no S=9000 id=abc%d@sender.example.net T=\"Newsletter %d\" for user%d@example.com",
					id(i), i, i%50, i%250, i, i, i%90)
			}
			add(i, "cwd=/var/spool/exim 3 args: /usr/sbin/exim -Mc %s", id(i))
		}
		if i >= depth {
			add(i, "%s => a%d@example.org R=dkim_lookuphost T=dkim_remote_smtp H=mx.example.org [203.0.113.%d] "+
				"X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C=\"250 2.0.0 OK: queued as 12345\"", id(i-depth), i, i%250)
			add(i, "%s Completed", id(i-depth))
		}
	}
	return entries
}

// BenchmarkAdd is the work for one line, parsing apart, with so many other messages waiting in the queue.
func BenchmarkAdd(b *testing.B) {
	entries := traffic(4000, 10)
	for _, waiting := range []int{0, 50_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			t := New(Options{Config: DefaultConfig()})
			for i := range waiting {
				e := entries[1] // an arrival
				e.ID = fmt.Sprintf("1xVQ%c%c-%06d-%02d", 'A'+i%26, 'a'+i/26%26, i, i%100)
				t.Add(&e)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				t.Add(&entries[i%len(entries)])
			}
		})
	}
}
