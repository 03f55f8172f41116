package web

import (
	"time"

	"osm"
	"osm/policy"
)

// OwnRule is a rule of the administrator's in force.
type OwnRule struct {
	policy.Rule
	Stats policy.RuleStats `json:"stats"`
	Where string           `json:"where,omitempty"` // file:line; "" where it is no longer in a file
	Page  bool             `json:"page"`            // it was made in the page, and can be changed there
}

// OwnRules are all of them, in the order in which they are asked.
type OwnRules struct {
	Rules   []OwnRule `json:"rules"`
	Trials  []Trial   `json:"trials"`            // that run or have ended since the start, the latest first, without senders
	Problem string    `json:"problem,omitempty"` // why the files do not say what is in force
}

// RuleChange is a change of the rules that the page keeps.
type RuleChange struct {
	Rules  []policy.Rule `json:"rules,omitempty" maxItems:"100" doc:"each takes the place of the one with its name, or is added"`
	Remove []string      `json:"remove,omitempty" maxItems:"100" doc:"names of rules that go"`
	Live   bool          `json:"live,omitempty" doc:"the rules act; otherwise they are in shadow and only report"`
	Reason string        `json:"reason,omitempty" maxLength:"1000"`
}

// RulesSaved tells what became of a change. Where the file can't be written TOML has what a person must put there.
type RulesSaved struct {
	Deeds   []policy.Deed `json:"deeds"`
	File    string        `json:"file"`
	TOML    string        `json:"toml"` // the whole file, as it is to be
	Saved   bool          `json:"saved"`
	Problem string        `json:"problem,omitempty"` // why it was not saved, and what to do
}

// What is done to rules, in the audit trail.
const (
	SaveRule   policy.What = "save-rule"
	RemoveRule policy.What = "remove-rule"
)

// TrialState is how far a trial is.
type TrialState string

const (
	TrialRuns      TrialState = "running"
	TrialDone      TrialState = "done"
	TrialCancelled TrialState = "cancelled"
	TrialFailed    TrialState = "failed"
)

// Trial is a change of the rules that is tried on the past: every message of the history is decided twice, as the rules in
// force would and as the changed ones would, and the difference is counted. What follows of its first days knows no past before
// them.
type Trial struct {
	ID       string       `json:"id"`
	By       string       `json:"by"`
	Change   RuleChange   `json:"change"`
	State    TrialState   `json:"state"`
	Problem  string       `json:"problem,omitempty"` // why it failed
	Started  time.Time    `json:"started"`
	Ended    time.Time    `json:"ended,omitzero"`
	Percent  float64      `json:"percent"`
	Left     osm.Duration `json:"left"`     // estimated
	Messages int64        `json:"messages"` // decided so far
	First    time.Time    `json:"first,omitzero"`
	Last     time.Time    `json:"last,omitzero"` // arrival of the latest of them
	Newly    TrialSide    `json:"newly"`         // stopped with the change, and not without it
	NoLonger TrialSide    `json:"no_longer"`     // stopped without the change, and not with it
	Others   int64        `json:"others"`        // stopped either way, but otherwise
	Bounded  bool         `json:"bounded"`       // there was too much to follow: what became of some messages is not counted
}

// OneRule tells whether it is about one rule and nothing else: that is what the page's form can show.
func (t *Trial) OneRule() bool { return len(t.Change.Rules) == 1 && len(t.Change.Remove) == 0 }

// TrialSide is one side of the difference.
type TrialSide struct {
	TrialCount
	Senders []TrialSender `json:"senders"` // with most messages first
	More    int           `json:"more"`    // senders that are not listed
}

// TrialCount counts messages by what became of them.
type TrialCount struct {
	Messages   int64 `json:"messages"`
	Recipients int64 `json:"recipients"`
	Delivered  int64 `json:"delivered"` // messages that every receiver who answered took
	Refused    int64 `json:"refused"`   // messages that a receiver refused for good
	Unknown    int64 `json:"unknown"`   // messages of which nothing was heard: held, refused by osm, or still on their way
	Familiar   int64 `json:"familiar"`  // messages to nobody but people the sender had written to before: they look wanted
}

// TrialSender is whom a part of them is charged to.
type TrialSender struct {
	TrialCount
	Key     osm.Key       `json:"key"`
	Rule    string        `json:"rule"` // that stops them, in the one case or in the other
	Action  osm.Action    `json:"action"`
	Detail  string        `json:"detail"` // of the first
	Samples []TrialSample `json:"samples"`
}

// TrialSample is one of the messages.
type TrialSample struct {
	Time       time.Time `json:"time"`
	ID         string    `json:"id"`
	Class      osm.Class `json:"class"`
	Sender     string    `json:"sender"`
	Recipient  string    `json:"recipient"` // the first
	Recipients int       `json:"recipients"`
	Subject    string    `json:"subject"`
	Outcome    string    `json:"outcome" enum:"delivered,refused,unknown"`
}
