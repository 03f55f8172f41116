package exim

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// times parses lines, one after the other, and compares their times in UTC with the word before each.
func times(t *testing.T, p *Parser, lines string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		want, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		var e Entry
		p.Parse(text, &e)
		got := "-"
		if !e.Time.IsZero() {
			got = e.Time.UTC().Format("01-02T15:04:05.999Z")
			if e.Time.UTC().Year() != 2026 {
				got = e.Time.UTC().Format("2006-") + got
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestTimeForms(t *testing.T) {
	times(t, NewParser(nil), `
		11-23T08:25:24Z 2026-11-23 08:25:24 Start queue run: pid=1
		11-23T08:25:24.638Z 2026-11-23 08:25:24.638 Start queue run: pid=1
		11-23T13:25:24Z 2026-11-23 08:25:24 -0500 Start queue run: pid=1
		11-23T02:55:24.5Z 2026-11-23 08:25:24.500 +0530 [12] Start queue run: pid=1
		11-23T08:25:24Z 2026-11-23 08:25:24 -0500x is no zone
		11-23T08:25:24Z 2026-11-23 08:25:24
		11-23T08:26:00Z 2026-11-23 08:25:60 a leap second
		- 2026-11-23 08:25:61 no second
		- 2026-11-23 08:60:00 no minute
		- 2026-11-23 24:00:00 no hour
		- 2026-02-29 08:00:00 no day
		- 2026-13-01 08:00:00 no month
		2024-02-29T08:00:00Z 2024-02-29 08:00:00 a leap day
		- 2026-11-23 08:25:2
		- 2026-11-23T08:25:24 x
		- 2026-11-23 08:25:24x
		- 2026/11/23 08:25:24 x
		- `+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"+`
		- xxxxxxxxxx xxxxxxxx x`)
}

func TestTimeZoneOfLine(t *testing.T) {
	var e Entry
	NewParser(nil).Parse("2026-11-23 08:25:24 -0500 [12] 1xVPMa-0000Tw-18 Completed", &e)
	if _, offset := e.Time.Zone(); offset != -5*3600 || e.PID != 12 || e.Kind != Completed || e.Millis {
		t.Errorf("offset %d, pid %d, kind %v", offset, e.PID, e.Kind)
	}
}

// TestDaylightSaving: New York's clocks went from 02:00 EDT back to 01:00 EST on 1 November 2026, at 06:00 UTC.
func TestDaylightSaving(t *testing.T) {
	newYork := zone(t, "America/New_York")
	t.Run("a log runs forward", func(t *testing.T) {
		times(t, NewParser(newYork), `
			11-01T04:59:59Z 2026-11-01 00:59:59 x
			11-01T05:10:00Z 2026-11-01 01:10:00 x
			11-01T05:58:00Z 2026-11-01 01:58:00 x
			11-01T05:57:30Z 2026-11-01 01:57:30 a process that wrote late
			11-01T05:59:59Z 2026-11-01 01:59:59 x
			11-01T06:00:01Z 2026-11-01 01:00:01 x
			11-01T06:30:00Z 2026-11-01 01:30:00 x
			11-01T06:29:00Z 2026-11-01 01:29:00 late again
			11-01T07:00:00Z 2026-11-01 02:00:00 x
			11-01T08:00:00Z 2026-11-01 03:00:00 x`)
	})
	t.Run("an id tells", func(t *testing.T) {
		first, second := idOf(t, "2026-11-01T05:40:15Z"), idOf(t, "2026-11-01T06:40:15Z")
		times(t, NewParser(newYork), `
			11-01T06:40:16Z 2026-11-01 01:40:16 `+second+` <= a@b U=a P=local S=3
			11-01T06:41:00Z 2026-11-01 01:41:00 the line before tells
			11-01T05:40:16Z 2026-11-01 01:40:16 `+first+` <= a@b U=a P=local S=3
			11-01T06:42:00Z 2026-11-01 01:42:00 `+second+` Completed`)
	})
	t.Run("a parser that comes from elsewhere", func(t *testing.T) {
		times(t, NewParser(newYork), `
			11-23T13:00:00Z 2026-11-23 08:00:00 a newer file
			11-01T05:10:00Z 2026-11-01 01:10:00 x`)
	})
	t.Run("the skipped hour", func(t *testing.T) {
		p := NewParser(newYork)
		var e Entry
		p.Parse("2026-03-08 02:30:00 no such time", &e)
		if got := e.Time.UTC().Format(time.RFC3339); got != "2026-03-08T07:30:00Z" && got != "2026-03-08T06:30:00Z" {
			t.Errorf("02:30 of a day without one is %s", got)
		}
		times(t, p, "03-08T07:00:00Z 2026-03-08 03:00:00 x")
	})
	t.Run("half an hour", func(t *testing.T) { // Lord Howe: from 02:00 (+11) back to 01:30 (+10:30) on 5 April, 15:00 UTC
		times(t, NewParser(zone(t, "Australia/Lord_Howe")), `
			04-04T14:10:00Z 2026-04-05 01:10:00 x
			04-04T14:40:00Z 2026-04-05 01:40:00 x
			04-04T14:59:00Z 2026-04-05 01:59:00 x
			04-04T15:01:00Z 2026-04-05 01:31:00 x
			04-04T15:30:00Z 2026-04-05 02:00:00 x`)
	})
}

// idOf makes a message id of the given time.
func idOf(t *testing.T, at string) string {
	t.Helper()
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	id := make([]byte, secondsN)
	for n, i := when.Unix(), secondsN-1; i >= 0; n, i = n/base, i-1 {
		id[i] = alphabet[n%base]
	}
	return string(id) + "-000001-00"
}

func TestSyslogWithoutYear(t *testing.T) {
	p := NewParser(nil)
	id := idOf(t, "2026-12-31T23:00:00Z")
	times(t, p, `
		- Dec 31 22:00:00 mx exim[7]: Start queue run: pid=1
		12-31T23:00:01Z Dec 31 23:00:01 mx exim[7]: `+id+` <= a@b U=a P=local S=3
		12-31T23:59:00Z Dec 31 23:59:00 mx exim[7]: Start queue run: pid=1
		2027-01-01T00:10:00Z Jan  1 00:10:00 mx exim[7]: Start queue run: pid=1
		2027-01-02T00:10:00Z Jan  2 00:10:00 mx exim[7]: `+id+` Completed
		- Foo  2 00:10:00 mx exim[7]: x
		- Jan 32 00:10:00 mx exim[7]: x
		- Jan  2 00:10:00 mx
		- Jan  2 00:10:00 mx exim[7]`)
	p = NewParser(zone(t, "America/New_York"))
	p.SetLatest(time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC))
	times(t, p, `
		12-31T12:00:00Z Dec 31 07:00:00 mx exim[7]: Start queue run: pid=1
		2027-01-02T12:00:00Z Jan  2 07:00:00 mx exim[7]: Start queue run: pid=1`)
}

func TestSyslogTag(t *testing.T) {
	p := NewParser(nil)
	p.Tag = "mta-out"
	var e Entry
	p.Parse("2026-11-23T09:42:18.123456+01:00 mx mta-out[4429]: [1/2] 1xVPcx-0001Ao-35 Completed", &e)
	if e.Kind != Completed || e.PID != 4429 || e.LoggedPID || e.Piece != 1 || e.Pieces != 2 || e.Time.Nanosecond() != 123456000 {
		t.Errorf("%+v", e)
	}
	p.Parse("2026-11-23T09:42:18Z mx exim[4429]: 1xVPcx-0001Ao-35 Completed", &e)
	if e.Kind != Unknown || e.PID != 0 || !e.Time.IsZero() {
		t.Errorf("another program's line: %+v", e)
	}
}

// A line's time is read alike whether or not the line before was of the same hour: syslog's has a T, and is none of Exim's own.
func TestSameHourAgain(t *testing.T) {
	for _, line := range []string{
		"2026-11-23T08:27:00 mx exim[12]: 1xVPAA-000001-01 Completed",
		"2026-11-23T08:27:00 1xVPAA-000001-01 Completed",
		"2026-11-23 08:27:00 1xVPAA-000001-01 Completed",
		"2026-11-23 08:59:60 1xVPAA-000001-01 Completed",
		"2026-11-23 08:27:00 -0500 1xVPAA-000001-01 Completed",
		"2026-11-23 08:27:00",
	} {
		p := NewParser(time.UTC)
		var first, again Entry
		p.Parse(line, &first)
		p.Parse(line, &again)
		if first != again {
			t.Errorf("%s\nis at first %+v\nand then %+v", line, first, again)
		}
	}
}
