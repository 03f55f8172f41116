package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"osm"
)

// DNSBLConfig is the table [check.dnsbl].
type DNSBLConfig struct {
	Common
	Weight    float64      `toml:"weight" doc:"Sum of the weights of all listings from which on they speak against mail."`
	MostLinks int          `toml:"most_links" doc:"Domains of links that are looked up for one message, the first ones, 0 to 100."`
	Lists     []ListConfig `toml:"list" doc:"One DNS block list. Of the usual ones osm knows what they list and what their answers mean: zone is enough."`
}

// What can be looked up in a list.
const (
	OfClient = "client"
	OfHelo   = "helo"
	OfSender = "sender"
	OfLink   = "link"
)

var subjects = []string{OfClient, OfHelo, OfSender, OfLink}

// ListConfig is one [[check.dnsbl.list]].
type ListConfig struct {
	Zone         string             `toml:"zone" doc:"The list's domain, such as zen.spamhaus.org; with a key in front where the list gives one."`
	Of           []string           `toml:"of" doc:"What is looked up: client (the address), helo, sender, link (their registered domains). Known lists need not say; client when empty."`
	Codes        map[string]string  `toml:"codes" doc:"What answers mean: \"127.0.0.2\" = \"spam\", or \"&4\" = \"phish\" for a bit of the last number. Other answers are no listing. Empty: every answer is one."`
	Weight       float64            `toml:"weight" doc:"Weight of a listing; 0 stands for 1."`
	Weights      map[string]float64 `toml:"weights" doc:"Weights by the meaning of the answer, where they differ: pbl = 0.5."`
	LoginIgnores []string           `toml:"login_ignores" doc:"Meanings that say nothing about somebody who has logged in, such as pbl: homes are on it and ought to be. Known lists need not say."`
	PerSecond    int                `toml:"per_second" doc:"Questions a second that the list allows; more are not asked, which counts as a failure. 0: any number."`
	PerDay       int                `toml:"per_day" doc:"Questions in 24 hours that the list allows. 0: any number."`
}

func defaultDNSBL() DNSBLConfig {
	c := DNSBLConfig{Common: common(2*time.Second, osm.Login, osm.Local, osm.Localhost, osm.Relay, osm.Inbound, osm.Forward), Weight: 1, MostLinks: 20}
	return c
}

// knownLists are the usual lists, as their operators describe them; what a configuration says of a list comes before this.
func knownLists() map[string]ListConfig {
	domains := []string{OfHelo, OfSender, OfLink}
	return map[string]ListConfig{
		"zen.spamhaus.org": {Of: []string{OfClient}, LoginIgnores: []string{"pbl"}, Codes: map[string]string{"127.0.0.2": "sbl", "127.0.0.3": "css",
			"127.0.0.4": "xbl", "127.0.0.9": "drop", "127.0.0.10": "pbl", "127.0.0.11": "pbl"}},
		"dbl.spamhaus.org": {Of: domains, Codes: map[string]string{"127.0.1.2": "spam", "127.0.1.4": "phish", "127.0.1.5": "malware",
			"127.0.1.6": "botnet", "127.0.1.102": "abused", "127.0.1.103": "abused", "127.0.1.104": "abused-phish", "127.0.1.105": "abused-malware",
			"127.0.1.106": "abused-botnet"}, Weights: map[string]float64{"abused": 0.5}},
		"multi.surbl.org": {Of: domains, Codes: map[string]string{"&8": "phish", "&16": "malware", "&64": "abuse", "&128": "cracked"},
			Weights: map[string]float64{"cracked": 0.5}},
		"multi.uribl.com":               {Of: domains, Codes: map[string]string{"&2": "black", "&4": "grey", "&8": "red"}, Weights: map[string]float64{"grey": 0.3, "red": 0.5}},
		"bl.spamcop.net":                {Of: []string{OfClient}, Codes: map[string]string{"127.0.0.2": "spam"}},
		"b.barracudacentral.org":        {Of: []string{OfClient}, Codes: map[string]string{"127.0.0.2": "spam"}},
		"psbl.surriel.com":              {Of: []string{OfClient}, Codes: map[string]string{"127.0.0.2": "spam"}},
		"dnsbl.dronebl.org":             {Of: []string{OfClient}},
		"bl.mailspike.net":              {Of: []string{OfClient}, Codes: map[string]string{"127.0.0.2": "spam", "127.0.0.10": "worst", "127.0.0.11": "very-bad", "127.0.0.12": "bad"}},
		"all.spamrats.com":              {Of: []string{OfClient}, LoginIgnores: []string{"dynamic", "no-ptr"}, Codes: map[string]string{"127.0.0.36": "dynamic", "127.0.0.37": "no-ptr", "127.0.0.38": "spam", "127.0.0.43": "auth"}},
		"authbl.dq.spamhaus.net":        {Of: []string{OfClient}, Codes: map[string]string{"127.0.0.20": "auth"}},
		"hostkarma.junkemailfilter.com": {Of: []string{OfClient}, Codes: map[string]string{"127.0.0.2": "black", "127.0.0.4": "brown"}, Weights: map[string]float64{"brown": 0.3}},
	}
}

