// Package detect tells spam from wanted mail by what is normal for each sender. It weighs every message and every answer
// of a receiver against the sender's own past, adds the evidence up, and says what should be done. It is a pure function of
// what it is given: it reads no clock, no file and no network. It leaves to others who a message belongs to (enrich),
// the administrator's lists and limits (policy), and carrying a decision out (action).
package detect

import (
	"net/netip"
	"time"

	"osm"
)

// Assessment is what the detector thinks of one message.
type Assessment struct {
	Action   osm.Action    // Accept, Hold (suspicious: slow down, sample and hold) or Reject (stop)
	Rule     string        // the kind of attack it looks like: stolen-login, hacked-script, ...; "" when accepted
	Reason   string        // the strongest fact, as in the table of weights
	Detail   string        // the strongest fact in words: "412 of 420 never mailed before"
	Key      osm.Key       // whom it is charged to
	Score    float64       // the sender's score with this message, in the unit of the thresholds
	Findings []osm.Finding // every fact that weighed, strongest first; only when the message is not accepted
}

// Detector holds what is known of every sender. It is not safe for concurrent use: one engine goroutine owns it.
type Detector struct {
	cfg Config
}

// New makes a detector without any history.
func New(cfg Config) *Detector { return &Detector{cfg: cfg} }

// Find weighs one message at its arrival. It counts the attempt whatever becomes of it; Learn follows with what was done.
func (d *Detector) Find(m *osm.Message) Assessment { return Assessment{} }

// Learn makes an accepted message part of its sender's past. A message that was not accepted teaches nothing.
func (d *Detector) Learn(m *osm.Message, accepted bool) {}

// Delivery weighs a receiver's answer to an accepted message.
func (d *Detector) Delivery(m *osm.Message, dl *osm.Delivery) {}

// AuthFailure notes a failed login. The login is what the client claimed to be and may be empty.
func (d *Detector) AuthFailure(t time.Time, login string, client netip.Addr) {}

// Baseline is what a sender usually does, for people.
type Baseline struct {
	Key       osm.Key
	Score     float64       // now, in the unit of the thresholds
	Stopped   bool          // it stays stopped until its score decays or a person releases it
	FirstSeen time.Time     // first message
	LastSeen  time.Time     // last message
	Lines     []osm.Finding // Fact, Value (recently), Normal (usually), Weight (in the score now)
}

// Explain tells a sender's baseline as of time now; ok is false when the sender is not known.
func (d *Detector) Explain(key osm.Key, now time.Time) (b Baseline, ok bool) { return Baseline{}, false }

// Release is a person's word that a sender's mail was wanted: its score is cleared, what it did of late becomes its
// habit, and the same oddities weigh less from now on. It tells whether the sender is known.
func (d *Detector) Release(key osm.Key, now time.Time) bool { return false }

// Dirty hands out every piece of state that changed since the last call, as a key and a blob that Restore understands.
// A nil blob means that the key is gone. The blob is only valid during the call of fn.
func (d *Detector) Dirty(fn func(key string, blob []byte)) {}

// Restore reads one piece of state that Dirty has handed out, of this or an older version. A damaged blob is an error
// and changes nothing; what it held is learned again.
func (d *Detector) Restore(key string, blob []byte) error { return nil }
