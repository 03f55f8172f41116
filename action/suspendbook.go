package action

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/window"
)

// SuspensionState is where a suspension is in its life.
type SuspensionState string

const (
	Starting SuspensionState = "starting" // is to be carried out
	Active   SuspensionState = "active"
	Ending   SuspensionState = "ending" // is to be taken back
	Ended    SuspensionState = "ended"
	Failed   SuspensionState = "failed" // could not be carried out: nothing is suspended
)

// Suspension is one sender that was stopped by a panel or a command.
type Suspension struct {
	ID      string          `json:"id"`
	Subject Subject         `json:"subject"`
	Means   Means           `json:"means"`
	Plan    Plan            `json:"plan"`
	Since   time.Time       `json:"since"`
	Until   time.Time       `json:"until,omitzero"` // zero: until somebody ends it
	By      string          `json:"by"`
	Reason  string          `json:"reason"`
	Deed    string          `json:"deed"` // id in the audit trail
	State   SuspensionState `json:"state"`
	Changed time.Time       `json:"changed"`
	Tries   int             `json:"tries"`
	Next    time.Time       `json:"next,omitzero"` // not before
	Error   string          `json:"error,omitempty"`
	Output  string          `json:"output,omitempty"`

	working bool
}

// Live tells whether the sender is suspended, or about to be or not to be.
func (s *Suspension) Live() bool {
	return s.State == Starting || s.State == Active || s.State == Ending
}

// Suspensions holds them all. One goroutine at a time may use it.
type Suspensions struct {
	byID  map[string]*Suspension
	dirty map[string]bool
}

const (
	mostSuspensions = 10_000
	keepSuspensions = 30 * 24 * time.Hour // after their end
	startTries      = 3                   // then it has failed
	endRetry        = time.Hour           // the longest pause: taking back is tried for good
)

// NewSuspensions makes an empty one.
func NewSuspensions() *Suspensions {
	return &Suspensions{byID: map[string]*Suspension{}, dirty: map[string]bool{}}
}

// Start enters a suspension. One of the same sender by the same means that is live already is an error.
func (b *Suspensions) Start(s Suspension, now time.Time) (Suspension, error) {
	if old := b.find(s.Subject.Key, s.Means); old != nil {
		return *old, fmt.Errorf("%s is suspended already (%s, since %s)", s.Subject.Key, old.ID,
			old.Since.Format(time.RFC3339))
	}
	if len(b.byID) >= mostSuspensions {
		return s, fmt.Errorf("suspend %s: there are %d suspensions already", s.Subject.Key, mostSuspensions)
	}
	s.ID = "S" + osm.ShortID(window.Pair(window.Hash(uint64(now.UnixNano()), s.Subject.Key.String()), window.Hash(3,
		string(s.Means))))
	s.Since, s.State, s.Changed = now, Starting, now
	b.byID[s.ID] = &s
	b.dirty[s.ID] = true
	return s, nil
}

func (b *Suspensions) find(key osm.Key, m Means) *Suspension {
	for _, s := range b.byID {
		if s.Live() && s.Subject.Key == key && s.Means == m {
			return s
		}
	}
	return nil
}

// Suspended tells whether a sender is suspended by a means.
func (b *Suspensions) Suspended(key osm.Key, m Means) bool { return b.find(key, m) != nil }

// End says that the suspensions that match are to be taken back, and gives them as they are now.
func (b *Suspensions) End(match func(*Suspension) bool, now time.Time) (ended []Suspension) {
	for _, s := range b.byID {
		if s.State != Starting && s.State != Active || !match(s) {
			continue
		}
		to := Ending
		if s.State == Starting && !s.working && s.Tries == 0 {
			to = Ended // it has not begun
		}
		b.turn(s, to, now)
		ended = append(ended, *s)
	}
	return ended
}

func (b *Suspensions) turn(s *Suspension, to SuspensionState, now time.Time) {
	s.State, s.Changed, s.Tries, s.Next = to, now, 0, time.Time{}
	b.dirty[s.ID] = true
}

// Tick ends those whose time is over and forgets those that ended long ago. It returns the former.
func (b *Suspensions) Tick(now time.Time) []Suspension {
	for id, s := range b.byID {
		if !s.Live() && now.Sub(s.Changed) > keepSuspensions {
			delete(b.byID, id)
			b.dirty[id] = true
		}
	}
	return b.End(func(s *Suspension) bool { return !s.Until.IsZero() && !now.Before(s.Until) }, now)
}

// Take hands out a suspension that is to be carried out (Starting) or taken back (Ending) now. Done must follow.
func (b *Suspensions) Take(now time.Time) (s Suspension, ok bool) {
	for _, s := range b.byID {
		if (s.State == Starting || s.State == Ending) && !s.working && !now.Before(s.Next) {
			s.working = true
			return *s, true
		}
	}
	return s, false
}

// Done tells how it went. did is the state that was worked on: it may have been ended meanwhile.
func (b *Suspensions) Done(id string, did SuspensionState, output string, err error, now time.Time) (s Suspension) {
	at := b.byID[id]
	if at == nil {
		return s
	}
	at.working = false
	b.dirty[id] = true
	at.Output, at.Error = output, ""
	if err != nil {
		at.Error = clip(err.Error(), 500)
	}
	switch {
	case at.State != did: // ended while it was being started: if that failed there is nothing to take back
		if err != nil {
			b.turn(at, Ended, now)
		}
	case err == nil && did == Starting:
		b.turn(at, Active, now)
	case err == nil:
		b.turn(at, Ended, now)
	default:
		at.Tries++
		at.Next = now.Add(min(time.Minute<<min(at.Tries-1, 10), endRetry))
		if did == Starting && at.Tries >= startTries {
			b.turn(at, Failed, now)
		}
	}
	return *at
}

// All lists the suspensions, the latest first.
func (b *Suspensions) All() []Suspension {
	all := make([]Suspension, 0, len(b.byID))
	for _, s := range b.byID {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(x, y Suspension) int {
		if c := y.Since.Compare(x.Since); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return all
}

// Changed tells whether Dirty has something to hand out.
func (b *Suspensions) Changed() bool { return len(b.dirty) > 0 }

// Dirty hands out every suspension that changed since the last call as JSON, nil when it is forgotten.
func (b *Suspensions) Dirty(fn func(id string, blob []byte)) error {
	for id := range b.dirty {
		var blob []byte
		if s, ok := b.byID[id]; ok {
			var err error
			if blob, err = json.Marshal(s); err != nil {
				return fmt.Errorf("write suspension %s: %w", id, err)
			}
		}
		fn(id, blob)
	}
	clear(b.dirty)
	return nil
}

// Restore reads what Dirty has handed out. What was being done when the program ended is done again.
func (b *Suspensions) Restore(id string, blob []byte) error {
	var s Suspension
	if err := json.Unmarshal(blob, &s); err != nil {
		return fmt.Errorf("read a suspension: %w", err)
	}
	if s.ID == "" || s.ID != id {
		return fmt.Errorf("read a suspension: %q is not what its key says", s.ID)
	}
	b.byID[s.ID] = &s
	return nil
}
