package exim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"
)

// FuzzParse: whatever a line holds, parsing it does not panic, every field is a part of the line, nothing of the line
// before is left over, and the result is JSON.
func FuzzParse(f *testing.F) {
	for _, line := range generate(40, true) {
		f.Add(line)
	}
	for _, line := range seeds {
		f.Add(line)
	}
	files, _ := filepath.Glob("../../shared/data/exim-samples/*/mainlog")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if i%23 == 0 {
				f.Add(line)
			}
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		fresh, used := new(Entry), new(Entry)
		NewParser(time.UTC).Parse(line, fresh)
		p := NewParser(time.UTC)
		for _, before := range seeds {
			p.Parse(before, used)
		}
		p.clock.last = 0 // the only state that a line may depend on
		p.Parse(line, used)
		if !reflect.DeepEqual(fresh.Head, used.Head) || fresh.Fields != used.Fields { // zones are pointers
			t.Errorf("a used parser and entry give\n%+v\na fresh one\n%+v", used, fresh)
		}
		if !fresh.filled && fresh.Fields != (Fields{}) {
			t.Errorf("fields that would not be wiped: %+v", fresh.Fields)
		}
		partsOf(t, line, reflect.ValueOf(fresh.Head))
		partsOf(t, line, reflect.ValueOf(fresh.Fields))
		if object := AppendJSON(nil, fresh); !json.Valid(object) || !utf8.Valid(object) {
			t.Errorf("no JSON: %s", object)
		}
		var forgery Forgery
		forgery.Look(fresh)
		var joiner Joiner
		joiner.Join(line)
		Unescape(line)
		DecodeSubject(line)
	})
}

// seeds are lines that lead far into the grammar.
var seeds = []string{
	`2000-01-01 00:00:00 000000-000000-00 (= 0 H=) [ H=0(`, // the bracket lies behind the end of the HELO
	`2026-11-23 08:27:00.284 -0500 [10397] 1xVPO8-0002hh-0u <= "a b"@osm.test H=h (x) [127.0.0.1]:4 I=[::1]:25 U=a b P=esmtp X=c CV=no DN="CN=\"" ` +
		`A=l:u v:w S=3 Q=q id="x y"@z T="\"s\\\303" from <"<>"@x> for "sp ace"@far.example ok@far.example`,
	`2026-11-23 08:27:01 1xVPXh-000000005gA-0Quz => a b@x (c@d) <"a b"@x> F=<y> P=<z> R=r T=t S=1 H=h [1.2.3.4]:25* C="250 \"OK\"" QT=1s DT=1s`,
	`2026-11-23 08:27:01 1xVPO8-0002hh-0w == x@y R=r T=t defer (-44): a H=h [1.2.3.4]: SMTP error: 451 4.7.1 x`,
	`2026-11-23 08:27:01 1xVPO8-0002hh-0w ** |c: d <x@y> R=r : 550-5.1.1 no\n550 5.1.1 no DT=1s`,
	`2026-11-23 08:27:01 cwd=/a 2 args: b 3 args: /usr/sbin/sendmail "a 1 args: b" -t`,
	`2026-11-23 08:27:01 H=(x) [1.2.3.4] F=<a@b> temporarily rejected RCPT <"a b"@c>: 450 4.2.1 no`,
	`2026-11-23 08:27:01 plain authenticator failed for (x) [1.2.3.4]: 535 Incorrect (set_id=x)`,
	`2026-11-23 08:27:01 SMTP syntax error in "x" H=(y) [1.2.3.4] NUL`,
	`Nov 23 08:38:12 mx exim[24940]: [1\13] [24940] 1xVPYy-0006UG-1i H=(x) [1.2.3.4] rejected after DATA: y`,
	`<22>2026-11-23T09:42:18.123456+01:00 mx exim4[4429]: 1xVPcx-0001Ao-35 Completed`,
	"2026-11-23 08:27:01 1xVPO8-0002hh-0w => x < < < R=r <a> T=t <b> <\"",
}

// partsOf checks that every string field is a part of line, not a copy, and of the same bytes.
func partsOf(t *testing.T, line string, entry reflect.Value) {
	t.Helper()
	start := uintptr(unsafe.Pointer(unsafe.StringData(line)))
	for i := range entry.NumField() {
		field := entry.Field(i)
		name := entry.Type().Field(i).Name
		if field.Kind() != reflect.String || field.Len() == 0 || name == "Phase" {
			continue // a phase may be a word of our own
		}
		at := uintptr(unsafe.Pointer(unsafe.StringData(field.String())))
		if at < start || at+uintptr(field.Len()) > start+uintptr(len(line)) {
			t.Errorf("%s %q is no part of %q", name, field.String(), line)
		}
	}
}

// TestParseDoesNotAllocate covers every kind of line, not only the common ones of the benchmark.
func TestParseDoesNotAllocate(t *testing.T) {
	p, e := NewParser(time.UTC), new(Entry)
	for _, line := range append(generate(8, true), seeds...) {
		p.Parse(line, e)
		if n := testing.AllocsPerRun(5, func() { p.Parse(line, e) }); n != 0 {
			t.Errorf("%v allocations: %s", n, line)
		}
	}
}

// TestHostileLines: lines that make a careless reader slow, of a megabyte each. The test's own limit is go test's.
func TestHostileLines(t *testing.T) {
	p, e := NewParser(time.UTC), new(Entry)
	for _, start := range []string{"", "2026-11-23 08:27:01 ", "2026-11-23 08:27:01 1xVPO8-0002hh-0w => ", "2026-11-23 08:27:01 1xVPO8-0002hh-0w ** ",
		"2026-11-23 08:27:01 1xVPO8-0002hh-0w == x R=r defer (-1): ", "2026-11-23 08:27:01 1xVPO8-0002hh-0w <= ", "2026-11-23 08:27:01 cwd=",
		"2026-11-23 08:27:01 H=(", "2026-11-23 08:27:01 SMTP ", "2026-11-23 08:27:01 x authenticator failed for ", "Nov 23 08:38:12 mx exim[1]: ["} {
		for _, unit := range []string{"x", " ", "<", " <", " <\"", "\"", "\\", "\\\"", " (", " (x) <", " 1 args: ", " 2 args: a", "[", "] ", ": ", " H=", ") [",
			"T=\"", " for ", " from <", "=", "\x00", "\xff", "> ", "<a> ", " <a>"} {
			p.Parse(start+strings.Repeat(unit, (1<<20)/len(unit)), e)
			n := 0
			for range EachRecipient(e.Recipients) {
				n++
			}
		}
	}
}
