package tail

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// rank places a rotated file among those of its log.
type rank struct {
	number int    // of mainlog.3: higher is older
	date   string // digits of mainlog-20261122: lower is older; "" where there is a number
	aside  bool   // mainlog-2026112206.backup: only its time tells its place
}

// compare orders two ranks of the same kind.
func (r rank) compare(other rank) int {
	if r.date != "" && other.date != "" {
		return strings.Compare(r.date, other.date)
	}
	return cmp.Compare(other.number, r.number)
}

// parseTag reads what rotation adds to a name: ".3" (logrotate, exicyclog), or a date with any of the usual separators
// ("-20261122", ".2026-11-22", "-20261122-13", "-1795000000"). Anything else (".processed", "-old") is not ours, except
// "-2026112206.backup": when Exim writes between logrotate's renaming of the log and its creating a new one, Exim
// creates the log itself and logrotate puts that file aside under this name.
func parseTag(tag string) (rank, bool) {
	if date, ok := strings.CutSuffix(tag, ".backup"); ok {
		r, ok := parseTag(date)
		return rank{aside: true}, ok && len(r.date) == len("2026112206")
	}
	if len(tag) < 2 || !isSeparator(tag[0]) || isSeparator(tag[len(tag)-1]) {
		return rank{}, false
	}
	digits := make([]byte, 0, len(tag))
	for i := 1; i < len(tag); i++ {
		switch {
		case tag[i] >= '0' && tag[i] <= '9':
			digits = append(digits, tag[i])
		case !isSeparator(tag[i]) || isSeparator(tag[i-1]):
			return rank{}, false
		}
	}
	if n := len(digits); n <= 4 {
		number := 0
		for _, d := range digits {
			number = number*10 + int(d-'0')
		}
		return rank{number: number}, tag[0] == '.' && n == len(tag)-1
	} else if n > 20 || n < 8 || digits[0] != '2' && (digits[0] != '1' || n < 10) {
		return rank{}, false // neither year, month and day nor seconds since 1970
	}
	return rank{date: string(digits)}, true
}

func isSeparator(c byte) bool { return c == '-' || c == '.' || c == '_' || c == ':' }

// cutPacking splits off a compressed file's suffix.
func cutPacking(name string) (stem, suffix string) {
	for _, p := range packings() {
		if stem, ok := strings.CutSuffix(name, p.suffix); ok {
			return stem, p.suffix
		}
	}
	return name, ""
}

// rankIn tells whether name is that of a rotated file of the log base. With logrotate's "extension .log" the tag stands
// before the extension: exim.1.log.
func rankIn(base, name string) (rank, bool) {
	stem, _ := cutPacking(name)
	if tag, ok := strings.CutPrefix(stem, base); ok {
		return parseTag(tag)
	}
	ext := filepath.Ext(base)
	if tag, ok := strings.CutPrefix(stem, strings.TrimSuffix(base, ext)); ok && ext != "" {
		if tag, ok = strings.CutSuffix(tag, ext); ok {
			return parseTag(tag)
		}
	}
	return rank{}, false
}

// fileID is what stays of a file when it is renamed.
type fileID struct{ dev, ino uint64 }

// member is a file of a log: the log itself or a rotated one.
type member struct {
	name     string
	id       fileID
	size     int64
	modified int64 // unix nanoseconds
	touched  int64 // the inode's: renamed, too
	live     bool
	rank     rank
}

func newMember(name string, info os.FileInfo) member {
	st := info.Sys().(*syscall.Stat_t)
	return member{name: name, id: fileID{uint64(st.Dev), st.Ino}, size: info.Size(),
		modified: info.ModTime().UnixNano(), touched: st.Ctim.Nano()}
}

// family lists the files of a log, oldest first; the log itself, where it exists, is the last. A rotation may go on
// meanwhile, so it looks until it sees the same thing twice.
func family(log string, oldDirs []string) ([]member, error) {
	var before []member
	for range 10 {
		now, err := listFamily(log, oldDirs)
		if err != nil {
			return nil, err
		}
		if before != nil && sameFiles(before, now) {
			return now, nil
		}
		before = now
	}
	return nil, errChanged
}

func sameFiles(a, b []member) bool {
	return slices.EqualFunc(a, b, func(a, b member) bool { return a.name == b.name && a.id == b.id })
}

func listFamily(log string, oldDirs []string) ([]member, error) {
	files := []member{}
	if info, err := os.Stat(log); err == nil {
		live := newMember(log, info)
		live.live = true
		files = append(files, live)
	} else if !os.IsNotExist(err) {
		return nil, err
	}
	for i, dir := range append([]string{"."}, oldDirs...) {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(log), dir)
		}
		entries, err := os.ReadDir(dir)
		if err != nil && i == 0 {
			return nil, err
		}
		for _, e := range entries {
			r, ok := rankIn(filepath.Base(log), e.Name())
			if !ok {
				continue
			}
			name := filepath.Join(dir, e.Name())
			if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
				m := newMember(name, info)
				m.rank = r
				files = append(files, m)
			}
		}
	}
	return orderFamily(files), nil
}

// orderFamily sorts the files of one log, oldest first, and drops the second of two names for the same thing: today's
// dated file where the log is a symbolic link to it, and mainlog.1.gz while mainlog.1, of which it is made, exists.
func orderFamily(files []member) []member {
	plain := make(map[string]bool, len(files))
	dated, numbered := false, false
	seen := make(map[fileID]bool, len(files))
	for _, m := range files {
		stem, suffix := cutPacking(m.name)
		plain[stem] = plain[stem] || suffix == ""
		dated = dated || m.rank.date != ""
		numbered = numbered || m.rank.date == "" && !m.live && !m.rank.aside
	}
	files = slices.DeleteFunc(files, func(m member) bool {
		stem, suffix := cutPacking(m.name)
		twice := seen[m.id] || suffix != "" && plain[stem]
		seen[m.id] = true
		return twice
	})
	slices.SortStableFunc(files, func(a, b member) int {
		switch {
		case a.live != b.live:
			if a.live {
				return 1
			}
			return -1
		case dated && numbered: // the administrator changed his mind: only the times tell
			return cmp.Compare(a.modified, b.modified)
		}
		return cmp.Or(a.rank.compare(b.rank), strings.Compare(a.name, b.name))
	})
	return placeAside(files)
}

// placeAside moves each file that was put aside before the first one that was written to later.
func placeAside(files []member) []member {
	ordered := slices.DeleteFunc(slices.Clone(files), func(m member) bool { return m.rank.aside })
	for _, m := range files {
		if m.rank.aside {
			at := slices.IndexFunc(ordered, func(o member) bool { return o.live || o.modified > m.modified })
			if at < 0 {
				at = len(ordered)
			}
			ordered = slices.Insert(ordered, at, m)
		}
	}
	return ordered
}

// born is when a file was created, unix nanoseconds; 0 where the system does not tell. The file is name under dir, or
// the open dir itself when name is empty.
func born(dir int, name string) int64 {
	flags := unix.AT_STATX_SYNC_AS_STAT
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Statx_t
	err := unix.Statx(dir, name, flags, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}
