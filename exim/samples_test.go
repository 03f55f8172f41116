package exim

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// realLogs returns the files of a folder with logs of real servers, which are no part of the project.
func realLogs(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../shared/data", pattern))
	if err != nil || len(files) == 0 {
		t.Skipf("no logs of real servers at ../../shared/data/%s", pattern)
	}
	return files
}

// eachEntry parses a file.
func eachEntry(t *testing.T, file string, fn func(e *Entry)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, e := NewParser(time.UTC), new(Entry)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		p.Parse(lines.Text(), e)
		fn(e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// What a line is, told by a simpler reading than the parser's own.
var (
	dated   = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	flagged = regexp.MustCompile(`^\S+ \S+ (?:[-+]\d{4} )?(?:\[\d+\] )?\w{6}-\w{6,11}-\w{2,4} (<=|\(=|=>|->|>>|\*>|==|\*\*|Completed)(?: |$)`)
	rejects = regexp.MustCompile(`^\S+ \S+ (?:[-+]\d{4} )?(?:\[\d+\] )?(?:\w{6}-\w{6,11}-\w{2,4} )?(?:[HUF]=.*)?\b(?:temporarily )?rejected (?:RCPT|MAIL|DATA|EHLO|HELO|VRFY|AUTH|connection|after DATA|from <|by )`)
	ofFlag  = map[string]Kind{"<=": Arrival, "(=": Fakereject, "=>": Delivery, "->": Delivery, ">>": Cutthrough, "*>": Suppressed, "==": Deferral, "**": Failure, "Completed": Completed}
)

// checkLine compares an entry with the simpler reading of its line.
func checkLine(t *testing.T, e *Entry) {
	t.Helper()
	if e.Time.IsZero() != !dated.MatchString(e.Line) {
		t.Errorf("time %v of %s", e.Time, e.Line)
	}
	m := flagged.FindStringSubmatch(e.Line)
	switch {
	case m != nil && e.Kind != ofFlag[m[1]]:
		t.Errorf("%v: %s", e.Kind, e.Line)
	case m == nil && rejects.MatchString(e.Line) && e.Kind != Rejection:
		t.Errorf("%v: %s", e.Kind, e.Line)
	case e.Kind == Rejection && e.Phase == "" && e.Remark:
		t.Errorf("a rejection of nothing: %s", e.Line)
	}
	switch e.Kind {
	case Arrival, Fakereject:
		checkArrival(t, e)
	case Delivery, Cutthrough, Suppressed, Deferral, Failure:
		checkDelivery(t, e)
	}
}

var (
	hasHost   = regexp.MustCompile(` H=[^ ]* ?(?:\([^ ]*\) )?(?:DS )?\[`)
	hasRouter = regexp.MustCompile(`^\S+ \S+ .*? R=\w+`)
	hasSize   = regexp.MustCompile(` S=\d`)
)

func checkArrival(t *testing.T, e *Entry) {
	t.Helper()
	if e.ID == "" || !e.HasSender || e.Protocol == "" || e.IP == "" && e.User == "" {
		t.Errorf("id %q, sender %t %q, protocol %q, client %q, user %q: %s", e.ID, e.HasSender, e.Sender, e.Protocol, e.IP, e.User, e.Line)
	}
	if hasHost.MatchString(e.Line) != (e.IP != "") || hasSize.MatchString(e.Line) && e.Size == 0 && e.Subject == "" {
		t.Errorf("client %q, size %d: %s", e.IP, e.Size, e.Line)
	}
	for r := range EachRecipient(e.Recipients) {
		if r == "" {
			t.Errorf("an empty recipient: %s", e.Line)
		}
	}
}

func checkDelivery(t *testing.T, e *Entry) {
	t.Helper()
	discarded := e.Address == "blackhole"
	if e.ID == "" || e.Address == "" || !discarded && hasRouter.MatchString(e.Line) && e.Router == "" {
		t.Errorf("id %q, address %q, router %q: %s", e.ID, e.Address, e.Router, e.Line)
	}
	if e.Kind == Failure && e.Answer == "" {
		t.Errorf("a failure without a reason: %s", e.Line)
	}
	if (e.Kind == Delivery || e.Kind == Failure) && hasHost.MatchString(e.Line) && e.IP == "" {
		t.Errorf("host %q without an address: %s", e.Host, e.Line)
	}
}

// TestSuiteLogs reads the expected logs of Exim's own test suite: many odd situations.
func TestSuiteLogs(t *testing.T) {
	lines, unknown := 0, 0
	for _, file := range realLogs(t, "exim-suite-logs/*") {
		eachEntry(t, file, func(e *Entry) {
			checkLine(t, e)
			if !dated.MatchString(e.Line) {
				return
			}
			lines++
			if e.Kind == Unknown {
				unknown++
				t.Logf("unknown: %s", e.Line)
			}
		})
	}
	t.Logf("%d dated lines, %d unknown", lines, unknown)
	if lines < 1000 || unknown*100 >= lines {
		t.Errorf("%d of %d dated lines are unknown", unknown, lines)
	}
}

// TestSampleLogs reads the logs of real servers with different selectors.
func TestSampleLogs(t *testing.T) {
	for _, file := range realLogs(t, "exim-samples/*/mainlog") {
		if filepath.Base(filepath.Dir(file)) == "syslog" {
			continue // not Exim's own file: see TestSyslogSamples
		}
		eachEntry(t, file, func(e *Entry) {
			checkLine(t, e)
			if e.Kind == Unknown && dated.MatchString(e.Line) {
				t.Errorf("%s: unknown: %s", file, e.Line)
			}
			if e.LoggedPID && e.Kind == Arrival && e.foreignPID || e.foreignTime {
				t.Errorf("%s: an honest line looks foreign: %s", file, e.Line)
			}
		})
	}
}

// TestSelectorsAgree compares what the same traffic left in the logs of servers with different selectors. Bounces and
// what becomes of them depend on timing and are left out.
func TestSelectorsAgree(t *testing.T) {
	realLogs(t, "exim-samples/all/mainlog")
	facts := func(selector string) map[string]int {
		found := make(map[string]int)
		eachEntry(t, filepath.Join("../../shared/data/exim-samples", selector, "mainlog"), func(e *Entry) {
			switch {
			case (e.Kind == Arrival || e.Kind == Fakereject) && e.Sender != "":
				found[fmt.Sprint(e.Kind, e.Sender, e.Helo, e.IP, e.User, e.Protocol, e.Auth, e.Login)]++
			case e.Kind == Delivery && e.Original != "alice@osm.test" && e.Address != "r@far.example":
				found[fmt.Sprint(e.Kind, e.Additional, e.Address, "<", e.Original, e.Router, e.Transport, e.Host, e.IP, e.Code)]++
			case e.Kind == Rejection:
				found[fmt.Sprint(e.Kind, e.Phase, e.Sender, e.Address, e.Helo, e.IP, e.Temporary)]++
			case e.Kind == AuthFailure:
				found[fmt.Sprint(e.Kind, e.Auth, e.Login, e.Helo, e.IP, e.Code)]++
			}
		})
		return found
	}
	want := facts("all")
	if len(want) < 100 {
		t.Fatalf("only %d different facts", len(want))
	}
	for _, selector := range []string{"default", "debian", "hestia", "cpanel", "directadmin", "all-tz", "osm-recommended"} {
		got := facts(selector)
		for fact := range maps.Keys(want) {
			if got[fact] != want[fact] {
				t.Errorf("%s: %d times, with all %d times: %s", selector, got[fact], want[fact], fact)
			}
		}
		for fact := range maps.Keys(got) {
			if want[fact] == 0 {
				t.Errorf("%s: not with all: %s", selector, fact)
			}
		}
	}
}

// TestSyslogSamples reads the same lines as syslog wrote them, with Exim's own time and without.
func TestSyslogSamples(t *testing.T) {
	files := append(realLogs(t, "exim-samples/syslog/mainlog"), realLogs(t, "exim-samples/syslog-notimestamp/maillog")...)
	for _, file := range files {
		arrivals, strays := 0, 0
		p, e := NewParser(time.UTC), new(Entry)
		p.SetLatest(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
		eachEntry(t, file, func(raw *Entry) {
			p.Parse(raw.Line, e)
			exims := strings.Contains(raw.Line, " exim")
			if exims != (e.Time.Year() == 2026 && e.PID != 0 && e.Kind != Unknown) {
				strays++
			}
			if e.Kind == Arrival {
				arrivals++
				checkArrival(t, e)
			}
		})
		if arrivals < 100 || strays > 0 {
			t.Errorf("%s: %d arrivals, %d lines misread", file, arrivals, strays)
		}
	}
}

// TestRejectlogs reads rejectlogs and paniclogs, whose entries have headers behind them.
func TestRejectlogs(t *testing.T) {
	for _, file := range append(realLogs(t, "exim-samples/*/rejectlog"), realLogs(t, "exim-samples/*/paniclog")...) {
		eachEntry(t, file, func(e *Entry) {
			switch {
			case dated.MatchString(e.Line) && e.Kind == Unknown:
				t.Errorf("unknown: %s", e.Line)
			case !dated.MatchString(e.Line) && e.Kind != Continuation && e.Line != "" && e.Line[0] != '-':
				t.Errorf("%v: %s", e.Kind, e.Line)
			}
		})
	}
}
