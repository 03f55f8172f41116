package tail

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const benchLine = "2026-11-22 10:00:00 1rXyZa-000000-00 <= user@example.com H=(x) [192.0.2.1] P=esmtpsa A=login:user S=1234\n"

func benchLog(b *testing.B, name string, lines int) (path string, size int64) {
	b.Helper()
	text := strings.Repeat(benchLine, lines)
	path = files(b, name, text)[0]
	b.SetBytes(int64(len(text)))
	return path, int64(len(text))
}

// BenchmarkChunks reads a file from the page cache, as replay does, and gives its memory back or not.
func BenchmarkChunks(b *testing.B) {
	for _, test := range []struct {
		name, file string
		release    bool
	}{
		{"plain", "mainlog", true},
		{"plain-kept", "mainlog", false},
		{"gzip", "mainlog.1.gz", true},
		{"zstd", "mainlog.1.zst", true},
	} {
		b.Run(test.name, func(b *testing.B) {
			path, size := benchLog(b, test.file, 1_000_000)
			for b.Loop() {
				if n := drainChunks(b, []string{path}, ReadOptions{}, test.release); n != size {
					b.Fatalf("read %d bytes of %d", n, size)
				}
			}
		})
	}
}

// BenchmarkMerge merges two servers' logs that alternate all the time.
func BenchmarkMerge(b *testing.B) {
	var one, two strings.Builder
	for i := range 200_000 {
		w := &one
		if i%3 == 0 {
			w = &two
		}
		w.WriteString(time.Unix(int64(i), 0).UTC().Format(time.DateTime))
		w.WriteString(benchLine[19:])
	}
	paths := files(b, "a/mainlog", one.String(), "b/mainlog", two.String())
	b.SetBytes(int64(one.Len() + two.Len()))
	seconds := func(line string) (int64, bool) { // cheap: what is measured is the merging
		if len(line) < 19 {
			return 0, false
		}
		var n int64
		for _, c := range []byte(line[8:19]) {
			n = n*10 + int64(c)
		}
		return n, true
	}
	for b.Loop() {
		drainChunks(b, paths, ReadOptions{Time: seconds}, true)
	}
}

func drainChunks(b *testing.B, paths []string, o ReadOptions, release bool) (n int64) {
	r, err := Read(paths, o)
	if err != nil {
		b.Fatal(err)
	}
	for c, err := range r.Chunks(context.Background()) {
		if err != nil {
			b.Fatal(err)
		}
		n += int64(len(c.Text))
		if release {
			c.Release()
		}
	}
	return n
}

// BenchmarkCatchUp follows a log from its beginning to its end, as after an hour's absence.
func BenchmarkCatchUp(b *testing.B) {
	path, size := benchLog(b, "mainlog", 1_000_000)
	for b.Loop() {
		f, err := Follow(Options{Paths: []string{path}})
		if err != nil {
			b.Fatal(err)
		}
		for n := int64(0); n < size; {
			batch, err := f.Next(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			n += int64(len(batch.Text))
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLines is what going through a text line by line costs.
func BenchmarkLines(b *testing.B) {
	text := strings.Repeat(benchLine, 10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for line := range Lines(text) {
			n += len(line)
		}
		if n != len(text)-10_000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkIdleLook is what one look at a quiet log costs: ten of them a second.
func BenchmarkIdleLook(b *testing.B) {
	path := filepath.Join(b.TempDir(), "mainlog")
	if err := os.WriteFile(path, []byte(benchLine), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := Follow(Options{Paths: []string{path}, Idle: time.Nanosecond})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for idle := false; !idle; {
		batch, err := f.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		idle = batch.Idle
	}
	b.ReportAllocs()
	for b.Loop() {
		f.tick()
		if _, ok := f.look(); ok {
			b.Fatal("something was read")
		}
	}
}
