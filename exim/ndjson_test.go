package exim

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestWriteNDJSON(t *testing.T) {
	log := `2026-11-23 08:25:24 1xVPMa-0000Tw-18 <= alice@osm.test U=alice P=local S=327 T="=?UTF-8?Q?caf=C3=A9?= \"x\"\n\377"
2026-11-23 08:25:24 1xVPMa-0000Tw-18 Completed
Nov 23 08:38:12 mx exim[7]: [1/2] 2026-11-23 08:38:12 1xVPMa-0000Tw-18 => x@y R=r
other
Nov 23 08:38:12 mx exim[7]: [2/2]  T=t
2026-11-23 08:25:24 cwd=/tmp/x
Nov 23 08:38:12 mx exim[8]: [1/2] 2026-11-23 08:38:12 an end without newline`
	want := `{"time":"2026-11-23T08:25:24Z","id":"1xVPMa-0000Tw-18","kind":"arrival","sender":"alice@osm.test","protocol":"local","user":"alice","size":327,"subject":"café \"x\"\n` + "\ufffd" + `"}
{"time":"2026-11-23T08:25:24Z","id":"1xVPMa-0000Tw-18","kind":"completed"}
{"kind":"unknown","text":"other"}
{"time":"2026-11-23T08:38:12Z","id":"1xVPMa-0000Tw-18","kind":"delivery","pid":7,"address":"x@y","router":"r  T=t"}
`
	want = strings.Replace(want, `"r  T=t"`, `"r","transport":"t"`, 1) + `{"time":"2026-11-23T08:25:24Z","kind":"submission","dir":"/tmp/x","forged":"torn-cwd"}
{"time":"2026-11-23T08:38:12Z","kind":"notice","pid":8,"forged":"after-torn-cwd","text":"an end without newline"}
`
	var out strings.Builder
	stats, err := WriteNDJSON(&out, iotest.OneByteReader(strings.NewReader(log)), Options{})
	if err != nil || out.String() != want {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, out.String(), want)
	}
	if stats.Lines != 6 || stats.Bytes != int64(len(log)) || stats.Kinds[Arrival] != 1 || stats.Kinds[Unknown] != 1 ||
		stats.Undated != 1 || stats.Remarks != 1 || stats.Forged != 2 || stats.Cut != 0 {
		t.Errorf("%+v", stats)
	}
}

// TestHugeLine: of a line of several megabytes only the beginning counts, and the next is read again.
func TestHugeLine(t *testing.T) {
	log := "2026-11-23 08:25:24 1xVPMa-0000Tw-18 <= alice@osm.test U=alice P=local S=327 for " + strings.Repeat("a@b ", maxLine) +
		"\n2026-11-23 08:25:24 1xVPMa-0000Tw-18 Completed\n"
	var out strings.Builder
	stats, err := WriteNDJSON(&out, strings.NewReader(log), Options{})
	if err != nil || stats.Cut != 1 || stats.Lines != 2 || stats.Bytes != int64(len(log)) || stats.Kinds[Completed] != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	if n := strings.Count(out.String(), `"a@b"`); n < maxLine/4-100 || n > maxLine/4 {
		t.Errorf("%d recipients", n)
	}
}

// TestNDJSONErrors: the first error of the reader or the writer ends it.
func TestNDJSONErrors(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader("x\n"), iotest.ErrReader(broken))
	if stats, err := WriteNDJSON(io.Discard, in, Options{}); err != broken || stats.Lines != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	full := writer(func([]byte) (int, error) { return 0, broken })
	if _, err := WriteNDJSON(full, strings.NewReader("x\n"), Options{}); err != broken {
		t.Error(err)
	}
	many := strings.NewReader(strings.Repeat("2026-11-23 08:25:24 x\n", 10000))
	if stats, err := WriteNDJSON(full, many, Options{}); err != broken || stats.Lines == 10000 {
		t.Errorf("%+v, %v", stats, err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestJSONIsValid: whatever a line holds, its object is JSON and UTF-8.
func TestJSONIsValid(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	nasty := strings.ReplaceAll(string(all), "\n", "")
	for _, line := range []string{nasty, "2026-11-23 08:25:24 1xVPMa-0000Tw-18 <= " + nasty + " T=\"" + nasty + "\" for " + nasty,
		"2026-11-23 08:25:24 cwd=" + nasty + " 1 args: " + nasty, "2026-11-23 08:25:24 1xVPMa-0000Tw-18 <= a U=b for  "} {
		var e Entry
		NewParser(nil).Parse(line, &e)
		got := AppendJSON(nil, &e)
		if !json.Valid(got) || !utf8.Valid(got) {
			t.Errorf("%s", got)
		}
	}
}

func TestDecodeSubject(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                             "plain",
		`caf\303\251 \"x\"`:                 `café "x"`,
		"=?UTF-8?Q?caf=C3=A9_x?=":           "café x",
		"=?utf-8?B?w6k=?= =?utf-8?B?w6k=?=": "éé",
		"=?iso-8859-2?Q?=E8?=":              "č",
		"=?windows-1251?B?z/Do4uXy?=":       "Привет",
		"=?nonsense?Q?x?=":                  "=?nonsense?Q?x?=",
		"=?UTF-8?Q?cut":                     "=?UTF-8?Q?cut",
		`bad \377 \303`:                     "bad \ufffd \ufffd",
	} {
		if got := DecodeSubject(in); got != want {
			t.Errorf("DecodeSubject(%q) = %q, want %q", in, got, want)
		}
	}
}
