// Package incident groups what is found about one sender into one incident with a life: it opens, grows, is stopped,
// closes when the sender has been quiet, and reopens when it starts again. It is a pure function of the messages and
// times it is given. It leaves to others how findings are made (detect, policy), keeping incidents (store) and telling
// people about them (action).
package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"osm"
)

// State is where an incident is in its life.
type State string

const (
	Open     State = "open"     // something was found
	Growing  State = "growing"  // ten times as much since it was opened
	Stopped  State = "stopped"  // the sender's mail is refused; never where osm only watches
	Closed   State = "closed"   // quiet for a while, or a person closed it
	Reopened State = "reopened" // it started again
)

// Incident is all that was found about one sender for one reason. Its texts are hostile.
type Incident struct {
	ID         string        `json:"id"`
	Key        osm.Key       `json:"key"`
	Rule       string        `json:"rule"` // the kind of attack, or the administrator's rule
	State      State         `json:"state"`
	Opened     time.Time     `json:"opened"`
	Updated    time.Time     `json:"updated"` // latest message
	Closed     time.Time     `json:"closed,omitzero"`
	Action     osm.Action    `json:"action"`  // the most severe one so far
	Passive    bool          `json:"passive"` // nothing was stopped: osm only watches
	Score      float64       `json:"score"`   // the highest
	Reason     string        `json:"reason"`  // of the latest verdict
	Detail     string        `json:"detail"`
	Findings   []osm.Finding `json:"findings"` // of the verdict with the highest score
	Messages   int64         `json:"messages"` // found
	Recipients int64         `json:"recipients"`
	Account    string        `json:"account,omitempty"`
	Login      string        `json:"login,omitempty"`
	Clients    []string      `json:"clients,omitempty"` // addresses it was sent from, the first few
	Samples    []Sample      `json:"samples"`
	Timeline   []Step        `json:"timeline"`
}

// Sample is one message of an incident.
type Sample struct {
	Time       time.Time  `json:"time"`
	ID         string     `json:"id"`
	Verdict    string     `json:"verdict"`
	Action     osm.Action `json:"action"`
	Sender     string     `json:"sender"`
	Recipients []string   `json:"recipients"` // the first few
	Count      int        `json:"count"`      // how many there are
	Subject    string     `json:"subject"`
	Client     string     `json:"client"`
}

// Step is one turn of an incident's life.
type Step struct {
	Time  time.Time `json:"time"`
	State State     `json:"state"`
	Text  string    `json:"text"`
}

// What one incident keeps at most.
const (
	maxSamples    = 10
	maxClients    = 20
	maxRecipients = 5
	maxSteps      = 50
	growth        = 10
)

// Live tells whether the incident is not over.
func (i *Incident) Live() bool { return i.State != Closed }

// Clone is a copy that does not change when the incident does.
func (i *Incident) Clone() Incident {
	c := *i
	c.Findings, c.Clients = slices.Clone(i.Findings), slices.Clone(i.Clients)
	c.Samples, c.Timeline = slices.Clone(i.Samples), slices.Clone(i.Timeline)
	return c
}

// note adds one message and tells whether the incident entered a new state.
func (i *Incident) note(m *osm.Message) bool {
	v := &m.Verdict
	i.Messages++
	i.Recipients += int64(max(len(m.Recipients), 1))
	if m.Time.After(i.Updated) {
		i.Updated = m.Time
	}
	if i.Passive = v.Passive; v.Rule == i.Rule || i.Messages == 1 {
		i.Reason, i.Detail = v.Reason, v.Detail
	}
	if v.Score >= i.Score && len(v.Findings) > 0 {
		i.Score, i.Findings = v.Score, v.Findings
	}
	i.Account, i.Login = cmp.Or(i.Account, m.Account), cmp.Or(i.Login, m.Login)
	i.sample(m)
	harder := v.Action.Severity() > i.Action.Severity()
	if harder {
		i.Action = v.Action
	}
	switch {
	case i.State == Closed:
		i.Closed = time.Time{}
		i.turn(m.Time, Reopened, "it started again: "+v.Detail)
	case harder && v.Action == osm.Reject && !v.Passive && i.State != Stopped:
		i.turn(m.Time, Stopped, v.Detail)
	case (i.State == Open || i.State == Reopened) && i.Messages >= growth:
		i.turn(m.Time, Growing, v.Detail)
	default:
		return false
	}
	return true
}

// sample keeps the first messages and always the latest.
func (i *Incident) sample(m *osm.Message) {
	client := ""
	if m.Client.IsValid() {
		client = m.Client.String()
		if len(i.Clients) < maxClients && !slices.Contains(i.Clients, client) {
			i.Clients = append(i.Clients, client)
		}
	}
	s := Sample{Time: m.Time, ID: strings.Clone(m.ID), Verdict: m.Verdict.ID, Action: m.Verdict.Action, Sender: strings.Clone(m.Sender),
		Count: len(m.Recipients), Subject: strings.Clone(short(m.Subject)), Client: client}
	for _, r := range m.Recipients[:min(len(m.Recipients), maxRecipients)] {
		s.Recipients = append(s.Recipients, strings.Clone(short(r)))
	}
	if len(i.Samples) < maxSamples {
		i.Samples = append(i.Samples, s)
	} else {
		i.Samples[maxSamples-1] = s
	}
}

// short keeps a hostile text from filling memory: RFC 5322 allows 998 characters in a line.
func short(s string) string { return s[:min(len(s), 998)] }

// turn enters a state. When the timeline is full, its middle gives way: beginning and end tell most.
func (i *Incident) turn(at time.Time, s State, text string) {
	i.State = s
	if len(i.Timeline) >= maxSteps {
		i.Timeline = slices.Delete(i.Timeline, maxSteps/2, maxSteps/2+1)
	}
	i.Timeline = append(i.Timeline, Step{at, s, text})
}

// States lists every state in the order of a life.
func States() []State { return []State{Open, Growing, Stopped, Closed, Reopened} }
