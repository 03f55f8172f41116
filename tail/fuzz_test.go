package tail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"osm"
)

// cutLines is what splitting is meant to give, without any cleverness.
func cutLines(text string, longest int) []string {
	var lines []string
	for line := range Lines(text) {
		lines = append(lines, line[:min(len(line), longest)])
	}
	return lines
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), 4, 9, 3)
	f.Add([]byte("\n\n\x00\xff\r\n"+strings.Repeat("x", 100)+"\nshort\n"), 16, 16, 5)
	f.Add([]byte(strings.Repeat("y", 64)+"\n"+strings.Repeat("z", 65)+"\n"), 8, 64, 64)
	f.Fuzz(func(t *testing.T, text []byte, size, longest, step int) {
		if size < 1 || longest < 1 || step < 1 || size > 1<<16 || longest > 1<<16 {
			t.Skip()
		}
		for _, r := range []io.Reader{bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)),
			iotest.DataErrReader(bytes.NewReader(text))} {
			s := newSplitter(size, longest, func(n int) []byte { return make([]byte, n) })
			var got []string
			var total, cut int64
			var err error
			for err == nil {
				var p piece
				if p, err = s.next(r, int64(step)); err == io.EOF {
					p = s.last()
				}
				total += p.size
				cut += p.cutBytes
				if whole := p.size - p.cutBytes; whole != int64(len(p.text)) {
					t.Fatalf("a piece of %d bytes stands for %d, %d of them cut", len(p.text), p.size, p.cutBytes)
				}
				if err == nil && p.size > 0 && !strings.HasSuffix(p.text, "\n") {
					t.Fatalf("%q does not end with its line", p.text)
				}
				if s.unfinished() > int64(len(text)) || len(s.rest) > longest {
					t.Fatalf("%d bytes are kept of a line of at most %d", len(s.rest), longest)
				}
				for line := range Lines(p.text) {
					got = append(got, line)
				}
			}
			if !errors.Is(err, io.EOF) || total != int64(len(text)) || !slices.Equal(got, cutLines(string(text), longest)) {
				t.Fatalf("%v: %d bytes of %d as %q, want %q", err, total, len(text), got, cutLines(string(text), longest))
			}
		}
	})
}

// rotationScript does to a log what its bytes say, and knows what the follower must read of it.
type rotationScript struct {
	*folder
	mode    byte         // of rotation
	lines   int          // written
	want    []string     // whole lines
	torn    string       // the unfinished one
	rotated []string     // names, oldest first
	kept    osm.Position // saved last
	safe    int          // how many lines had been read then
	day     int
}

// FuzzFollow writes, rotates, compresses, reads, saves the position and kills the follower in any order, and then wants
// to have each line exactly once.
func FuzzFollow(f *testing.F) {
	f.Add([]byte("\x00" + "awrwkwrgwskrrgwn"))
	f.Add([]byte("\x01" + "wtrwsrgwkwtwrwnskw"))
	f.Add([]byte("\x02" + "wnswrwrkwtrwngwrs"))
	f.Add([]byte("\x00" + "lllwnslkllwrgkwl"))
	f.Add([]byte("\x02" + "nrnar")) // copied, filled and copied again between two looks
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 2 || len(script) > 60 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			s := &rotationScript{folder: newFolder(t), mode: script[0] % 3}
			s.opts.Config.MaxLine = 4 << 10
			s.write("first\n")
			s.next() // from here on there is a position
			s.do('s')
			for _, step := range script[1:] {
				s.do(step)
			}
			s.write("\nlast\n")
			s.drain()
			if !slices.Equal(s.got, s.want) {
				t.Fatalf("read %q\nwant %q", shorten(s.got), shorten(s.want))
			}
		})
	})
}

func shorten(lines []string) (short []string) {
	for _, line := range lines {
		short = append(short, fmt.Sprintf("%.20s (%d)", line, len(line)))
	}
	return short
}

func (s *rotationScript) write(text string) {
	s.append("mainlog", text)
	s.torn += text
	for {
		line, rest, whole := strings.Cut(s.torn, "\n")
		if !whole {
			return
		}
		s.want = append(s.want, line[:min(len(line), 4<<10)])
		s.torn = rest
	}
}

const steps = "wtalrgnsk"

func (s *rotationScript) do(step byte) {
	s.lines++
	if strings.IndexByte(steps, step) < 0 {
		step = steps[int(step)%len(steps)] // every byte a fuzzer invents does something
	}
	switch step {
	case 'w':
		s.write(fmt.Sprintf("line %d\n", s.lines))
	case 't':
		s.write(fmt.Sprintf("torn %d ", s.lines))
	case 'l':
		s.write(fmt.Sprintf("long %d", s.lines) + strings.Repeat(" long", 300))
	case 'a':
		for i := range 20 {
			s.write(fmt.Sprintf("line %d.%d\n", s.lines, i))
		}
	case 'r':
		s.rotate()
	case 'g':
		if n := len(s.rotated); n > 0 && !strings.HasSuffix(s.rotated[n-1], ".gz") {
			s.gzip(s.rotated[n-1])
			s.rotated[n-1] += ".gz"
		}
	case 'n':
		s.next()
	case 's':
		s.safe = len(s.got)
		s.kept = s.saved
	case 'k': // killed: what was not saved is read again
		s.stop()
		s.got = s.got[:s.safe]
		s.saved = s.kept
	}
}

func (s *rotationScript) rotate() {
	if len(s.rotated) > 20 {
		return
	}
	name := "mainlog.1"
	if s.mode == 1 {
		s.day++
		name = fmt.Sprintf("mainlog-202611%02d", s.day)
	} else {
		for i, old := range s.rotated { // oldest first
			_, suffix := cutPacking(old)
			s.rotated[i] = fmt.Sprintf("mainlog.%d%s", len(s.rotated)-i+1, suffix)
			s.rename(old, s.rotated[i])
		}
	}
	s.rotated = append(s.rotated, name)
	if s.mode == 2 {
		s.copytruncate(name, func() {})
		s.torn = "" // its end was cut off
		return
	}
	if s.torn != "" {
		s.want = append(s.want, s.torn[:min(len(s.torn), 4<<10)])
		s.torn = ""
	}
	s.rename("mainlog", name)
	s.check(os.WriteFile(s.log, nil, 0o640))
}
