package hold

import (
	"math"
	"time"

	"osm"
)

// Group is what is known of one sender that mail is held of.
type Group struct {
	Key       osm.Key   `json:"key"`
	Held      int       `json:"-"`         // messages that are held now, without those that are leaving
	Automatic int       `json:"automatic"` // releases by itself since a person looked last
	Score     float64   `json:"score"`     // the detection's, with the latest message that it held
	Last      time.Time `json:"last"`      // when that was
	Stopped   bool      `json:"stopped"`   // its mail was refused since: nothing is released by itself
	Told      time.Time `json:"told,omitzero"`
	Self      int       `json:"self"` // messages that the sender released itself on that day
	SelfDay   time.Time `json:"self_day,omitzero"`

	known int // its messages in the book
}

// MayTell tells whether the sender was not told about held mail for a day.
func (g *Group) MayTell(now time.Time) bool {
	return g.Told.IsZero() || now.Sub(g.Told) >= time.Duration(day)
}

// clearShare is how far a score must fall, beside what time alone does, to count as cleared.
const clearShare = 0.75

// Cleared tells whether a suspicion has turned out well: the sender's score is below the threshold, and a quarter lower
// than the mere fading of old evidence explains. So spam is not released by waiting.
func (g *Group) Cleared(score, suspect float64, halfLife time.Duration, now time.Time) bool {
	if g.Stopped || g.Score == 0 {
		return false
	}
	faded := g.Score * math.Exp2(-max(now.Sub(g.Last), 0).Hours()/halfLife.Hours())
	return score < suspect && score <= clearShare*faded
}
