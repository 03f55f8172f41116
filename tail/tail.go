// Package tail reads log files: it follows the live ones through rotation (Follow) and reads finished ones as fast as
// the disk gives them (Read). It knows no log's grammar, keeps nothing, and starts no goroutine while it follows: the
// caller pulls, so the log file itself is the queue. Parsing belongs to exim, saving positions to store.
//
// # Positions
//
// A Batch carries the osm.Position after its text. Whoever saves it in one transaction with what the text told loses
// nothing and doubles nothing: killed at any moment, a Follower that starts from the saved position goes on with the
// next line. One position per log says everything, because rotated files are read strictly in order: all older files
// are done, all newer ones untouched.
//
//   - Offset counts bytes up to the end of a whole line: a torn last line is not in it. Offset is past the last byte
//     when a file has ended without a newline and is surely done, and when a copy of it turned out shorter.
//   - The file is found again by device and inode if its first Hashed bytes still have the Fingerprint (renamed, or not
//     rotated at all), else by the fingerprint alone, of the decompressed start (compressed, or copied by
//     copytruncate). Of mainlog.1 and mainlog.1.gz, mainlog.1 is taken: the other is being written. A rotated file
//     whose start is that of the live log is a copy in the making and is passed over.
//   - The position stays at the end of a finished file until the next one has given its first whole line, so Offset
//     and Hashed are 0 only before anything was read: then Modified alone counts, and what was written to after it is
//     read.
//   - When the file is nowhere (rotated away, deleted, compressed with xz), reading goes on with all files written
//     to after Modified, and the batch bears a Gap. When it is the log itself, but shorter or with no line's end at
//     Offset (a person has edited it), reading goes on at its end, and the batch bears a Gap.
//
// # Gaps
//
// Copytruncate loses what is written between the end of its copy and its truncation. The rotated files of such a log
// are younger than the log itself, which rename leaves the youngest: at each change of file where that is so the batch
// bears a Gap, with the number of bytes that are known to be lost, 0 when only the possibility is known.
// After a rename nothing is lost, unless somebody still writes to a file that is already compressed, while osm is down
// (which is what logrotate's delaycompress is for).
package tail

import (
	"log/slog"
	"time"

	"osm"
)

// Config are the settings of following.
type Config struct {
	Poll    osm.Duration `toml:"poll" doc:"How often the logs are looked at."`
	MaxLine osm.Size     `toml:"max_line" doc:"Longer lines are cut to this length and counted."`
	OldDirs []string     `toml:"old_dirs" doc:"Further folders where rotated files are (logrotate's olddir)."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{Poll: osm.Duration(100 * time.Millisecond), MaxLine: 1 << 20}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if c.Poll < osm.Duration(time.Millisecond) || c.Poll > osm.Duration(time.Minute) {
		report("poll", "must be between 1ms and 1m")
	}
	if c.MaxLine < 4<<10 || c.MaxLine > 64<<20 {
		report("max_line", "must be between 4KB and 64MB")
	}
}

// Start says where a log without a position begins.
type Start uint8

const (
	StartLog    Start = iota // at the beginning of the log, leaving its rotated files alone
	StartEnd                 // at its end: only what is written from now on
	StartOldest              // at the beginning of its oldest rotated file
)

// Options are what Follow needs. Only Paths is required.
type Options struct {
	Paths     []string       // the live logs; they need not exist yet
	Positions []osm.Position // as saved; those of other logs are passed over
	Start     Start          // for logs without a position
	Config    Config         // zero fields mean DefaultConfig
	// Idle is how long Next waits before it returns an empty Batch, so that the engine can tick; 0 means a second.
	Idle time.Duration
	// Linger is how long a renamed log must be quiet before its successor is begun: writers that opened it before the
	// rename may still write. 0 means 500 ms. A torn last line waits ten times as long for its end. A file that was
	// last written to a minute ago is not waited for.
	Linger time.Duration
	Logger *slog.Logger     // told of rotations and changes of state, not of gaps: Batch has them; nil discards
	Now    func() time.Time // for Status.Since, and to see that a file is long done; nil does without
}
