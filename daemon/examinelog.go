package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"osm"
	"osm/exim"
	"osm/web"
)

// log looks at the main log: where it is, whether it can be read and whether it is alive.
func (e *examination) log(i *exim.Installation) {
	path := e.loaded.Exim.Log
	if path == "" {
		found, err := exim.FindLog("/")
		if err != nil {
			e.add("log", web.Problem, hintForLog(i), "%v", err)
			return
		}
		path = found
	}
	f, err := os.Open(path)
	if err != nil {
		do := "check exim.log in the configuration"
		if errors.Is(err, fs.ErrPermission) {
			do = permissionHint(path)
		}
		e.add("log", web.Problem, do, "%v", err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		e.add("log", web.Problem, "", "%v", err)
		return
	}
	age := e.now.Sub(info.ModTime())
	s, do := web.Good, ""
	if age > 24*time.Hour {
		s, do = web.Notice, "is this the log of the Exim that runs?"
	}
	e.add("log", s, do, "%s, %s, written %s ago", path, osm.ShortSize(info.Size()), ageText(age))
	if i != nil && i.MainLog() != "" && i.MainLog() != path {
		e.add("log", web.Notice, "set exim.log = "+strconv.Quote(i.MainLog())+", if this is the Exim to watch",
			"Exim writes to %s, osm follows %s", i.MainLog(), path)
	}
	e.daemonMayRead(path)
	e.clock(f, info)
}

func hintForLog(i *exim.Installation) string {
	if i != nil && i.MainLog() == "" && i.Syslog() {
		return "Exim logs to syslog only: set exim.log to the file into which syslog writes mail"
	}
	if i != nil && i.MainLog() != "" {
		return "Exim says that it writes to " + i.MainLog() + ": it has not run yet, or has another configuration when it runs"
	}
	return "set exim.log in the configuration"
}

// serviceUser is the account that the Debian package's service runs under.
const serviceUser = "osm"

// daemonMayRead tells whether the service's account can read the log, when there is one and it is not the account that
// has just read it.
func (e *examination) daemonMayRead(path string) {
	account, err := user.Lookup(serviceUser)
	if err != nil || account.Uid == strconv.Itoa(os.Getuid()) {
		return
	}
	groups, err := account.GroupIds()
	if err != nil {
		e.add("log", web.Notice, "", "the groups of the user %s can't be told: %v", serviceUser, err)
		return
	}
	for place, bit := path, fs.FileMode(4); ; place, bit = filepath.Dir(place), 1 {
		info, err := os.Stat(place)
		if err != nil {
			e.add("log", web.Problem, "", "%v", err)
			return
		}
		if !allows(info, account.Uid, groups, bit) {
			e.add("log", web.Problem, permissionHint(place), "the user %s may not read %s: %s is closed to it", serviceUser, path, place)
			return
		}
		if place == filepath.Dir(place) {
			return
		}
	}
}

// allows tells whether a file's mode gives a permission (4 to read, 1 to go through) to somebody. Access control lists
// are not looked at.
func allows(info fs.FileInfo, uid string, groups []string, bit fs.FileMode) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch {
	case strconv.Itoa(int(owner.Uid)) == uid:
		bit <<= 6
	case slices.Contains(groups, strconv.Itoa(int(owner.Gid))):
		bit <<= 3
	}
	return info.Mode().Perm()&bit != 0
}

// permissionHint says how the group that owns a file lets somebody in.
func permissionHint(path string) string {
	info, err := os.Stat(path)
	for err != nil && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	if err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			if group, err := user.LookupGroupId(strconv.Itoa(int(owner.Gid))); err == nil && group.Name != "root" {
				return fmt.Sprintf("put the user that osm runs as into the group %s: adduser %s %s", group.Name, serviceUser, group.Name)
			}
		}
	}
	return "let the user that osm runs as read it, for example: setfacl -m u:" + serviceUser + ":r " + path
}

// clock compares the time in the log's last line with the time at which it was written: whole hours between them are
// a time zone.
func (e *examination) clock(f *os.File, info fs.FileInfo) {
	zone, err := e.loaded.Exim.Location()
	if err != nil {
		e.add("clock", web.Problem, "", "%v", err)
		return
	}
	last, err := lastTime(f, info.Size(), zone)
	if err != nil {
		e.add("clock", web.Problem, "", "%v", err)
		return
	}
	if last.IsZero() {
		return
	}
	off := info.ModTime().Sub(last)
	const near, step = 2 * time.Minute, 30 * time.Minute // zones differ by half hours
	switch {
	case off.Abs() < 15*time.Minute:
		e.add("clock", web.Good, "", "the log's times are those of this machine")
	case off.Abs() < 15*time.Hour && (off.Abs()+near)%step < 2*near:
		e.add("clock", web.Problem, "set exim.zone in the configuration to the zone of Exim's log",
			"the last line of the log says %s, but it was written at %s", last.In(zone).Format(time.DateTime),
			info.ModTime().In(zone).Format(time.DateTime))
	case off < 0:
		e.add("clock", web.Notice, "check this machine's clock", "the last line of the log is %s in the future", ageText(-off))
	}
}

// lastTime is the time of the last whole line that bears one, or zero.
func lastTime(f *os.File, size int64, zone *time.Location) (time.Time, error) {
	const most = 64 << 10
	tail := make([]byte, min(size, most))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return time.Time{}, fmt.Errorf("read the end of the log: %w", err)
	}
	parser, entry := exim.NewParser(zone), exim.Entry{}
	var last time.Time
	for line := range strings.SplitSeq(string(tail), "\n") {
		parser.Parse(line, &entry)
		if entry.Kind != exim.Unknown && !entry.Time.IsZero() {
			last = entry.Time
		}
	}
	return last, nil
}

// ageText says roughly how long something is ago.
func ageText(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return osm.Count(int(max(d, 0).Seconds()), "second")
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}
