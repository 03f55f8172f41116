package exim

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// What finds the end of a word finds what a plain search does, wherever it begins and whatever stands around it.
func TestScan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const bytes = "aab !\"#\x1f\x21\x00\xa0\xff" // the neighbours of what is looked for, too
	for range 200_000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			if b[i] = 'x'; r.IntN(6) == 0 {
				b[i] = bytes[r.IntN(len(bytes))]
			}
		}
		s := string(b)
		i := r.IntN(len(s) + 1)
		want := len(s)
		if n := strings.IndexByte(s[i:], ' '); n >= 0 {
			want = i + n
		}
		if got := spaceAt(s, i); got != want {
			t.Fatalf("space in %q from %d: %d, want %d", s, i, got, want)
		}
		if got, quote := spaceOrQuoteAt(s, i); got != want || quote != strings.Contains(s[i:want], `"`) {
			t.Fatalf("space in %q from %d: %d, want %d; quote before %t", s, i, got, want, quote)
		}
	}
}
