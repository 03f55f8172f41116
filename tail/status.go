package tail

import "time"

// State is how a log is doing.
type State uint8

const (
	Starting   State = iota // not yet looked at
	Following               // at the end of the live log, or near it
	CatchingUp              // in a rotated file, or far from the end
	Missing                 // the log, or its folder, does not exist
	Unreadable              // it can't be opened or read
	states
)

var stateNames = [states]string{"starting", "following", "catching-up", "missing", "unreadable"}

func (s State) String() string { return stateNames[s] }

// Bad tells whether somebody should look at it.
func (s State) Bad() bool { return s == Missing || s == Unreadable }

// Status is the state of one log, for people. Counters run from the start of the program.
type Status struct {
	Log    string // as in Options.Paths
	State  State
	Since  time.Time // when State began
	Error  string    // in words; "" when State is not bad
	File   string    // being read
	Offset int64     // in File
	Behind int64     // bytes of File and of plain files after it that are not yet read

	Bytes     int64    // handed out
	Cut       int64    // lines cut
	CutBytes  int64    // cut off
	Late      int64    // bytes that came into a rotated file after its successor was begun
	Rotations int64    // changes to a newer file
	Gaps      int64    // places where lines may be missing
	LostBytes int64    // known to be lost in them
	LastGap   string   // in words
	Skipped   []string // rotated files that can't be read, with the reason
}
