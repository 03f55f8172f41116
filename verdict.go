package osm

// Finding is one piece of evidence: a fact, what it was, what would have been normal, and how much it weighs.
type Finding struct {
	Fact   string  `json:"fact"`   // name of the fact, as documented: new-recipients, rate, refusals, ...
	Value  string  `json:"value"`  // what was seen, for people: "412 of 420"
	Normal string  `json:"normal"` // what this sender usually does, for people: "2 of 30"
	Weight float64 `json:"weight"` // what it adds to the score; negative speaks for the sender
}

// RuleBlockList is the Rule of what is refused because a person, or an action, has put its sender on the block list.
const RuleBlockList = "block-list"

// Verdict is a decision with its reason. The zero value accepts.
type Verdict struct {
	Action   Action
	Rule     string // which rule or detector decided: stolen-login, limit-login, block-list
	Reason   string // the strongest fact: new-recipients
	Detail   string // in words: "412 of 420 never mailed before"
	ID       string // id that a person can quote and look up; "" for an acceptance without reason
	Key      Key    // whom it is charged to
	Score    float64
	Findings []Finding
	Shadow   bool // a rule on trial decided: it is only reported
	Passive  bool // nobody asked: it was found in the log, after Exim had accepted the message
}

// Stops tells whether the message does not go its way, or should not have where the verdict is passive.
func (v *Verdict) Stops() bool { return v.Action != Accept && !v.Shadow }
