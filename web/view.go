package web

import (
	"net/netip"
	"time"

	"osm"
	"osm/store"
)

// Message is a message as the API and --json show it.
type Message struct {
	Time       time.Time `json:"time"`
	ID         string    `json:"id"`
	Class      osm.Class `json:"class"`
	Account    string    `json:"account,omitempty"`
	Login      string    `json:"login,omitempty"`
	User       string    `json:"user,omitempty"`
	Script     string    `json:"script,omitempty"`
	ScriptSure string    `json:"script_confidence,omitempty"`
	Client     string    `json:"client,omitempty"`
	ClientHost string    `json:"client_host,omitempty"`
	Helo       string    `json:"helo,omitempty"`
	Country    string    `json:"country,omitempty"`
	ASN        uint32    `json:"asn,omitempty"`
	Protocol   string    `json:"protocol,omitempty"`
	TLS        string    `json:"tls,omitempty"`
	Sender     string    `json:"sender"`
	Recipients []string  `json:"recipients"` // in lists only the first ones
	Count      int       `json:"recipient_count"`
	Subject    *string   `json:"subject,omitempty"` // absent when Exim does not log it
	Size       int64     `json:"size"`
	Parent     string    `json:"parent,omitempty"`

	Action  osm.Action `json:"action"`
	Rule    string     `json:"rule,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Detail  string     `json:"detail,omitempty"`
	Verdict string     `json:"verdict,omitempty"`
	Passive bool       `json:"passive,omitempty"` // it was only noticed, after Exim had accepted the message

	Delivered  int        `json:"delivered"`
	Deferred   int        `json:"deferred"`
	Failed     int        `json:"failed"`
	Suppressed int        `json:"suppressed,omitempty"`
	Completed  *time.Time `json:"completed,omitempty"`
	NoArrival  bool       `json:"no_arrival,omitempty"` // the log begins after it
}

// MessageOf puts a stored message into the words of the API.
func MessageOf(f *store.Found) Message {
	v := Message{Time: f.Time, ID: f.ID, Class: f.Class, Account: f.Account, Login: f.Login, User: f.User,
		Script: f.Script.Path, Client: Address(f.Client), ClientHost: f.ClientHost, Helo: f.Helo, Country: f.Country,
		ASN: f.ASN, Protocol: f.Protocol, TLS: f.TLS, Sender: f.Sender, Recipients: append([]string{}, f.Recipients...),
		Count: f.RecipientCount, Size: f.Size, Parent: f.Parent, Action: f.Verdict.Action, Rule: f.Verdict.Rule, Reason: f.Verdict.Reason,
		Detail: f.Verdict.Detail, Verdict: f.Verdict.ID, Passive: f.Verdict.Passive, Delivered: f.Delivered, Deferred: f.Deferred, Failed: f.Failed,
		Suppressed: f.Suppressed, NoArrival: f.NoArrival}
	if f.Script.Path != "" {
		v.ScriptSure = f.Script.Sure.String()
	}
	if f.HasSubject {
		v.Subject = &f.Subject
	}
	if !f.Completed.IsZero() {
		v.Completed = &f.Completed
	}
	return v
}

// Delivery is one attempt for one recipient as the API and --json show it.
type Delivery struct {
	Time      time.Time   `json:"time"`
	Outcome   osm.Outcome `json:"outcome"`
	Recipient string      `json:"recipient"`
	Original  string      `json:"original,omitempty"` // absent when equal
	Router    string      `json:"router,omitempty"`
	Transport string      `json:"transport,omitempty"`
	Host      string      `json:"host,omitempty"`
	IP        string      `json:"ip,omitempty"`
	Port      uint16      `json:"port,omitempty"`
	Remote    bool        `json:"remote"`
	Code      int         `json:"code,omitempty"`
	Enhanced  string      `json:"enhanced,omitempty"`
	Refusal   string      `json:"refusal,omitempty"`
	Text      string      `json:"text,omitempty"`
}

// DeliveryOf does so with an attempt.
func DeliveryOf(d *osm.Delivery) Delivery {
	v := Delivery{Time: d.Time, Outcome: d.Outcome, Recipient: d.Recipient, Router: d.Router, Transport: d.Transport,
		Host: d.Host, IP: Address(d.IP), Port: d.Port, Remote: d.Remote, Code: d.Code, Enhanced: d.Enhanced,
		Refusal: d.Refusal.String(), Text: d.Text}
	if d.Original != d.Recipient {
		v.Original = d.Original
	}
	return v
}

// Event is what else happened, as the API and --json show it.
type Event struct {
	Time      time.Time `json:"time"`
	Kind      string    `json:"kind"`
	ID        string    `json:"id,omitempty"`
	Client    string    `json:"client,omitempty"`
	Login     string    `json:"login,omitempty"`
	Sender    string    `json:"sender,omitempty"`
	Recipient string    `json:"recipient,omitempty"`
	Text      string    `json:"text,omitempty"`
}

// EventOf does so with an event.
func EventOf(e *store.Event) Event {
	return Event{Time: e.Time, Kind: e.Kind.String(), ID: e.ID, Client: Address(e.Client), Login: e.Login,
		Sender: e.Sender, Recipient: e.Recipient, Text: e.Text}
}

// Counts is a line of sums as the API and --json show it.
type Counts struct {
	Messages   int64            `json:"messages"`
	Recipients int64            `json:"recipients"`
	Bytes      int64            `json:"bytes"`
	Stopped    int64            `json:"stopped"`
	Delivered  int64            `json:"delivered"`
	Remote     int64            `json:"remote"` // of delivered
	Deferred   int64            `json:"deferred"`
	Failed     int64            `json:"failed"`
	Refusals   map[string]int64 `json:"refusals,omitempty"` // deferrals and failures by kind
}

// CountsOf does so with sums.
func CountsOf(c store.Counts) Counts {
	v := Counts{Messages: c.Messages, Recipients: c.Recipients, Bytes: c.Bytes, Stopped: c.Stopped,
		Delivered: c.Delivered, Remote: c.Remote, Deferred: c.Deferred, Failed: c.Failed, Refusals: make(map[string]int64)}
	for _, r := range osm.Refusals() {
		if n := c.Refusals[r]; n > 0 {
			v.Refusals[r.String()] = n
		}
	}
	return v
}

// Top is a line of a ranking.
type Top struct {
	Value string `json:"value"`
	Counts
}

// Hour is a point of a series.
type Hour struct {
	Start time.Time `json:"start"`
	Counts
}

// Report is a report as the API and --json show it.
type Report struct {
	Since   time.Time            `json:"since"`
	Until   time.Time            `json:"until"`
	Total   Counts               `json:"total"`
	Classes map[osm.Class]Counts `json:"classes"`
	Events  map[string]int64     `json:"events"`
	Top     map[string][]Top     `json:"top"`
	Hours   []Hour               `json:"hours"`
}

// ReportOf does so with a report.
func ReportOf(r *store.Report) Report {
	v := Report{Since: r.Since, Until: r.Until, Total: CountsOf(r.Total), Classes: make(map[osm.Class]Counts),
		Events: make(map[string]int64), Top: make(map[string][]Top), Hours: make([]Hour, len(r.Hours))}
	for class, c := range r.Classes {
		v.Classes[class] = CountsOf(c)
	}
	for kind, n := range r.Events {
		v.Events[kind.String()] = n
	}
	for kind, list := range r.Top {
		rows := make([]Top, len(list))
		for i, t := range list {
			rows[i] = Top{t.Value, CountsOf(t.Counts)}
		}
		v.Top[kind.String()] = rows
	}
	for i, h := range r.Hours {
		v.Hours[i] = Hour{h.Start, CountsOf(h.Counts)}
	}
	return v
}

// Address is a host's address in words, "" where there is none.
func Address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
