package main

import (
	"net/netip"
	"time"

	"osm"
	"osm/store"
)

// messageView is a message as --json shows it.
type messageView struct {
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

	Delivered  int        `json:"delivered"`
	Deferred   int        `json:"deferred"`
	Failed     int        `json:"failed"`
	Suppressed int        `json:"suppressed,omitempty"`
	Completed  *time.Time `json:"completed,omitempty"`
	NoArrival  bool       `json:"no_arrival,omitempty"` // the log begins after it
}

func viewMessage(f *store.Found) messageView {
	v := messageView{Time: f.Time, ID: f.ID, Class: f.Class, Account: f.Account, Login: f.Login, User: f.User,
		Script: f.Script.Path, Client: address(f.Client), ClientHost: f.ClientHost, Helo: f.Helo, Country: f.Country,
		ASN: f.ASN, Protocol: f.Protocol, TLS: f.TLS, Sender: f.Sender, Recipients: append([]string{}, f.Recipients...),
		Count: f.RecipientCount, Size: f.Size, Parent: f.Parent, Action: f.Verdict.Action, Rule: f.Verdict.Rule, Reason: f.Verdict.Reason,
		Detail: f.Verdict.Detail, Verdict: f.Verdict.ID, Delivered: f.Delivered, Deferred: f.Deferred, Failed: f.Failed,
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

// deliveryView is one attempt for one recipient as --json shows it.
type deliveryView struct {
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

func viewDelivery(d *osm.Delivery) deliveryView {
	v := deliveryView{Time: d.Time, Outcome: d.Outcome, Recipient: d.Recipient, Router: d.Router, Transport: d.Transport,
		Host: d.Host, IP: address(d.IP), Port: d.Port, Remote: d.Remote, Code: d.Code, Enhanced: d.Enhanced,
		Refusal: d.Refusal.String(), Text: d.Text}
	if d.Original != d.Recipient {
		v.Original = d.Original
	}
	return v
}

// eventView is what else happened, as --json shows it.
type eventView struct {
	Time      time.Time `json:"time"`
	Kind      string    `json:"kind"`
	ID        string    `json:"id,omitempty"`
	Client    string    `json:"client,omitempty"`
	Login     string    `json:"login,omitempty"`
	Sender    string    `json:"sender,omitempty"`
	Recipient string    `json:"recipient,omitempty"`
	Text      string    `json:"text,omitempty"`
}

func viewEvent(e *store.Event) eventView {
	return eventView{Time: e.Time, Kind: e.Kind.String(), ID: e.ID, Client: address(e.Client), Login: e.Login,
		Sender: e.Sender, Recipient: e.Recipient, Text: e.Text}
}

// countsView is a line of sums as --json shows it.
type countsView struct {
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

func viewCounts(c store.Counts) countsView {
	v := countsView{Messages: c.Messages, Recipients: c.Recipients, Bytes: c.Bytes, Stopped: c.Stopped,
		Delivered: c.Delivered, Remote: c.Remote, Deferred: c.Deferred, Failed: c.Failed, Refusals: make(map[string]int64)}
	for _, r := range osm.Refusals() {
		if n := c.Refusals[r]; n > 0 {
			v.Refusals[r.String()] = n
		}
	}
	return v
}

type topView struct {
	Value string `json:"value"`
	countsView
}

type hourView struct {
	Start time.Time `json:"start"`
	countsView
}

// reportView is a report as --json shows it.
type reportView struct {
	Since   time.Time                `json:"since"`
	Until   time.Time                `json:"until"`
	Total   countsView               `json:"total"`
	Classes map[osm.Class]countsView `json:"classes"`
	Events  map[string]int64         `json:"events"`
	Top     map[string][]topView     `json:"top"`
	Hours   []hourView               `json:"hours"`
}

func viewReport(r *store.Report) reportView {
	v := reportView{Since: r.Since, Until: r.Until, Total: viewCounts(r.Total), Classes: make(map[osm.Class]countsView),
		Events: make(map[string]int64), Top: make(map[string][]topView), Hours: make([]hourView, len(r.Hours))}
	for class, c := range r.Classes {
		v.Classes[class] = viewCounts(c)
	}
	for kind, n := range r.Events {
		v.Events[kind.String()] = n
	}
	for kind, list := range r.Top {
		rows := make([]topView, len(list))
		for i, t := range list {
			rows[i] = topView{t.Value, viewCounts(t.Counts)}
		}
		v.Top[kind.String()] = rows
	}
	for i, h := range r.Hours {
		v.Hours[i] = hourView{h.Start, viewCounts(h.Counts)}
	}
	return v
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
