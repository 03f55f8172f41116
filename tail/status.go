package tail

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// State is how a log is doing.
type State uint8

const (
	Starting   State = iota // nothing was read yet
	Following               // at the end of the live log
	CatchingUp              // there is more to read
	Missing                 // the log, or its folder, does not exist
	Unreadable              // it can't be opened or read
	states
)

var stateNames = [states]string{"starting", "following", "catching-up", "missing", "unreadable"}

func (s State) String() string { return stateNames[s] }

// MarshalText gives the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is not the state of a log", text)
	}
	*s = State(i)
	return nil
}

// Bad tells whether somebody should look at it.
func (s State) Bad() bool { return s == Missing || s == Unreadable }

// Status is the state of one log, for people. Counters run from the start of the program.
type Status struct {
	Log    string    `json:"log"` // as in Options.Paths
	State  State     `json:"state"`
	Since  time.Time `json:"since"`           // when State began
	Error  string    `json:"error,omitempty"` // in words; "" when State is not bad
	File   string    `json:"file"`            // read last
	Offset int64     `json:"offset"`          // in File
	Behind int64     `json:"behind"`          // bytes of File on the disk that were not yet read

	Bytes     int64    `json:"bytes"`              // handed out
	Cut       int64    `json:"cut"`                // lines cut
	CutBytes  int64    `json:"cut_bytes"`          // cut off
	Late      int64    `json:"late"`               // bytes that came into a rotated file after its successor was begun
	Rotations int64    `json:"rotations"`          // changes to a newer file
	Gaps      int64    `json:"gaps"`               // places where lines may be missing
	LostBytes int64    `json:"lost_bytes"`         // known to be lost in them
	LastGap   string   `json:"last_gap,omitempty"` // in words
	Skipped   []string `json:"skipped,omitempty"`  // rotated files that can't be read, with the reason
}

// statusBox is a Status that one goroutine changes and any reads.
type statusBox struct {
	mu sync.Mutex
	Status
}

// copy is the Status as it is now.
func (b *statusBox) copy() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.Status
	s.Skipped = slices.Clone(s.Skipped)
	return s
}

// enter changes the state and tells whether it was another.
func (b *statusBox) enter(s State, words string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := b.State != s || b.Error != words
	if b.State != s {
		b.State, b.Since = s, now
	}
	b.Error = words
	return changed
}

func (b *statusBox) fail(s State, words string, logger *slog.Logger, now time.Time) {
	if b.enter(s, words, now) {
		logger.Warn("log can't be followed", "log", b.Log, "state", s, "error", words)
	}
}

// recovered is called when the live log is open and read to its end.
func (b *statusBox) recovered(logger *slog.Logger, now time.Time) {
	if b.enter(Following, "", now) {
		logger.Info("log is followed", "log", b.Log)
	}
}

// opened ends a bad state; that the log is missing only when it was the log itself that could be opened.
func (b *statusBox) opened(live bool, now time.Time) {
	if state := b.copy().State; state == Unreadable || state == Missing && live {
		b.enter(CatchingUp, "", now)
	}
}

func (b *statusBox) handed(batch Batch, behind int64, now time.Time) {
	if state := b.copy().State; !state.Bad() && !batch.Late {
		state = CatchingUp
		if batch.AtEnd {
			state = Following
		}
		b.enter(state, "", now)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Bytes += int64(len(batch.Text))
	b.Cut += int64(batch.Cut)
	b.CutBytes += batch.CutBytes
	if batch.Late {
		b.Late += int64(len(batch.Text))
		return
	}
	b.File, b.Offset, b.Behind = batch.File, batch.Position.Offset, behind
	if g := batch.Gap; g != nil {
		b.Gaps++
		b.LostBytes += g.Bytes
		b.LastGap = g.Reason
	}
}

func (b *statusBox) rotated() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Rotations++
}

// maxSkipped bounds the list of files that can't be read.
const maxSkipped = 100

func (b *statusBox) skip(words string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.Skipped) < maxSkipped && !slices.Contains(b.Skipped, words) {
		b.Skipped = append(b.Skipped, words)
	}
}
