package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"osm"
)

// Facts are what the condition of a rule can ask about a message. The names and texts of the tags are the documentation.
type Facts struct {
	Class        string   `expr:"class" doc:"how it came in: login, script, localhost, relay, inbound, forward, bounce, list or system"`
	Account      string   `expr:"account" doc:"owner in the hosting panel"`
	Login        string   `expr:"login" doc:"authenticated id, in small letters"`
	User         string   `expr:"user" doc:"unix user of a local submission"`
	Script       string   `expr:"script" doc:"folder a local submission came from"`
	Sender       string   `expr:"sender" doc:"envelope sender in small letters, empty for a bounce"`
	SenderDomain string   `expr:"sender_domain" doc:"its domain"`
	From         string   `expr:"from" doc:"address in the From header; empty where it is not known"`
	Recipients   []string `expr:"recipients" doc:"envelope recipients; empty where Exim does not log them"`
	Count        int      `expr:"recipient_count" doc:"how many recipients"`
	Client       string   `expr:"client" doc:"address of the submitting host"`
	Network      string   `expr:"network" doc:"its IPv4 /24 or IPv6 /64"`
	Country      string   `expr:"country" doc:"its country, two letters"`
	ASN          int      `expr:"asn" doc:"its autonomous system, 0 when unknown"`
	Host         string   `expr:"host" doc:"its verified name"`
	Helo         string   `expr:"helo" doc:"what it said in HELO or EHLO"`
	Port         int      `expr:"port" doc:"our port it came in by"`
	Protocol     string   `expr:"protocol" doc:"smtp, esmtpsa, local ..."`
	Auth         string   `expr:"auth" doc:"name of the authenticator, empty without a login"`
	TLS          bool     `expr:"tls" doc:"the connection was encrypted"`
	Subject      string   `expr:"subject" doc:"the subject, empty where Exim does not log it"`
	Size         int      `expr:"size" doc:"bytes"`
	Hour         int      `expr:"hour" doc:"hour of the day, 0 to 23, by the server's clock"`
	Weekday      string   `expr:"weekday" doc:"mon, tue, wed, thu, fri, sat or sun"`
	Score        float64  `expr:"score" doc:"what the detection makes of the sender with this message"`
}

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// set fills the facts from a message; what the detection found comes beside it.
func (f *Facts) set(m *osm.Message, found osm.Verdict) {
	*f = Facts{
		Class: m.Class.String(), Account: m.Account, Login: strings.ToLower(m.Login), User: m.User, Script: m.Script.Path,
		Sender: strings.ToLower(m.Sender), SenderDomain: strings.ToLower(osm.Domain(m.Sender)), From: strings.ToLower(m.From),
		Recipients: m.Recipients, Count: len(m.Recipients),
		Client: address(m.Client), Network: network(m.Client), Country: m.Country, ASN: int(m.ASN),
		Host: strings.ToLower(m.ClientHost), Helo: m.Helo, Port: int(m.ServerPort), Protocol: m.Protocol, Auth: m.Auth, TLS: m.TLS != "",
		Subject: m.Subject, Size: int(m.Size), Hour: m.Time.Hour(), Weekday: weekdays[m.Time.Weekday()], Score: found.Score,
	}
}

// FactDoc describes one fact that conditions can use.
type FactDoc struct{ Name, Type, Doc string }

// FactDocs lists all facts in the order of Facts.
func FactDocs() []FactDoc {
	t := reflect.TypeFor[Facts]()
	docs := make([]FactDoc, t.NumField())
	for i := range docs {
		f := t.Field(i)
		docs[i] = FactDoc{f.Tag.Get("expr"), f.Type.String(), f.Tag.Get("doc")}
	}
	return docs
}

// nearest suggests the fact a misspelt name probably means, "" when none is like it.
func nearest(name string) string {
	best, dist := "", len(name)/2+1
	for _, f := range FactDocs() {
		if d := editDistance(name, f.Name); d < dist {
			best, dist = f.Name, d
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// selectorNames are the kinds of key that an exception or a limit of its own may name: those of a message, and its plan.
var selectorNames = []string{"account", "plan", "domain", "login", "script", "sender", "client", "network"}

// selector names whose messages an exception or an override is about: "account:bigshop", "plan:gold", "domain:x.example".
type selector struct{ kind, value string }

func parseSelector(s string) (selector, error) {
	kind, value, ok := strings.Cut(s, ":")
	if !ok || value == "" || !slices.Contains(selectorNames, kind) {
		return selector{}, fmt.Errorf("%q: want KIND:VALUE where KIND is one of %s", s, strings.Join(selectorNames, ", "))
	}
	if kind != "script" && kind != "account" && kind != "plan" {
		value = strings.ToLower(value)
	}
	return selector{kind, value}, nil
}

// of gives the value of the selector's kind that a message has.
func (s selector) matches(m *osm.Message, plan func(account string) string) bool {
	switch s.kind {
	case "plan":
		return plan != nil && m.Account != "" && plan(m.Account) == s.value
	case "domain":
		return Value(m, osm.KeySenderDomain) == s.value
	case "network":
		p, err := parseNetwork(s.value)
		return err == nil && m.Client.IsValid() && p.Contains(m.Client.Unmap())
	default:
		kind, err := osm.ParseKeyKind(s.kind)
		return err == nil && Value(m, kind) == s.value
	}
}
