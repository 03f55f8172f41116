package gateway_test

import (
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

func nameOf(f any) string { return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name() }

// differences are what doc/gateway.md says of one upstream: the answers that the gateway gives in its own words, and the
// extensions that it does not pass on.
type differences struct {
	answers    []*difference
	extensions []*difference

	mu sync.Mutex
}

// difference is a line of a table in the page.
type difference struct {
	commands         []string   // what they begin with
	upstream, theirs []*pattern // the upstream's answer, and the gateway's
}

// pattern is an answer in the page, where … stands for anything.
type pattern struct {
	text string
	re   *regexp.Regexp
	used bool
}

var code = regexp.MustCompile("`([^`]+)`")

func patterns(cell string) (all []*pattern) {
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		text := regexp.QuoteMeta(m[1])
		all = append(all, &pattern{text: m[1], re: regexp.MustCompile("^" + strings.ReplaceAll(text, "…", ".*") + "$")})
	}
	return all
}

// commands are those of a cell: in code, or words such as "the end".
func commands(cell string) (all []string) {
	for part := range strings.SplitSeq(cell, ", ") {
		if !strings.Contains(part, "`") {
			all = append(all, part)
		}
	}
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

func find(all []*pattern, text string) *pattern {
	if i := slices.IndexFunc(all, func(p *pattern) bool { return p.re.MatchString(text) }); i >= 0 {
		return all[i]
	}
	return nil
}

// readDifferences reads the two tables of the page, which begin with the columns "command" and "extension".
func readDifferences(t *testing.T, upstream string) *differences {
	t.Helper()
	text, err := os.ReadFile("../doc/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	d := &differences{}
	var heads []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			heads = nil
		case heads == nil:
			heads = cells
		case strings.HasPrefix(line, "|--"):
		default:
			at := slices.Index(heads, upstream)
			if at < 0 || len(cells) != len(heads) {
				continue
			}
			one := &difference{commands: commands(cells[0]), upstream: patterns(cells[at])}
			if gate := slices.Index(heads, "the gateway"); gate > 0 {
				one.theirs = patterns(cells[gate])
			}
			switch heads[0] {
			case "command":
				d.answers = append(d.answers, one)
			case "extension":
				d.extensions = append(d.extensions, one)
			}
		}
	}
	if len(d.answers) == 0 || len(d.extensions) == 0 {
		t.Fatal("the page has no tables of what differs")
	}
	return d
}

// compare wants the same answers from both, but for what the page says. What follows when only one has ended the
// connection can't be compared.
func (d *differences) compare(t *testing.T, straight, through []exchange) {
	t.Helper()
	for i := range min(len(straight), len(through)) {
		command, theirs, ours := straight[i].command, straight[i].answer, through[i].answer
		if strings.EqualFold(command[:min(4, len(command))], "EHLO") && strings.Contains(theirs, " / ") && strings.Contains(ours, " / ") {
			theirs, ours = d.withoutExtensions(t, theirs, ours)
		}
		if theirs == ours {
			continue
		}
		if !d.says(command, theirs, ours) {
			t.Errorf("%s is answered with\n  %q, and by the gateway with\n  %q", command, theirs, ours)
			t.Logf("| `%s` | `%s` | `%s` |", command, theirs, ours)
		}
		if theirs == closed || ours == closed {
			return
		}
	}
}

func (d *differences) says(command, theirs, ours string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.answers {
		if !slices.ContainsFunc(one.commands, func(c string) bool { return strings.HasPrefix(strings.ToUpper(command), strings.ToUpper(c)) }) {
			continue
		}
		if a, b := find(one.upstream, theirs), find(one.theirs, ours); a != nil && b != nil {
			a.used, b.used = true, true
			return true
		}
	}
	return false
}

// withoutExtensions compares those of EHLO's answers, and leaves the first lines.
func (d *differences) withoutExtensions(t *testing.T, theirs, ours string) (string, string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	a, b := strings.Split(theirs, " / "), strings.Split(ours, " / ")
	cut := func(all []string) (words []string) {
		for _, line := range all[1:] {
			words = append(words, line[4:])
		}
		return words
	}
	offered, passed := cut(a), cut(b)
	for _, e := range passed {
		if !slices.Contains(offered, e) {
			t.Errorf("the gateway offers %q, which the upstream does not: %q", e, offered)
		}
	}
	for _, e := range offered {
		if slices.Contains(passed, e) {
			continue
		}
		known := false
		for _, one := range d.extensions {
			if p := find(one.upstream, e); p != nil {
				p.used, known = true, true
			}
		}
		if !known {
			t.Errorf("the gateway does not offer %q: %q", e, passed)
		}
	}
	return a[0], b[0]
}

// unused wants that nothing stands in the page that is not so.
func (d *differences) unused(t *testing.T) {
	t.Helper()
	for _, one := range append(slices.Clone(d.answers), d.extensions...) {
		if len(one.upstream) > 0 && !slices.ContainsFunc(one.upstream, func(p *pattern) bool { return p.used }) {
			t.Errorf("the page says that the upstream answers %s with %q and the gateway otherwise, which is not so", one.commands, one.upstream[0].text)
		}
	}
}
