package tail

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// input is a file to read.
type input struct {
	member
	log         string // folder and name without what rotation adds
	first, last int64  // times of its first and last line; last only where that is cheap to find, else equal to first
	timed       bool   // first and last are known
	regular     bool
}

// arrange puts the files in order.
func (r *Reader) arrange(paths []string) error {
	var inputs []input
	for _, path := range paths {
		in, err := r.inspect(path)
		if err != nil {
			return fmt.Errorf("read log %s: %w", path, err)
		}
		if slices.ContainsFunc(inputs, func(i input) bool { return i.name == in.name || i.id == in.id }) {
			r.Logger.Info("a file that is named twice is read once", "file", path)
			continue
		}
		inputs = append(inputs, in)
	}
	if len(inputs) == 0 {
		return errors.New("read logs: there is none")
	}
	for _, in := range inputs {
		r.total += in.size
	}
	if slices.ContainsFunc(inputs, func(in input) bool { return !in.regular }) {
		r.total = 0
	}
	r.logs = r.group(inputs)
	if r.Time != nil {
		r.Ahead = max(1, r.Ahead/len(r.logs)) // they may all be open at once
	}
	return nil
}

// inspect looks at a file without reading more of it than it must.
func (r *Reader) inspect(path string) (input, error) {
	if path == "-" {
		if r.Stdin == nil {
			return input{}, errors.New("there is no standard input")
		}
		return input{member: member{name: "-"}, log: "-"}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return input{}, errors.Unwrap(err)
	}
	if info.IsDir() {
		return input{}, errors.New("it is a folder: name the files in it")
	}
	in := input{member: newMember(path, info), regular: info.Mode().IsRegular()}
	base, place, rotated := splitName(filepath.Base(path))
	in.rank, in.live = place, !rotated
	in.log = filepath.Join(filepath.Dir(path), base)
	if !in.regular {
		return in, nil // a pipe can be opened only once
	}
	return in, r.date(&in)
}

// date finds the times of a file's first and last line, if the caller can read times.
func (r *Reader) date(in *input) error {
	file, err := os.Open(in.name)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer file.Close()
	text, packed := unpack(file)
	defer closeStream(text)
	start := make([]byte, 64<<10)
	n, err := fill(text, start)
	if errors.Is(err, errXZ) {
		return err
	}
	if r.Time == nil {
		return nil // other damage is told when the file is read
	}
	for line := range Lines(string(start[:n])) {
		if in.first, in.timed = r.Time(line); in.timed {
			break
		}
	}
	in.last = in.first
	if packed || !in.timed {
		return nil
	}
	n, err = file.ReadAt(start, max(0, in.size-int64(len(start))))
	if err != nil && err != io.EOF {
		return errors.Unwrap(err)
	}
	if last, ok := r.lastTime(string(start[:n])); ok {
		in.last = last
	}
	return nil
}

// lastTime is the time of the last line that bears one.
func (r *Reader) lastTime(text string) (int64, bool) {
	for text = strings.TrimSuffix(text, "\n"); text != ""; {
		i := strings.LastIndexByte(text, '\n')
		if t, ok := r.Time(text[i+1:]); ok {
			return t, true
		}
		text = text[:max(i, 0)]
	}
	return 0, false
}

// splitName splits a file's name into the log's and its place in the rotation; rotated is false for the log itself (and
// for mainlog.gz, which is none of mainlog's).
func splitName(name string) (base string, place rank, rotated bool) {
	stem, _ := cutPacking(name)
	ext := filepath.Ext(stem)
	for _, ext := range []string{"", ext} { // exim.log.1; then exim.1.log
		s := strings.TrimSuffix(stem, ext)
		for i := 1; i < len(s); i++ {
			if r, ok := parseTag(s[i:]); ok {
				return s[:i] + ext, r, true
			}
		}
	}
	return name, rank{}, false
}

// group makes a sequence of each log's files. Where times tell that the names lie, each file is a log of its own.
func (r *Reader) group(inputs []input) []*sequence {
	var logs []*sequence
	for len(inputs) > 0 {
		log := inputs[0].log
		var mine, others []input
		for _, in := range inputs {
			if in.log == log {
				mine = append(mine, in)
			} else {
				others = append(others, in)
			}
		}
		inputs = others
		for _, files := range r.inTurn(mine) {
			s := &sequence{Reader: r, first: math.MinInt64}
			for _, in := range files {
				s.files = append(s.files, in.name)
			}
			if files[0].timed {
				s.first = files[0].first
			}
			logs = append(logs, s)
		}
	}
	return logs
}

// overlap is how far the times of consecutive files may overlap: clocks go back an hour in autumn.
const overlap = int64(2 * time.Hour)

// inTurn orders the files of one log, or gives each for itself when they are not one after the other in time.
func (r *Reader) inTurn(files []input) [][]input {
	members := make([]member, len(files))
	byName := make(map[string]input, len(files))
	for i, in := range files {
		members[i] = in.member
		byName[in.name] = in
	}
	var ordered []input
	for _, m := range orderFamily(members) {
		ordered = append(ordered, byName[m.name])
		delete(byName, m.name)
	}
	for name := range byName {
		r.Logger.Warn("a compressed file is not read beside the file that it is made from", "file", name)
	}
	before := input{}
	for _, in := range ordered {
		if !in.timed {
			continue
		}
		if before.timed && in.first < before.last-overlap {
			var each [][]input
			for _, in := range ordered {
				each = append(each, []input{in})
			}
			return each
		}
		before = in
	}
	return [][]input{ordered}
}
