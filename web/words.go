package web

import (
	"errors"
	"time"

	"osm"
	"osm/access"
	"osm/action"
	"osm/check"
	"osm/detect"
	"osm/hold"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/track"
)

// ErrNotFound says that what was asked for is not there, or not for who asks: which of them is not told.
var ErrNotFound = errors.New("there is no such thing")

// Status is what the daemon tells about itself.
type Status struct {
	Mode      policy.Mode   `json:"mode"`
	Logs      []tail.Status `json:"logs"`
	Store     store.Health  `json:"store"`
	Track     track.Stats   `json:"track"`
	Rules     policy.Stats  `json:"rules"`
	Lists     int           `json:"lists"`     // entries
	Incidents int           `json:"incidents"` // live ones
	Held      int           `json:"held"`      // messages
	Rights    string        `json:"rights"`    // what keeps the daemon from changing Exim's queue; "" is nothing
	Letters   int           `json:"letters"`   // alerts that have not arrived yet
	Notices   []string      `json:"notices"`   // what is missing or damaged beside the log
	Checks    *Opinions     `json:"checks,omitempty"`
}

// Opinions is what is known of the checks; there are none when no check is enabled.
type Opinions struct {
	check.Stats
	Listings []check.Listed `json:"listings"` // of this server's own addresses: the live ones first
}

// Order asks for a change of the lists, or for forgiveness.
type Order struct {
	What   policy.What  `json:"what" doc:"block, allow, unlist or forgive"`
	Key    osm.Key      `json:"key"`
	For    osm.Duration `json:"for,omitzero" doc:"as in 24h or 30d; 0: for good"`
	Reason string       `json:"reason,omitempty" maxLength:"1000"`
}

// What is done besides the lists, in the audit trail.
const (
	Release   policy.What = "release"
	Delete    policy.What = "delete"
	Suspend   policy.What = "suspend"
	Resume    policy.What = "resume"
	Close     policy.What = "close-incident"
	SendAgain policy.What = "send-again"
	Reread    policy.What = "reload"
)

// HeldQuery says what of the held mail is wanted.
type HeldQuery struct {
	By      string       // how it is grouped: key (the default), sender, reason or age
	State   hold.State   // the zero value is what is held
	Key     osm.Key      // only what is charged to it; the zero value is everything
	List    int          // how many single messages are listed
	Samples int          // how many samples are read of each group
	Count   bool         // nothing is wanted but how many messages are held
	Scope   access.Scope // whose mail
}

// Held is what is held, in groups.
type Held struct {
	Held   int         `json:"held"`   // messages
	Others int         `json:"others"` // that are leaving or have left, of the last day
	Lost   uint64      `json:"lost"`   // times that the book was full
	By     string      `json:"by"`
	Groups []HeldGroup `json:"groups"` // the largest first
	More   int         `json:"more"`   // groups that are not listed
	List   []HeldOne   `json:"list"`   // single messages, where they were asked for
}

// HeldGroup is held mail that has something in common.
type HeldGroup struct {
	Name       string        `json:"name"`
	Messages   int           `json:"messages"`
	Recipients int           `json:"recipients"`
	Bytes      int64         `json:"bytes"`
	Oldest     time.Time     `json:"oldest"`
	Newest     time.Time     `json:"newest"`
	Automatic  int           `json:"automatic"` // releases by itself, of groups by key
	Samples    []hold.Sample `json:"samples"`
}

// HeldOne is one message; Sample is nil where it was not asked for, or is no longer there.
type HeldOne struct {
	hold.Message
	Sample    *hold.Sample `json:"sample,omitempty"`
	Automatic int          `json:"automatic"`       // releases of its sender's mail by itself since a person looked
	Token     string       `json:"token,omitempty"` // with which its sender can release it
}

// HeldOrder asks for the release or the deletion of held messages: those of IDs, or all that one of the others names.
type HeldOrder struct {
	What    policy.What  `json:"what,omitempty" doc:"release or delete: the address says it"`
	IDs     []string     `json:"ids,omitempty" maxItems:"10000"`
	Verdict string       `json:"verdict,omitempty" doc:"of a message, or an incident: all that is held in it"`
	Key     osm.Key      `json:"key,omitzero"`
	All     bool         `json:"all,omitempty"`
	Token   string       `json:"token,omitempty" doc:"the sender's own word for one message"`
	Once    bool         `json:"once,omitempty" doc:"and forgive whom they are charged to"`
	Allow   bool         `json:"allow,omitempty" doc:"and put them on the allow list"`
	For     osm.Duration `json:"for,omitzero" doc:"for so long; 0: for good"`
	Now     bool         `json:"now,omitempty" doc:"delete at once: it can't be taken back"`
	DryRun  bool         `json:"dry_run,omitempty" doc:"only tell what would be done"`
	Reason  string       `json:"reason,omitempty" maxLength:"1000"`

	Scope access.Scope `json:"-"` // whose mail
	Self  bool         `json:"-"` // its owner asks: no more than a sender may release in a day
}

