package osm

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "24h": 24 * time.Hour, "30d": 720 * time.Hour,
		"1.5d": 36 * time.Hour, "2w": 336 * time.Hour, "1h30m": 90 * time.Minute, "0": 0} {
		got, err := ParseDuration(text)
		if err != nil || time.Duration(got) != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
		if again, err := ParseDuration(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "d", "30", "-1h", "-1d", "1e300d", "NaNd", "ten days"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"10GB": 10 << 30, "512mb": 512 << 20, "1.5 KB": 1536, "17": 17, "0": 0} {
		got, err := ParseSize(text)
		if err != nil || int64(got) != want {
			t.Errorf("ParseSize(%q) = %v, %v; want %d", text, got, err, want)
		}
		if again, err := ParseSize(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "GB", "-1", "1e30TB", "NaN", "five"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %v, want an error", text, got)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for _, c := range Classes() {
		if got, err := ParseClass(c.String()); err != nil || got != c {
			t.Errorf("ParseClass(%q) = %v, %v", c, got, err)
		}
	}
	for a := Accept; a < actions; a++ {
		if got, err := ParseAction(a.String()); err != nil || got != a {
			t.Errorf("ParseAction(%q) = %v, %v", a, got, err)
		}
	}
	for k := NoKey + 1; k < keyKinds; k++ {
		if got, err := ParseKeyKind(k.String()); err != nil || got != k {
			t.Errorf("ParseKeyKind(%q) = %v, %v", k, got, err)
		}
	}
	if _, err := ParseClass("nonsense"); err == nil {
		t.Error("an unknown class is accepted")
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 days", 1: "1 day", 2: "2 days", 1234: "1234 days"} {
		if got := Count(n, "day"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