// complete fills in what is known of a list that the configuration does not say.
func (l ListConfig) complete() ListConfig {
	l.Zone = strings.Trim(canonical(l.Zone), ".")
	all := knownLists()
	known, ok := all[l.Zone]
	if !ok { // with a customer's key in front, as in KEY.zen.dq.spamhaus.net
		for zone, k := range all {
			name, _, _ := strings.Cut(zone, ".")
			if strings.HasSuffix(zone, ".spamhaus.org") && strings.HasSuffix(l.Zone, "."+name+".dq.spamhaus.net") || strings.HasSuffix(l.Zone, "."+zone) {
				known = k
			}
		}
	}
	if len(l.Of) == 0 {
		l.Of = known.Of
	}
	if len(l.Of) == 0 {
		l.Of = []string{OfClient}
	}
	if len(l.Codes) == 0 {
		l.Codes = known.Codes
	}
	if len(l.LoginIgnores) == 0 {
		l.LoginIgnores = known.LoginIgnores
	}
	if l.Weight == 0 {
		l.Weight = 1
	}
	weights := maps.Clone(known.Weights)
	if weights == nil {
		weights = map[string]float64{}
	}
	maps.Copy(weights, l.Weights)
	l.Weights = weights
	return l
}

func (c *DNSBLConfig) check(report func(key, problem string)) {
	c.Common.check(report)
	if !(c.Weight > 0 && c.Weight <= 1000) { // that is how NaN fails, too
		report("weight", "must be more than 0, and at most 1000")
	}
	if c.MostLinks < 0 || c.MostLinks > 100 {
		report("most_links", "must be between 0 and 100")
	}
	if c.Enabled && len(c.Lists) == 0 {
		report("list", "must name a list: [[check.dnsbl.list]] with zone = \"zen.spamhaus.org\", for example")
	}
	for i := range c.Lists {
		c.Lists[i].check(under(report, fmt.Sprintf("list[%d]", i)))
		if slices.ContainsFunc(c.Lists[:i], func(l ListConfig) bool { return l.complete().Zone == c.Lists[i].complete().Zone }) {
			report(fmt.Sprintf("list[%d].zone", i), "stands here twice")
		}
	}
}

func (l *ListConfig) check(report func(key, problem string)) {
	if zone := strings.Trim(canonical(l.Zone), "."); !plainName(zone) || !strings.Contains(zone, ".") || len(zone) > 150 {
		report("zone", "must be the list's domain, such as zen.spamhaus.org")
	}
	for i, of := range l.Of {
		if !slices.Contains(subjects, of) {
			report(fmt.Sprintf("of[%d]", i), "must be client, helo, sender or link")
		}
	}
	for text := range l.Codes {
		if _, err := parseCode(text, ""); err != nil {
			report("codes", err.Error())
		}
	}
	weights := slices.Collect(maps.Values(l.Weights))
	if slices.ContainsFunc(append(weights, l.Weight), func(w float64) bool { return !(w >= 0 && w <= 1000) }) {
		report("weight", "every weight must be between 0 and 1000")
	}
	if l.PerSecond < 0 || l.PerDay < 0 {
		report("per_day", "limits must not be negative")
	}
}

// code is one answer of a list and what it means.
type code struct {
	is   netip.Addr // the answer; invalid: bit counts
	bit  byte       // of the last number
	name string
}

func parseCode(text, name string) (code, error) {
	if bit, ok := strings.CutPrefix(text, "&"); ok {
		if n, err := strconv.ParseUint(bit, 10, 8); err == nil && n > 0 {
			return code{bit: byte(n), name: name}, nil
		}
		return code{}, fmt.Errorf("%q: must be & and a number from 1 to 255", text)
	}
	is, err := netip.ParseAddr(text)
	if err != nil || !loopback.Contains(is) {
		return code{}, fmt.Errorf("%q: must be an answer such as 127.0.0.2, or a bit such as &4", text)
	}
	return code{is: is, name: name}, nil
}

// loopback is where lists' answers are (RFC 5782 section 2.3).
var loopback = netip.MustParsePrefix("127.0.0.0/8")
