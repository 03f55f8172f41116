package tail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// onward decides how it goes on when the source has no whole line now: wait, hand out its torn last line, or take
// the next file. It returns true when it is worth while to read again at once.
func (l *log) onward(err error) (piece, bool) {
	s := l.src
	switch {
	case err == errStale:
		l.drop()
		return piece{}, true
	case err != nil && !s.packed:
		l.drop()
		l.fail(Unreadable, err)
		return piece{}, false
	case err != nil && err != io.EOF:
		if !l.damaged(err) {
			return piece{}, false
		}
	case s.live && !l.rotated():
		return piece{}, false
	}
	return l.leave()
}

// rotated tells whether the source is no longer the live log.
func (l *log) rotated() bool {
	info, err := os.Stat(l.path)
	if err != nil {
		l.missing(err)
		return false
	}
	if newMember(l.path, info).id == l.src.id {
		l.status.recovered(l.Logger, l.Now())
		return false
	}
	l.src.live = false
	l.quiet = 0 // who opened it before the rename may still write
	return true
}

// leave goes from a rotated file to the next one if it has surely ended.
func (l *log) leave() (piece, bool) {
	s := l.src
	files, err := family(l.path, l.Config.OldDirs)
	if err != nil {
		l.missing(err)
		return piece{}, false
	}
	next, ok := l.after(files)
	if !ok {
		return piece{}, false
	}
	newest := files[len(files)-1]
	isCopy := newest.live && (l.saw > 0 && !l.passed || s.copiedFrom(newest))
	if !s.packed && !isCopy && (files[next].live && files[next].size == 0 || !l.settled(l.linger)) {
		return piece{}, false
	}
	if s.split.unfinished() > 0 && !isCopy {
		if !s.packed && !l.settled(l.patience) {
			return piece{}, false
		}
		return s.split.last(), true
	}
	return piece{}, l.take(files, next, isCopy)
}

// settled tells whether the source has not changed for so many ticks, or by the clock was neither written nor renamed
// for much longer: then nobody still writes to it.
func (l *log) settled(ticks int) bool {
	return l.quiet >= ticks || l.Now().Sub(time.Unix(0, l.src.touched)) > lateWatch
}

// after finds the file that follows the source; ok is false when there is none, or it is not yet sure.
func (l *log) after(files []member) (next int, ok bool) {
	s := l.src
	at := slices.IndexFunc(files, func(m member) bool { return m.id == s.id })
	if at >= 0 && files[at].live {
		s.live = true // renamed back
		return 0, false
	}
	if at < 0 && len(s.head) > 0 {
		at = locate(files, s.position(l.path), l.maxLine())
	}
	if at < 0 && len(s.head) == 0 || at >= 0 && files[at].live {
		l.drop() // nothing was handed out of it, or an editor has made a new file of it: find the last position again
		return 0, false
	}
	if at >= 0 {
		l.missed = 0
		s.name = files[at].name
		next = l.passCopies(files, at+1)
	} else {
		if l.missed++; l.missed < maxMisses {
			return 0, false
		}
		next = newerThan(files, s.modified)
		s.lose(0, fmt.Sprintf("%s is gone, and files that followed it may be, too", s.name))
	}
	if next == len(files) {
		l.missing(fs.ErrNotExist)
	}
	return next, next < len(files)
}

// take goes to the file after the source.
func (l *log) take(files []member, next int, isCopy bool) bool {
	s := l.src
	if !l.open(files, next, nil) {
		return false
	}
	if isCopy {
		// The log may have been seen longer than its copy, of which the torn last line is then a part.
		lost := s.split.unfinished()
		if !l.passed {
			lost = max(lost, l.saw-s.offset)
		}
		s.lose(lost, fmt.Sprintf("%s is a copy: what the log got between the copy and its truncation is lost", s.name))
	}
	l.passed = l.saw > 0
	l.lose(s.gap)
	l.Logger.Info("log was rotated", "log", l.path, "read", s.name, "next", files[next].name)
	l.status.rotated()
	l.dropFormer()
	if !s.packed && !isCopy {
		l.former, l.watched = s, ticks(lateWatch, time.Duration(l.Config.Poll))
	} else {
		s.close()
	}
	return true
}

// damaged decides about a compressed file that can't be read on: it may be in the making, so it is given up only when
// it has not changed for a while.
func (l *log) damaged(err error) bool {
	s := l.src
	if s.gap != nil {
		return true
	}
	if !errors.Is(err, errXZ) && l.quiet < l.patience {
		if l.changed {
			l.drop()
		}
		return false
	}
	s.lose(s.split.unfinished(), fmt.Sprintf("%s can't be read after byte %d: %v", s.name, s.offset, err))
	s.split.last() // half a line of a damaged file is no line
	l.status.skip(fmt.Sprintf("%s: %v", s.name, err))
	return true
}
