package osm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span as people write it in a config file: Go's units and d (24 hours) and w (7 days), as in "90s", "24h", "30d".
type Duration time.Duration

var longUnits = map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// ParseDuration reads a Duration. A bare number is an error, except 0.
func ParseDuration(s string) (Duration, error) {
	if n := len(s); n > 1 && longUnits[s[n-1]] != 0 {
		unit := longUnits[s[n-1]]
		v, err := strconv.ParseFloat(s[:n-1], 64)
		if err == nil && v >= 0 && v < float64(math.MaxInt64/unit) {
			return Duration(v * float64(unit)), nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return Duration(d), nil
	}
	return 0, fmt.Errorf("%q is not a time span: want something like 90s, 24h or 30d", s)
}

// UnmarshalText reads a Duration from a config file.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// MarshalText writes it as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string {
	t := time.Duration(d)
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if t >= u.unit && t%u.unit == 0 {
			return strconv.FormatInt(int64(t/u.unit), 10) + u.name
		}
	}
	return t.String()
}

// Size is a number of bytes as people write it in a config file: "512MB", "10GB" (powers of 1024).
type Size int64

var sizeUnits = []struct {
	name string
	unit int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// ParseSize reads a Size. A bare number is bytes.
func ParseSize(s string) (Size, error) {
	number, unit := strings.TrimSpace(strings.ToUpper(s)), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.unit
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || v >= float64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("%q is not a size: want something like 512MB or 10GB", s)
	}
	return Size(v * float64(unit)), nil
}

// UnmarshalText reads a Size from a config file.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// MarshalText writes it as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, u := range sizeUnits {
		if int64(s) >= u.unit && int64(s)%u.unit == 0 {
			return strconv.FormatInt(int64(s)/u.unit, 10) + u.name
		}
	}
	return "0B"
}

// ShortSize writes a number of bytes for people: 1.4 MB.
func ShortSize(n int64) string {
	units := [...]string{"B", "KB", "MB", "GB", "TB", "PB", "EB"}
	v, unit := float64(n), 0
	for v >= 1000 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[unit]
}

// Count says a number of things in English: "1 day", "0 days", "1000 days". The name is that of one.
func Count[N ~int | ~int64 | ~uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
