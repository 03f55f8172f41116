package tail

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkChunks(b *testing.B) {
	path := filepath.Join(b.TempDir(), "mainlog")
	line := strings.Repeat("2026-11-22 10:00:00 1rXyZa-000000-00 <= user@example.com H=x [192.0.2.1] P=esmtp S=1234 id=x\n", 2_000_000)
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, release := range []bool{false, true} {
		name := map[bool]string{false: "keep", true: "release"}[release]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				r, err := Read([]string{path}, ReadOptions{})
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for c, err := range r.Chunks(context.Background()) {
					if err != nil {
						b.Fatal(err)
					}
					n += len(c.Text)
					if release {
						c.Release()
					}
				}
				if n != len(line) {
					b.Fatal(n)
				}
			}
		})
	}
}
