package policy

import (
	"net/netip"
	"testing"

	"osm"
)

// TestExcepted: what a rule accepts, or may accept yet, is not refused early by others.
func TestExcepted(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.9")
	for _, c := range []struct {
		name string
		rule Rule
		at   State
		m    osm.Message
		want bool
	}{
		{"the client's address, at once", Rule{When: `client == "192.0.2.9"`, Action: osm.Accept, Classes: osm.Classes()}, Connect, osm.Message{Client: client, Class: osm.Inbound}, true},
		{"another address", Rule{When: `client == "192.0.2.1"`, Action: osm.Accept, Classes: osm.Classes()}, Connect, osm.Message{Client: client, Class: osm.Inbound}, false},
		{"the login, which may come", Rule{When: `login == "vip"`, Action: osm.Accept}, Connect, osm.Message{Client: client, Class: osm.Inbound}, true},
		{"the login, which is another", Rule{When: `login == "vip"`, Action: osm.Accept}, Mail, osm.Message{Client: client, Class: osm.Login, Login: "bob"}, false},
		{"the login", Rule{When: `login == "vip"`, Action: osm.Accept}, Rcpt, osm.Message{Client: client, Class: osm.Login, Login: "vip", Recipients: []string{"a@b"}}, true},
		{"the subject, not known yet", Rule{When: `subject == "hello"`, Action: osm.Accept}, Rcpt, osm.Message{Client: client, Class: osm.Login, Login: "bob"}, true},
		{"a class that it can't be", Rule{When: `subject == "hello"`, Action: osm.Accept, Classes: []osm.Class{osm.Local}}, Rcpt, osm.Message{Client: client, Class: osm.Login, Login: "bob"}, false},
		{"a rule that refuses", Rule{When: `client == "192.0.2.9"`, Action: osm.Reject}, Rcpt, osm.Message{Client: client, Class: osm.Login, Login: "bob"}, false},
		{"a rule on trial", Rule{When: `login == "bob"`, Action: osm.Accept, Shadow: true}, Rcpt, osm.Message{Client: client, Class: osm.Login, Login: "bob"}, false},
	} {
		c.rule.Name = "r"
		p, err := New(Options{Rules: []Rule{c.rule}})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Excepted(&c.m, c.at); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