// HeldAnswer tells what was ordered, and how far it has been carried out.
type HeldAnswer struct {
	What       policy.What   `json:"what"`
	Messages   int           `json:"messages"`
	Recipients int           `json:"recipients"`
	Keys       []osm.Key     `json:"keys"` // whom they are charged to, some of them
	IDs        []string      `json:"ids"`  // some of them
	Deed       string        `json:"deed"` // "" in a dry run, or when there was nothing to do
	Due        time.Time     `json:"due,omitzero"`
	Done       int           `json:"done"`   // carried out by the time of the answer, of IDs
	Failed     []string      `json:"failed"` // why some were not, of IDs
	DryRun     bool          `json:"dry_run"`
	More       []policy.Deed `json:"more"` // changes of the lists that came with it
}

// SuspendOrder asks to suspend a sender, or (Resume) to end that.
type SuspendOrder struct {
	What   policy.What    `json:"what" doc:"suspend or resume"`
	Key    osm.Key        `json:"key"`
	For    osm.Duration   `json:"for,omitzero" doc:"0: until it is ended"`
	With   []action.Means `json:"with,omitempty"`
	Reason string         `json:"reason,omitempty" maxLength:"1000"`
	DryRun bool           `json:"dry_run,omitempty"`
}

// SuspendMark begins the reasons of list entries that are suspensions.
const SuspendMark = "suspended"

// SuspendAnswer tells what was done, or would be: programs run after the answer, and the audit trail and osm
// suspended tell how that went.
type SuspendAnswer struct {
	Steps  []string      `json:"steps"`
	Deeds  []policy.Deed `json:"deeds"`
	DryRun bool          `json:"dry_run"`
}

// Reloaded tells what a reload did.
type Reloaded struct {
	Files   []string `json:"files"`   // that were read
	Changed []string `json:"changed"` // settings, such as hold.keep, that are in force now
	Restart []string `json:"restart"` // settings whose changes need a restart
}

// Rule is one rule in force, the administrator's own or one that is built in.
type Rule struct {
	Name    string       `json:"name"`
	When    string       `json:"when,omitempty"`
	Classes []osm.Class  `json:"classes,omitempty"`
	Key     osm.KeyKind  `json:"key,omitempty"`
	Count   string       `json:"count,omitempty"`
	Window  osm.Duration `json:"window,omitzero"`
	Limit   int64        `json:"limit,omitempty"`
	Action  osm.Action   `json:"action"`
	Shadow  bool         `json:"shadow"`
	Built   bool         `json:"built"` // it is the detection's, not the configuration's
	Text    string       `json:"text,omitempty"`
	Hits    int64        `json:"hits"`    // messages in the time asked about
	Stopped int64        `json:"stopped"` // of them, those that it stopped
}

// Setting is one setting of the configuration, and where it comes from.
type Setting struct {
	Key     string `json:"key"`
	Header  string `json:"header,omitempty"` // of a table, which has no value
	Type    string `json:"type"`
	Doc     string `json:"doc"`
	Default string `json:"default,omitempty"`
	Value   string `json:"value,omitempty"` // in force; a password is not shown
	Where   string `json:"where,omitempty"` // file:line where it is set; "" for a default
}

// How bad a finding of osm doctor is.
const (
	Good    = "ok"
	Notice  = "notice"  // could be better, or worth knowing
	Problem = "problem" // osm can't do its work
)

// Finding is one thing that osm doctor looked at.
type Finding struct {
	About string   `json:"about"`
	State string   `json:"state" enum:"ok,notice,problem"`
	Text  string   `json:"text"`
	Do    string   `json:"do,omitempty"`    // what to do about it
	Lines []string `json:"lines,omitempty"` // samples
}

// Baseline is what a sender usually does.
type Baseline struct {
	Score     float64       `json:"score"`
	Suspect   float64       `json:"suspect"` // the score from which its mail is held
	Stop      float64       `json:"stop"`    // and from which it is refused
	Stopped   bool          `json:"stopped"`
	FirstSeen time.Time     `json:"first_seen"`
	LastSeen  time.Time     `json:"last_seen"`
	Messages  int           `json:"messages"`
	Habits    []osm.Finding `json:"habits"`   // what is usual
	Evidence  []osm.Finding `json:"evidence"` // what weighs now, the strongest first
}

// BaselineOf puts what the detection knows into the words of the API.
func BaselineOf(b detect.Baseline, cfg detect.Config) *Baseline {
	return &Baseline{Score: b.Score, Suspect: cfg.Suspect, Stop: cfg.Stop, Stopped: b.Stopped, FirstSeen: b.FirstSeen,
		LastSeen: b.LastSeen, Messages: b.Messages, Habits: append([]osm.Finding{}, b.Habits...),
		Evidence: append([]osm.Finding{}, b.Evidence...)}
}
