package web

import (
	"time"

	"osm"
	"osm/action"
	"osm/check"
	"osm/hold"
	"osm/incident"
	"osm/policy"
)

// What pages and API show. Each is made by a method of Server of the same name in lower case (overview, sender ...), which
// asks only for what the viewer in its context may see. All texts are hostile.

// Overview is the state of things at one moment.
type Overview struct {
	Time      time.Time           `json:"time"`
	Mode      policy.Mode         `json:"mode"`
	Minutes   []Minute            `json:"minutes"`   // the last hour, oldest first, without empty ones
	Day       []Hour              `json:"day"`       // the last 24 hours, oldest first
	Verdicts  []Message           `json:"verdicts"`  // the latest messages that something was found about, newest first
	Incidents []incident.Incident `json:"incidents"` // that are not over
	Held      int                 `json:"held"`      // messages
	Sources   []Source            `json:"sources"`   // for who may see the status

	total Counts // of Day
}

// Minute is what arrived in one minute, by class.
type Minute struct {
	Start   time.Time           `json:"start"`
	Classes map[osm.Class]int64 `json:"classes"`
	Stopped int64               `json:"stopped"` // of them all
}

// Source is something that osm depends on, and how it is.
type Source struct {
	Name    string    `json:"name"` // log, history, queue, alerts, other
	About   string    `json:"about"`
	State   string    `json:"state" enum:"ok,notice,problem"`
	Text    string    `json:"text"`
	Since   time.Time `json:"since,omitzero"`
	Behind  int64     `json:"behind"` // bytes of a log that are not read yet
	Advised string    `json:"do,omitempty"`
}

// IncidentPage is one incident with what belongs to it.
type IncidentPage struct {
	incident.Incident
	Deeds []policy.Deed `json:"deeds"` // what was done about its sender, the latest first; for who may see the audit trail
	Held  int           `json:"held"`  // messages that are held of its sender
	Hours []Hour        `json:"hours"` // its sender's mail from a day before it was opened
	Lines []string      `json:"lines"` // raw lines of the log behind its first samples
	Entry *policy.Entry `json:"entry,omitempty"`
}

// SenderQuery says which ranking is wanted.
type SenderQuery struct {
	Kind         osm.KeyKind // account, login, script, client, sender-domain or subject
	Since, Until time.Time
	Order        string // messages (the default), recipients or failed
	Limit        int    // 0: 50
}

// SenderList ranks those who sent.
type SenderList struct {
	Kind  osm.KeyKind `json:"kind"`
	Since time.Time   `json:"since"`
	Until time.Time   `json:"until"`
	Total Counts      `json:"total"`
	Rows  []Top       `json:"rows"`
}

// Sender is all about one of them.
type Sender struct {
	Key         osm.Key             `json:"key"`
	Accounts    []string            `json:"accounts"` // whose mail it is, as far as the messages told
	Since       time.Time           `json:"since"`    // of what follows
	Until       time.Time           `json:"until"`
	Total       Counts              `json:"total"`
	Hours       []Hour              `json:"hours"`
	Complete    bool                `json:"complete"` // what follows is about all of its messages, not only about the newest
	Clients     []Client            `json:"clients"`
	Domains     []DomainCount       `json:"domains"` // of recipients
	Answers     []Answer            `json:"answers"` // of receivers that did not take its mail
	Latest      []Message           `json:"latest"`
	Verdicts    []Message           `json:"verdicts"`
	Baseline    *Baseline           `json:"baseline,omitempty"` // nil when the detection knows nothing of it
	Incidents   []incident.Incident `json:"incidents"`
	Held        int                 `json:"held"`
	Samples     []hold.Sample       `json:"samples"`
	Entry       *policy.Entry       `json:"entry,omitempty"` // where it is on a list, for who may see the lists
	Suspensions []action.Suspension `json:"suspensions"`
	Limits      []Rule              `json:"limits"` // rules that count it, for who may see the rules
}

// Client is a host that mail came from.
type Client struct {
	Address  string    `json:"address"`
	Host     string    `json:"host,omitempty"`
	Country  string    `json:"country,omitempty"`
	ASN      uint32    `json:"asn,omitempty"`
	Messages int64     `json:"messages"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// DomainCount is where mail went.
type DomainCount struct {
	Domain    string `json:"domain"`
	Delivered int64  `json:"delivered"`
	Deferred  int64  `json:"deferred"`
	Failed    int64  `json:"failed"`
}

// Answer is a kind of refusal at one receiver.
type Answer struct {
	Refusal  string    `json:"refusal"` // kind, as osm.Refusal has it
	Domain   string    `json:"domain"`  // of the recipients
	Host     string    `json:"host,omitempty"`
	Count    int64     `json:"count"`
	Code     int       `json:"code,omitempty"`
	Enhanced string    `json:"enhanced,omitempty"`
	Text     string    `json:"text,omitempty"` // the latest one's words
	ID       string    `json:"id,omitempty"`   // of that message
	Last     time.Time `json:"last"`
}

// MessagePage is a part of a list of messages, the newest first.
type MessagePage struct {
	Messages []Message `json:"messages"`
	Next     string    `json:"next,omitempty"` // for the after of the next page; "" when this is all. A page can end before it is full, when much was looked through
}

// Trace is one message with all that is known of it.
type Trace struct {
	Message
	Decision   *Verdict   `json:"decision,omitempty"` // nil where nothing was found
	Deliveries []Delivery `json:"deliveries"`
	Events     []Event    `json:"events"`
	Lines      []string   `json:"lines"` // raw, in the order of the log
}

// Verdict is a decision and everything that it rests on.
type Verdict struct {
	ID       string        `json:"id"`
	Action   osm.Action    `json:"action"`
	Rule     string        `json:"rule"`
	Reason   string        `json:"reason"`
	Detail   string        `json:"detail"`
	Key      osm.Key       `json:"key"`
	Score    float64       `json:"score"`
	Shadow   bool          `json:"shadow"`  // of a rule on trial: nothing was done
	Passive  bool          `json:"passive"` // nobody had asked: nothing was done
	Findings []osm.Finding `json:"findings"`
	Message  *Message      `json:"message,omitempty"`
	Undo     []string      `json:"undo"` // commands that take it back
}

// DeliveryReport is how receivers take our mail.
type DeliveryReport struct {
	Since    time.Time      `json:"since"`
	Until    time.Time      `json:"until"`
	Total    Counts         `json:"total"`
	Hours    []Hour         `json:"hours"`
	Answers  []Answer       `json:"answers"`  // refusals by receiver and kind, the most frequent first
	Listings []check.Listed `json:"listings"` // our addresses on block lists, the live ones first
	Watched  []string       `json:"watched"`  // our addresses that are looked up; none: block lists are not asked
	Checked  time.Time      `json:"checked,omitzero"`
}

// Audit is who changed what.
type Audit struct {
	Deeds []policy.Deed `json:"deeds"` // the latest first
	More  int           `json:"more"`  // that are not listed
}
