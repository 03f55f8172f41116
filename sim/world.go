package sim

import (
	"fmt"
	"time"
)

// Family is one of two independent sets of ranges, names, networks, people and habits. Tune with one, report on the
// other.
type Family uint8

const (
	Build Family = iota // look at it as often as you like
	Held                // kept aside: only for reports
)

func (f Family) String() string { return [...]string{"build", "held"}[f] }

// Config says which world to draw. The zero value is a plain world of the Build family of a drawn size.
type Config struct {
	Seed     uint64
	Family   Family
	Hard     bool      // wanted-but-odd senders and the hard campaigns too
	Accounts int       // hosting accounts; 0 draws 20 to 400
	Days     int       // 0 draws 28 to 42
	Start    time.Time // first midnight; zero is Monday, 2 March 2026 UTC
	Learn    int       // days before the first campaign; 0 is 14
	Kinds    []string  // campaign kinds to have, each at least once; nil has all of the world's difficulty
	None     bool      // no campaign at all
	Volume   float64   // scales the size of campaigns and lists; 0 is 1
	Panel    bool      // a hosting panel tells whose a login is; otherwise only scripts have an account
	Geo      bool      // messages carry country and ASN, as with a .mmdb file
	Style    Style     // what the log tells: fields that it does not log are left empty in messages
	LongIDs  bool      // message ids of 23 characters, as from Exim 4.97 on
	Enron    string    // folder of the real histories; "" or missing uses the model fitted to them
}

// World is one drawn world. Its plan is made by New and does not change: Run may be called many times.
type World struct {
	Config    Config
	Senders   []Sender
	Campaigns []Campaign

	seed     uint64
	sends    []send
	failures []attempt
	hosted   map[string]bool   // domains of the server
	forwards map[string]string // local address to outside address
	outside  *source           // everybody who mails from outside
	mailer   *source           // Exim itself, for bounces
	answers  *answerTable
}

// local tells whether a domain's mail stays here.
func (w *World) local(domain string) bool { return w.hosted[domain] }

// Sender is one source of mail in the world, for reports.
type Sender struct {
	Name string // login, script folder or the like
	Kind string
}

// Campaign is one run of spam.
type Campaign struct {
	Kind       string
	Hard       bool
	Start, End time.Time
	Messages   int
	Recipients int
	Senders    []int  // numbers of the ordinary senders that it misuses
	Note       string // its drawn parameters, for people
}

// Style is a log selector's way to write: which fields the log has.
type Style uint8

const (
	Recommended Style = iota // osm's own selector: everything, with pid and milliseconds
	CPanel
	DirectAdmin
	Debian
	Hestia
)

var styleNames = [...]string{"recommended", "cpanel", "directadmin", "debian", "hestia"}

func (s Style) String() string { return styleNames[s] }

// ParseStyle is the inverse of Style.String.
func ParseStyle(name string) (Style, error) {
	for s, n := range styleNames {
		if n == name {
			return Style(s), nil
		}
	}
	return Recommended, fmt.Errorf("unknown style %q: want one of %v", name, styleNames)
}
