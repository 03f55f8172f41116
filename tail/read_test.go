package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
)

// files writes files to a new folder and gives their paths in the order given.
func files(t testing.TB, nameAndText ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(nameAndText); i += 2 {
		path := filepath.Join(dir, nameAndText[i])
		text := []byte(nameAndText[i+1])
		switch filepath.Ext(path) {
		case ".gz":
			text = gzipped(text)
		case ".zst":
			w, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			text = w.EncodeAll(text, nil)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// readAll gives all lines and checks what every chunk must be, and that it makes no difference who reads.
func readAll(t *testing.T, paths []string, o ReadOptions) (lines []string, errs []error) {
	t.Helper()
	lines, errs = readOnce(t, paths, o)
	if o.Stdin == nil {
		o.Here = true
		if here, errsHere := readOnce(t, paths, o); !slices.Equal(here, lines) || fmt.Sprint(errsHere) != fmt.Sprint(errs) {
			t.Errorf("read by whoever asks: %d lines, %v; by a goroutine: %d lines, %v", len(here), errsHere, len(lines), errs)
		}
	}
	return lines, errs
}

func readOnce(t *testing.T, paths []string, o ReadOptions) (lines []string, errs []error) {
	t.Helper()
	r, err := Read(paths, o)
	if err != nil {
		t.Fatal(err)
	}
	seq := 0
	for c, err := range r.Chunks(context.Background()) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if c.Seq != seq || c.Text == "" {
			t.Errorf("chunk %d is numbered %d: %q", seq, c.Seq, c.Text)
		}
		seq++
		for line := range c.Lines() {
			lines = append(lines, strings.Clone(line))
		}
		c.Release()
	}
	goleak.VerifyNone(t)
	return lines, errs
}

// timeOf reads the number that a test's line begins with.
func timeOf(line string) (int64, bool) {
	digits, _, _ := strings.Cut(line, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n * int64(time.Hour), err == nil
}

func TestReadPutsRotationInOrder(t *testing.T) {
	paths := files(t, "mainlog", "5\n6", "mainlog.10.gz", "1\n", "mainlog.2.zst", "3\n", "mainlog.1", "4\n",
		"mainlog.3.gz", "2\n", "exim.log", "b\n", "exim-20261122.log.gz", "a\n")
	want := []string{"1", "2", "3", "4", "5", "6", "a", "b"}
	for range paths { // the log that is named first comes first
		lines, errs := readAll(t, paths, ReadOptions{})
		at := 0
		if strings.Contains(paths[0], "exim") {
			at = 2
		}
		if errs != nil || !slices.Equal(append(lines[at:], lines[:at]...), want) {
			t.Fatalf("read %q, %v", lines, errs)
		}
		paths = append(paths[1:], paths[0])
	}
	paths = append(files(t, "mainlog", "5\n6\n", "mainlog.1", "4\n"), "-")
	lines, errs := readAll(t, paths, ReadOptions{Stdin: strings.NewReader("7\n")})
	if errs != nil || !slices.Equal(lines, []string{"4", "5", "6", "7"}) {
		t.Errorf("read %q, %v", lines, errs)
	}
}

func TestReadOnce(t *testing.T) {
	paths := files(t, "mainlog", "2\n", "mainlog.1", "1\n", "mainlog.1.gz", "1\n")
	lines, errs := readAll(t, append(paths, paths...), ReadOptions{})
	if errs != nil || !slices.Equal(lines, []string{"1", "2"}) {
		t.Errorf("read %q, %v", lines, errs)
	}
}

func TestReadStdin(t *testing.T) {
	for _, in := range [][]byte{[]byte("1\n2\n3"), gzipped([]byte("1\n2\n3"))} {
		lines, errs := readAll(t, []string{"-"}, ReadOptions{Stdin: bytes.NewReader(in)})
		if errs != nil || !slices.Equal(lines, []string{"1", "2", "3"}) {
			t.Errorf("read %q, %v", lines, errs)
		}
	}
}

func TestReadMergesByTime(t *testing.T) {
	paths := files(t, "a/mainlog.1", "1 a\n3 a\n continued\n7 a\n", "a/mainlog", "9 a\n12 a", "b/mainlog.1.gz", "header\n2 b\n5 b\n",
		"b/mainlog", "8 b\n10 b\nno time\n13 b\n", "c/mainlog", "6 c\n20 c\n", "d/mainlog", "no time at all\n")
	want := []string{"no time at all", "1 a", "header", "2 b", "3 a", " continued", "5 b", "6 c", "7 a", "8 b", "9 a", "10 b", "no time",
		"12 a", "13 b", "20 c"}
	for _, size := range []int{0, 1, 7, 20} {
		lines, errs := readAll(t, paths, ReadOptions{Time: timeOf, Size: size})
		if errs != nil || !slices.Equal(lines, want) {
			t.Errorf("chunks of %d: read %q\nwant %q, %v", size, lines, want, errs)
		}
	}
}

// A rotation is read one file after the other even where a line's time goes back; whatever only looks like one is
// merged.
func TestReadTellsRotationsByTime(t *testing.T) {
	lines, _ := readAll(t, files(t, "mainlog.1", "1\n3\n", "mainlog", "2\n4\n"), ReadOptions{Time: timeOf})
	if !slices.Equal(lines, []string{"1", "3", "2", "4"}) {
		t.Errorf("a rotation whose clock went back: %q", lines)
	}
	lines, _ = readAll(t, files(t, "mx.2", "1\n9\n", "mx.1", "2\n8\n"), ReadOptions{Time: timeOf})
	if !slices.Equal(lines, []string{"1", "2", "8", "9"}) {
		t.Errorf("two servers: %q", lines)
	}
}

func TestReadManyLinesOfTwoServers(t *testing.T) {
	var a, b strings.Builder
	for i := range 20_000 {
		w := &a
		if i*7919%13 < 5 {
			w = &b
		}
		fmt.Fprintf(w, "%d some text\n", i)
	}
	lines, errs := readAll(t, files(t, "a/mainlog", a.String(), "b/mainlog", b.String()), ReadOptions{Time: timeOf, Size: 5000})
	if errs != nil || len(lines) != 20_000 {
		t.Fatalf("%d lines, %v", len(lines), errs)
	}
	for i, line := range lines {
		if n, _ := timeOf(line); n != int64(i)*int64(time.Hour) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}

func TestReadOffsets(t *testing.T) {
	text := strings.Repeat("a line of the log\n", 1000) + strings.Repeat("x", 5000) + "\nlast"
	for i := range 4 {
		name, here := []string{"mainlog", "mainlog.1.gz"}[i%2], i > 1
		r, err := Read(files(t, name, text), ReadOptions{Size: 1000, MaxLine: 2000, Here: here})
		if err != nil {
			t.Fatal(err)
		}
		end, cut := int64(0), int64(0)
		for c, err := range r.Chunks(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Offset != end || !strings.HasPrefix(text[c.Offset:], strings.TrimSuffix(c.Text, "\n")) {
				t.Fatalf("a chunk at %d, after the one that ended at %d: %.20q", c.Offset, end, c.Text)
			}
			end += int64(len(c.Text)) + c.CutBytes
			cut += c.CutBytes
		}
		if end != int64(len(text)) || cut != 3000 {
			t.Errorf("%d bytes of %d were read and %d cut", end, len(text), cut)
		}
		if done, total := r.Progress(); done != total || done == 0 {
			t.Errorf("progress %d of %d at the end", done, total)
		}
	}
}

func TestReadDamagedFile(t *testing.T) {
	paths := files(t, "mainlog.3", "1\n", "mainlog.2.gz", strings.Repeat("2\n", 100_000), "mainlog.1", "3\n", "other/mainlog", "4\n")
	whole, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{4, 15, len(whole) - 4} {
		if err := os.WriteFile(paths[1], whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		for _, times := range []func(string) (int64, bool){nil, timeOf} {
			lines, errs := readAll(t, paths, ReadOptions{Time: times})
			if len(errs) != 1 || !errors.Is(errs[0], io.ErrUnexpectedEOF) || !strings.Contains(errs[0].Error(), paths[1]) {
				t.Errorf("errors %v", errs)
			}
			if n := len(lines); lines[0] != "1" || lines[n-2] != "3" || lines[n-1] != "4" {
				t.Errorf("read %q...", lines[:min(n, 10)])
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	paths := files(t, "mainlog", "1\n", "packed", "\xfd7zXZ\x00")
	for _, test := range []struct {
		paths []string
		o     ReadOptions
		want  string
	}{
		{nil, ReadOptions{}, "there is none"},
		{[]string{"-"}, ReadOptions{}, "there is no standard input"},
		{[]string{filepath.Dir(paths[0])}, ReadOptions{}, "it is a folder"},
		{[]string{paths[0] + ".9"}, ReadOptions{}, "no such file"},
		{paths, ReadOptions{}, "packed: xz is not read here"},
		{paths[:1], ReadOptions{MaxLine: 10}, "out of range"},
	} {
		if _, err := Read(test.paths, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Read(%v, %+v) = %v, want %q", test.paths, test.o, err, test.want)
		}
	}
	if _, err := Read([]string{paths[0] + ".9"}, ReadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// However the loop ends, nothing is left running and nothing is read ahead without bound.
func TestReadStops(t *testing.T) {
	text := strings.Repeat("1 a line of the log\n", 50_000)
	paths := files(t, "a/mainlog", text, "a/mainlog.1.gz", text, "b/mainlog", text)
	for i := range 4 {
		times, here := []func(string) (int64, bool){nil, timeOf}[i%2], i > 1
		r, err := Read(paths, ReadOptions{Size: 10_000, Time: times, Ahead: 2, Here: here})
		if err != nil {
			t.Fatal(err)
		}
		for range r.Chunks(context.Background()) {
			break
		}
		goleak.VerifyNone(t)
		if open := openFiles(t, filepath.Dir(filepath.Dir(paths[0]))); len(open) > 0 {
			t.Errorf("still open: %v", open)
		}
		if done, total := r.Progress(); done > total/2 {
			t.Errorf("for one chunk %d of %d bytes were read", done, total)
		}

		r, err = Read(paths, ReadOptions{Size: 10_000, Time: times, Here: here})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var last error
		for c, err := range r.Chunks(ctx) {
			if last != nil {
				t.Errorf("after the error comes %.20q", c.Text)
			}
			last = err
			cancel()
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("the loop ends with %v", last)
		}
		goleak.VerifyNone(t)
	}
}

// openFiles are the files of a folder that this process has open.
func openFiles(t *testing.T, folder string) (open []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		t.Fatal("what is open can't be told", err)
	}
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && strings.HasPrefix(name, folder) {
			open = append(open, name)
		}
	}
	return open
}
