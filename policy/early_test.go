package policy

import (
	"net/netip"
	"testing"
	"time"

	"osm"
)

// everywhere are the classes that mail over SMTP can have.
var everywhere = []osm.Class{osm.Login, osm.Localhost, osm.Relay, osm.Inbound, osm.Bounce, osm.Forward, osm.List}

// TestEarly asks rules before a message is there: they speak as soon as they can be judged, and not before.
func TestEarly(t *testing.T) {
	// What is known at each point; a login where the message has one.
	known := func(m osm.Message, at State) osm.Message {
		early := osm.Message{Time: m.Time, Client: m.Client, Country: m.Country, ASN: m.ASN, Class: osm.Inbound}
		if at == Connect {
			return early
		}
		m.Subject = ""
		if at == Mail {
			m.Recipients = nil
			if m.Login == "" {
				m.Class = osm.Inbound
			}
		}
		return m
	}
	login := osm.Message{Time: time.Unix(1_800_000_000, 0), Client: netip.MustParseAddr("192.0.2.7"), Country: "XX", ASN: 64500, Login: "Ann@osm.test", Auth: "plain",
		Helo: "pc.example", TLS: "aes", Sender: "Ann@osm.test", Recipients: []string{"Bob@Far.example"}, Class: osm.Login, Subject: "offer"}
	stranger := login
	stranger.Login, stranger.Auth, stranger.TLS, stranger.Class, stranger.Sender = "", "", "", osm.Relay, "x@else.example"
	for _, c := range []struct {
		name    string
		rule    Rule
		message osm.Message
		from    State // where it speaks first; NoState: never
	}{
		{"client", Rule{When: `client == "192.0.2.7"`, Classes: everywhere}, stranger, Connect},
		{"network", Rule{When: `network == "192.0.2.0/24"`, Classes: everywhere}, login, Connect},
		{"country", Rule{When: `country not in ["", "DE"]`, Classes: everywhere}, stranger, Connect},
		{"asn", Rule{When: `asn == 64500`, Classes: everywhere}, stranger, Connect},
		{"country of logins", Rule{When: `country == "XX"`, Classes: []osm.Class{osm.Login}}, login, Mail},
		{"country of logins", Rule{When: `country == "XX"`, Classes: []osm.Class{osm.Login}}, stranger, NoState},
		{"country of outgoing mail", Rule{When: `country == "XX"`}, stranger, Rcpt}, // inbound mail must not be refused
		{"helo", Rule{When: `helo == "pc.example"`, Classes: everywhere}, stranger, Mail},
		{"tls", Rule{When: `not tls`, Classes: everywhere}, stranger, Mail}, // at connect nothing is encrypted
		{"tls", Rule{When: `not tls`, Classes: everywhere}, login, NoState},
		{"login", Rule{When: `login == "ann@osm.test"`}, login, Mail},
		{"sender", Rule{When: `sender == "ann@osm.test"`}, login, Mail},
		{"sender's domain", Rule{When: `sender_domain == "else.example"`}, stranger, Rcpt},
		{"only these may send", Rule{When: `sender_domain not in ["ours.example"]`}, login, Mail},
		{"only these may send", Rule{When: `sender_domain not in ["osm.test"]`}, login, NoState},
		{"nobody to there", Rule{When: `recipient endsWith "@far.example"`}, login, Rcpt},
		{"nobody but to there", Rule{When: `not (recipient endsWith "@far.example")`}, login, NoState},
		{"class", Rule{When: `class == "relay"`}, stranger, Rcpt},
		{"all recipients", Rule{When: `recipient_count < 2`}, login, NoState},
		{"no recipients yet", Rule{When: `len(recipients) == 0`, Classes: everywhere}, login, NoState},
		{"subject", Rule{When: `subject == ""`, Classes: everywhere}, login, NoState},
		{"score", Rule{When: `score == 0`, Classes: everywhere}, login, NoState},
		{"limit", Rule{When: `country == "XX"`, Classes: everywhere, Key: osm.KeyLogin, Window: osm.Duration(time.Hour), Limit: 1}, login, NoState},
		{"hold", Rule{When: `country == "XX"`, Classes: everywhere, Action: osm.Hold}, login, NoState},
		{"shadow", Rule{When: `country == "XX"`, Classes: everywhere, Shadow: true}, login, NoState},
		{"except a login", Rule{When: `country == "XX"`, Classes: everywhere, Except: []string{"login:bob@osm.test"}}, login, Mail},
		{"except this login", Rule{When: `country == "XX"`, Classes: everywhere, Except: []string{"login:ann@osm.test"}}, login, NoState},
	} {
		if c.rule.Name = c.name; c.rule.Action == osm.Accept {
			c.rule.Action = osm.Reject
		}
		p, err := New(Options{Rules: []Rule{c.rule}})
		if err != nil {
			t.Fatal(err)
		}
		spoken := false
		for _, at := range order[:3] {
			spoken = spoken || at == c.from
			m := known(c.message, at)
			v := p.Early(&m, at)
			if v.Stops() != spoken || spoken && (v.Rule != c.name || v.ID == "") {
				t.Errorf("%s at %s: %+v, want it from %s on", c.name, at, v, c.from)
			}
		}
	}
}

// TestEarlyAcceptance: where a rule may still let the message through, nothing is refused before that is known.
func TestEarlyAcceptance(t *testing.T) {
	refuse := Rule{Name: "refuse", When: `country == "XX"`, Classes: everywhere, Action: osm.Reject}
	m := osm.Message{Client: netip.MustParseAddr("192.0.2.7"), Country: "XX", Login: "ann@osm.test", Class: osm.Login, Recipients: []string{"b@far.example"}}
	for _, c := range []struct {
		when string
		stop map[State]bool
	}{
		{`login == "ann@osm.test"`, map[State]bool{}},
		{`login == "bob@osm.test"`, map[State]bool{Mail: true, Rcpt: true}},
		{`recipient == "b@far.example"`, map[State]bool{}},
		{`subject == "x"`, map[State]bool{}},
		{`client == "192.0.2.8"`, map[State]bool{Connect: true, Mail: true, Rcpt: true}},
	} {
		p, err := New(Options{Rules: []Rule{{Name: "accept", When: c.when, Classes: everywhere, Action: osm.Accept}, refuse}})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range order[:3] {
			if v := p.Early(&m, at); v.Stops() != c.stop[at] {
				t.Errorf("accept %s at %s: %+v", c.when, at, v)
			}
		}
	}
}

// TestOneRecipient asks about each recipient of a whole message.
func TestOneRecipient(t *testing.T) {
	for _, c := range []struct {
		action     osm.Action
		recipients []string
		stops      bool
	}{
		{osm.Reject, []string{"a@ours.example", "B@far.example"}, true},
		{osm.Reject, []string{"a@ours.example"}, false},
		{osm.Reject, nil, false},
		{osm.Accept, []string{"b@far.example"}, false},
		{osm.Accept, []string{"a@ours.example", "b@far.example"}, true}, // the other one is not let through with it
	} {
		p, err := New(Options{Rules: []Rule{{Name: "far", When: `recipient endsWith "@far.example"`, Action: c.action}}})
		if err != nil {
			t.Fatal(err)
		}
		found := osm.Verdict{}
		if c.action == osm.Accept {
			found = osm.Verdict{Action: osm.Reject, Rule: "detection", ID: "V"}
		}
		if v := decide(p, &osm.Message{Class: osm.Login, Recipients: c.recipients}, found); v.Stops() != c.stops {
			t.Errorf("%s %v: %+v", c.action, c.recipients, v)
		}
	}
}
