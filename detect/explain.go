package detect

import (
	"fmt"
	"slices"
	"time"

	"osm"
	"osm/window"
)

// assess says what was found, in words. It is only called when a threshold is crossed.
func (d *Detector) assess(l *look, action osm.Action, score float32) Assessment {
	a := Assessment{Action: action, Key: l.s.key, Score: float64(score), Findings: d.findings(l)}
	if len(a.Findings) > 0 {
		a.Reason, a.Detail = a.Findings[0].Fact, a.Findings[0].Value
	}
	a.Rule = rule(l)
	if s := d.accounts[l.account]; s != nil {
		s.stop, s.by = window.Decayed{Sum: 1, At: l.now}, l.s.hash
	}
	return a
}

func rule(l *look) string {
	w := &l.weights
	switch {
	case w[herdSubject]+w[herdNetwork] >= 3:
		return "herd"
	case l.m.Class == osm.Local || l.m.Class == osm.System:
		return "hacked-script"
	case l.m.Class == osm.Localhost:
		return "localhost-sender"
	case l.m.Class == osm.Relay:
		return "relay-sender"
	case l.m.Class == osm.List:
		return "list-sender"
	case w[newAccount] >= 1.5:
		return "new-account"
	case w[foreignSender]+w[manySenders] >= 4:
		return "spoofed-sender"
	}
	return "stolen-login"
}

func (d *Detector) findings(l *look) []osm.Finding {
	var all []osm.Finding
	for f, w := range l.weights {
		if w < 0.05 {
			continue
		}
		if weights[f].group == credit {
			w = -w
		}
		value, normal := d.words(l, fact(f))
		all = append(all, osm.Finding{Fact: weights[f].name, Value: value, Normal: normal, Weight: float64(w)})
	}
	slices.SortStableFunc(all, func(a, b osm.Finding) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return 0
	})
	return all
}

// words tells one fact for people: what was seen, and what is normal for this sender.
func (d *Detector) words(l *look, f fact) (value, normal string) {
	s, e := l.s, l.slot
	percent := func(p share) string { return fmt.Sprintf("%.0f %%", 100*p.of(0, 0.01)) }
	switch f {
	case newRecipients:
		return fmt.Sprintf("%.0f of %.0f never mailed before", e.fresh, e.recipients), percent(s.newRecipient)
	}
	return weights[f].name, ""
}

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
func (d *Detector) Explain(key osm.Key, now time.Time) (b Baseline, ok bool) {
	return Baseline{}, false
}

// Release is a person's word that a sender's mail was wanted: its score is cleared, what it did of late becomes its
// habit, and the same oddities weigh less from now on. It tells whether the sender is known.
func (d *Detector) Release(key osm.Key, now time.Time) bool { return false }

// Dirty hands out every piece of state that changed since the last call, as a key and a blob that Restore understands.
// A nil blob means that the key is gone. The blob is only valid during the call of fn.
func (d *Detector) Dirty(fn func(key string, blob []byte)) {}

// Restore reads one piece of state that Dirty has handed out, of this or an older version. A damaged blob is an error
// and changes nothing; what it held is learned again.
func (d *Detector) Restore(key string, blob []byte) error { return nil }
