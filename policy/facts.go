package policy

import (
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
	Recipient    string   `expr:"recipient" doc:"one recipient in small letters: a rule that names it is asked about each; one that matches is enough, to accept all must"`
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

	DNSBL         []string `expr:"dnsbl" doc:"DNS block lists that have the client, its HELO, the sender's domain or a link; needs [check.dnsbl]"`
	DNSBLWeight   float64  `expr:"dnsbl_weight" doc:"sum of the weights of these listings"`
	SPF           string   `expr:"spf" doc:"may the client send for the sender's domain: pass, fail, softfail, neutral, none, temperror or permerror; needs [check.spf]"`
	OwnSPF        string   `expr:"own_spf" doc:"may this server send for the sender's domain, as receivers will see it; needs [check.own_spf]"`
	DKIM          string   `expr:"dkim" doc:"none, pass (a valid signature of the From domain), unaligned (of another domain) or fail; needs [check.dmarc] and the content"`
	DMARC         string   `expr:"dmarc" doc:"none, pass or fail for the From domain; needs [check.dmarc] and the content"`
	DMARCPolicy   string   `expr:"dmarc_policy" doc:"what the From domain asks receivers to do with failures: none, quarantine or reject"`
	Greylist      string   `expr:"greylist" doc:"new, early (back too soon), passed or known; needs [check.greylist]"`
	ContentScore  float64  `expr:"content_score" doc:"score of rspamd or SpamAssassin, by its own scale; of both the one that is higher by its own threshold"`
	ContentAction string   `expr:"content_action" doc:"what the scanner would do, in its own words"`
	Links         []string `expr:"links" doc:"hosts that links in the content point to, once each"`
	LinkCount     int      `expr:"link_count" doc:"how many links there are"`
	Attachments   []string `expr:"attachments" doc:"media types of the attachments"`
	Extensions    []string `expr:"extensions" doc:"extensions of the attachments' names, without the dot"`
	Encrypted     int      `expr:"encrypted" doc:"attached archives that need a password"`
	ChecksFailed  []string `expr:"checks_failed" doc:"checks that gave no answer"`
}

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// set fills the facts from a message; the score of the detection comes beside it.
func (f *Facts) set(m *osm.Message, score float64) {
	*f = Facts{
		Class: m.Class.String(), Account: m.Account, Login: strings.ToLower(m.Login), User: m.User, Script: m.Script.Path,
		Sender: strings.ToLower(m.Sender), SenderDomain: strings.ToLower(osm.Domain(m.Sender)), From: strings.ToLower(m.From),
		Recipients: m.Recipients, Count: len(m.Recipients),
		Client: address(m.Client), Network: network(m.Client), Country: m.Country, ASN: int(m.ASN),
		Host: strings.ToLower(m.ClientHost), Helo: m.Helo, Port: int(m.ServerPort), Protocol: m.Protocol, Auth: m.Auth, TLS: m.TLS != "",
		Subject: m.Subject, Size: int(m.Size), Hour: m.Time.Hour(), Weekday: weekdays[m.Time.Weekday()], Score: score,
	}
	if m.Opinions != nil {
		f.setOpinions(m.Opinions)
	}
}

func (f *Facts) setOpinions(o *osm.Opinions) {
	for _, l := range o.Listings {
		if !slices.Contains(f.DNSBL, l.List) {
			f.DNSBL = append(f.DNSBL, l.List)
		}
	}
	f.DNSBLWeight, f.SPF, f.OwnSPF, f.DKIM, f.DMARC, f.DMARCPolicy, f.Greylist = o.Weight, o.SPF, o.OwnSPF, o.DKIM, o.DMARC, o.DMARCPolicy, o.Greylist
	worst := o.Worst()
	f.ContentScore, f.ContentAction = worst.Points, worst.Advice
	f.Links, f.LinkCount, f.Attachments, f.Extensions, f.Encrypted = o.Links, o.LinkCount, o.Attachments, o.Extensions, o.Encrypted
	f.ChecksFailed = o.Failed
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
