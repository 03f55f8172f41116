package main

import (
	"errors"
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"":                          {},
		"24h":                       now.Add(-24 * time.Hour),
		"7d":                        now.Add(-7 * 24 * time.Hour),
		"2026-11-20":                time.Date(2026, 11, 20, 0, 0, 0, 0, zone),
		"2026-11-20 08:30":          time.Date(2026, 11, 20, 8, 30, 0, 0, zone),
		"2026-11-20T08:30:05":       time.Date(2026, 11, 20, 8, 30, 5, 0, zone),
		"2026-11-20T08:30:05Z":      time.Date(2026, 11, 20, 8, 30, 5, 0, time.UTC),
		"2026-11-20 08:30:05 -0500": time.Date(2026, 11, 20, 13, 30, 5, 0, time.UTC),
	} {
		if got, err := moment("--since", text, now); err != nil || !got.Equal(want) {
			t.Errorf("moment(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "24", "2026-13-01", "-3h"} {
		if got, err := moment("--since", text, now); !isUsage(err) {
			t.Errorf("moment(%q) = %v, %v; want wrong usage", text, got, err)
		}
	}
	if _, _, err := (&span{since: "1h", until: "2h"}).times(now); !isUsage(err) {
		t.Errorf("a span that ends before it begins: %v", err)
	}
}

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}
