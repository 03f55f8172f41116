package check

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"osm"
)

// TestBothScanners: what two scanners say does not depend on which of them is quicker.
func TestBothScanners(t *testing.T) {
	for _, c := range []struct {
		name                                 string
		rspamd, required, assassin, requires float64
		worst, rule                          string
	}{
		{"both", 20, 15, 6, 5, "rspamd", "check-rspamd"},
		{"both, the second worse", 16, 15, 20, 5, "spamassassin", "check-rspamd"}, // both ask for a hold
		{"the second alone", 10, 15, 6, 5, "spamassassin", "check-spamassassin"},
		{"none", 14, 15, 2, 5, "rspamd", ""},
	} {
		for _, quicker := range []string{"rspamd", "spamassassin"} {
			answered := make(chan struct{})
			inTurn := func(by, text string) func(net.Conn) {
				return func(conn net.Conn) {
					conn.Read(make([]byte, 1<<16))
					if by != quicker {
						<-answered
					}
					io.WriteString(conn, text)
					if conn.Close(); by == quicker {
						close(answered)
					}
				}
			}
			body := fmt.Sprintf(`{"score":%v,"required_score":%v,"action":"no action"}`, c.rspamd, c.required)
			one := fake(t, inTurn("rspamd", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
			two := fake(t, inTurn("spamassassin", fmt.Sprintf("SPAMD/1.1 0 EX_OK\r\nSpam: True ; %v / %v\r\n\r\n", c.assassin, c.requires)))
			o := scan(t, func(cfg *Config) {
				cfg.Rspamd.Enabled, cfg.Rspamd.URL = true, "http://"+one
				cfg.SpamAssassin.Enabled, cfg.SpamAssassin.Address = true, two
			}, plainMail)
			want := []osm.Score{{By: "rspamd", Points: c.rspamd, Enough: c.required, Advice: "no action"},
				{By: "spamassassin", Points: c.assassin, Enough: c.requires, Advice: "spam"}}
			if !slices.Equal(o.Scores, want) || o.Worst().By != c.worst || o.Verdict.Rule != c.rule {
				t.Errorf("%s, %s first: %+v", c.name, quicker, o)
			}
			if e := Evidence(&o); len(e) != 2 || e[0].Fact != "rspamd" || e[1].Fact != "spamassassin" {
				t.Errorf("%s: the evidence is %+v", c.name, e)
			}
		}
	}
}

func TestEvidence(t *testing.T) {
	o := osm.Opinions{Listings: make([]osm.Listing, 50), SPF: "fail", DMARCPolicy: "reject\x1b[2J", Extensions: []string{"exe", "", "exe", "zip\n"},
		LinkCount: 3, Failed: []string{"rspamd", "dmarc"}}
	o.Listings[0] = osm.Listing{List: "bl.example", Value: "192.0.2.1", Name: "x\x00", Weight: 0.5}
	all := Evidence(&o)
	if len(all) != mostShownOf+5 || all[0].Weight != 0.5 {
		t.Fatalf("%+v", all)
	}
	for i, want := range []osm.Finding{{Fact: "spf", Value: "fail"}, {Fact: "dmarc_policy", Value: osm.Printable("reject\x1b[2J")},
		{Fact: "extensions", Value: osm.Printable("exe, zip\n")}, {Fact: "link_count", Value: "3"}, {Fact: "checks_failed", Value: "rspamd, dmarc"}} {
		if got := all[mostShownOf+i]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
