package exim

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// generate makes a log of about n messages as a busy server writes it: submissions by scripts, authenticated SMTP, mail
// from outside, deliveries with a reply, deferrals, failures and completions. With extras it has what cPanel's
// log_selector adds: subjects, recipients, ports, cwd lines and connections; without, it is Debian's.
func generate(n int, extras bool) []string {
	var log []string
	add := func(at time.Time, format string, args ...any) {
		log = append(log, at.Format("2006-01-02 15:04:05 ")+fmt.Sprintf(format, args...))
	}
	port, subject, recipients := "", "", ""
	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for i := range n {
		at := start.Add(time.Duration(i) * 90 * time.Millisecond)
		id := fmt.Sprintf("1xVP%c%c-%06d-%02d", 'A'+i%26, 'a'+i/26%26, i%1000000, i%100)
		rcpt := fmt.Sprintf("customer%d@mail%d.example.org", i%977, i%31)
		if extras {
			port, subject = fmt.Sprintf(":%d", 30000+i%30000), fmt.Sprintf(` T="Your order \"%d\" has been shipped"`, i)
			recipients = " for " + rcpt
		}
		switch i % 4 {
		case 0:
			if extras {
				add(at, "cwd=/home/shop%d/public_html 3 args: /usr/sbin/sendmail -t -i", i%40)
			}
			add(at, "%s <= shop%d@example.com U=shop%d P=local S=%d%s%s", id, i%40, i%40, 900+i%5000, subject, recipients)
		case 1:
			if extras {
				add(at, "SMTP connection from [192.0.2.%d]%s (TCP/IP connection count = 3)", i%250, port)
			}
			add(at, "%s <= user%d@example.com H=(laptop.local) [192.0.2.%d]%s P=esmtpsa X=TLS1.3:TLS_AES_256_GCM_SHA384:256 "+
				"CV=no A=dovecot_login:user%d@example.com S=%d id=%d.%d@example.com%s%s", id, i%90, i%250, port, i%90, 2000+i%9000,
				i, i*7, subject, recipients)
		default:
			add(at, "%s <= news@sender%d.example.net H=mx%d.example.net [198.51.100.%d]%s P=esmtps "+
				"X=TLS1.2:ECDHE-RSA-AES256-GCM-SHA384:256 CV=no S=%d id=abc%d@sender%d.example.net%s%s",
				id, i%50, i%50, i%250, port, 4000+i%9000, i, i%50, subject, recipients)
		}
		if extras {
			add(at, "cwd=/var/spool/exim 3 args: /usr/sbin/exim -Mc %s", id)
		}
		switch {
		case i%17 == 3:
			add(at, "%s == %s R=dkim_lookuphost T=dkim_remote_smtp defer (-44) H=mx.example.org [203.0.113.%d]: SMTP error from remote "+
				"mail server after RCPT TO:<%s>: 451 4.7.1 Greylisting in action, please come back later", id, rcpt, i%250, rcpt)
			continue
		case i%29 == 5:
			add(at, "%s ** %s R=dkim_lookuphost T=dkim_remote_smtp H=mx.example.org [203.0.113.%d] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 "+
				"CV=yes: SMTP error from remote mail server after RCPT TO:<%s>: 550 5.1.1 <%s>: Recipient address rejected: User unknown",
				id, rcpt, i%250, rcpt, rcpt)
		case i%4 >= 2:
			add(at, "%s => user%d <user%d@example.com> R=virtual_user T=dovecot_virtual_delivery C=\"250 2.0.0 <user%d@example.com> "+
				"Kx1TLm2qZGWl+QAA Saved\"", id, i%90, i%90, i%90)
		default:
			add(at, "%s => %s R=dkim_lookuphost T=dkim_remote_smtp H=mx.example.org [203.0.113.%d] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 "+
				"CV=yes C=\"250 2.0.0 OK  1795422324 d9443c01a7336-1d0a8b2c3e4si123456plb.%d - gsmtp\"", id, rcpt, i%250, i%600)
		}
		add(at, "%s Completed", id)
	}
	return log
}

// BenchmarkParse prints the rate of the grammar over realistic logs; the bar is 600 MB/s a core and no allocation.
func BenchmarkParse(b *testing.B) {
	for _, log := range []struct {
		name  string
		lines []string
	}{{"cpanel", generate(20000, true)}, {"debian", generate(20000, false)}} {
		b.Run(log.name, func(b *testing.B) {
			b.SetBytes(int64(len(strings.Join(log.lines, "\n"))) + 1)
			b.ReportAllocs()
			p, e := NewParser(time.UTC), new(Entry)
			for b.Loop() {
				for _, line := range log.lines {
					p.Parse(line, e)
				}
			}
			b.ReportMetric(float64(len(log.lines)*b.N)/b.Elapsed().Seconds()/1e6, "Mlines/s")
		})
	}
}

// BenchmarkWriteNDJSON prints the rate of osm parse, by the log's bytes.
func BenchmarkWriteNDJSON(b *testing.B) {
	log := strings.Join(generate(20000, true), "\n")
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := WriteNDJSON(io.Discard, strings.NewReader(log), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
