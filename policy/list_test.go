package policy

import (
	"net/netip"
	"testing"
	"time"

	"osm"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func entry(allow bool, kind osm.KeyKind, value string) Entry {
	k, err := CheckKey(osm.Key{Kind: kind, Value: value})
	if err != nil {
		panic(err)
	}
	return Entry{Allow: allow, Key: k}
}

func TestListsMatch(t *testing.T) {
	message := &osm.Message{Login: "Alice@Shop.example", Account: "shop", Sender: "News@shop.example", Client: netip.MustParseAddr("192.0.2.77"),
		Country: "DE", ASN: 64500, Helo: "Laptop", Recipients: []string{"a@one.example", "B@two.example"}, Script: osm.Script{Path: "/home/shop/www"}}
	v6 := &osm.Message{Client: netip.MustParseAddr("2001:db8:1:2::9")}
	for name, c := range map[string]struct {
		list []Entry
		m    *osm.Message
		want string // "", block or allow
	}{
		"nothing listed":      {nil, message, ""},
		"login, any case":     {[]Entry{entry(false, osm.KeyLogin, "ALICE@shop.example")}, message, "block"},
		"another login":       {[]Entry{entry(false, osm.KeyLogin, "bob@shop.example")}, message, ""},
		"network":             {[]Entry{entry(false, osm.KeyNetwork, "192.0.2.0/24")}, message, "block"},
		"host bits set":       {[]Entry{entry(false, osm.KeyNetwork, "192.0.2.9/24")}, message, "block"},
		"single address":      {[]Entry{entry(false, osm.KeyClient, "192.0.2.77")}, message, "block"},
		"next address":        {[]Entry{entry(false, osm.KeyClient, "192.0.2.78")}, message, ""},
		"IPv6 network":        {[]Entry{entry(false, osm.KeyNetwork, "2001:db8:1::/48")}, v6, "block"},
		"IPv4 against IPv6":   {[]Entry{entry(false, osm.KeyNetwork, "192.0.2.0/24")}, v6, ""},
		"second recipient":    {[]Entry{entry(false, osm.KeyRecipient, "b@two.example")}, message, "block"},
		"recipient's domain":  {[]Entry{entry(false, osm.KeyRecipientDomain, "two.example")}, message, "block"},
		"country":             {[]Entry{entry(false, osm.KeyCountry, "de")}, message, "block"},
		"asn":                 {[]Entry{entry(false, osm.KeyASN, "AS64500")}, message, "block"},
		"script":              {[]Entry{entry(false, osm.KeyScript, "/home/shop/www")}, message, "block"},
		"helo":                {[]Entry{entry(false, osm.KeyHelo, "laptop")}, message, "block"},
		"allowing wins":       {[]Entry{entry(false, osm.KeyLogin, "alice@shop.example"), entry(true, osm.KeyNetwork, "192.0.2.0/25")}, message, "allow"},
		"allowing wins again": {[]Entry{entry(true, osm.KeyAccount, "shop"), entry(false, osm.KeyClient, "192.0.2.77")}, message, "allow"},
		"same key, both":      {[]Entry{entry(true, osm.KeyAccount, "shop"), entry(false, osm.KeyAccount, "shop")}, message, "allow"},
	} {
		t.Run(name, func(t *testing.T) {
			var l Lists
			l.Set(c.list)
			e, ok := l.Match(c.m, monday)
			got := ""
			if ok {
				got = map[bool]string{true: "allow", false: "block"}[e.Allow]
			}
			if got != c.want {
				t.Errorf("got %q (%v), want %q", got, e.Key, c.want)
			}
		})
	}
}

func TestListEntryEnds(t *testing.T) {
	e := entry(false, osm.KeyLogin, "alice")
	e.Until = monday.Add(time.Hour)
	var l Lists
	l.Set([]Entry{e})
	m := &osm.Message{Login: "alice"}
	if _, ok := l.Match(m, monday); !ok {
		t.Error("not in force before its end")
	}
	if _, ok := l.Match(m, e.Until); ok {
		t.Error("in force at its end")
	}
}

func TestCheckKeyRefuses(t *testing.T) {
	for _, k := range []osm.Key{{Kind: osm.KeyClient, Value: "nonsense"}, {Kind: osm.KeyNetwork, Value: "0.0.0.0/0"},
		{Kind: osm.KeyNetwork, Value: "192.0.2.0/33"}, {Kind: osm.KeyASN, Value: "AS0"}, {Kind: osm.KeyCountry, Value: "DEU"},
		{Kind: osm.KeyLogin, Value: "  "}} {
		if got, err := CheckKey(k); err == nil {
			t.Errorf("%v is accepted as %v", k, got)
		}
	}
}
