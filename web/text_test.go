package web

import (
	"fmt"
	"html/template"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/feature/plural"

	"osm"
	"osm/access"
	"osm/hold"
	"osm/incident"
)

func readSpeeches(t *testing.T) []*speech {
	t.Helper()
	all, err := speeches()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 || all[0].Tag() != "en" {
		t.Fatalf("%d languages, the first is %s", len(all), all[0].Tag())
	}
	return all
}

var hole1 = regexp.MustCompile(`\{[a-z]*\}`)

// TestLanguagesAreComplete: every language has every text, with the same values in it, and each form that its numbers need.
func TestLanguagesAreComplete(t *testing.T) {
	all := readSpeeches(t)
	english := all[0]
	for _, s := range all {
		if s.name == "" || english.plainText("format.moment") == s.plainText("format.moment") && s != english {
			t.Errorf("%s: name %q, times %q", s.Tag(), s.name, s.plainText("format.moment"))
		}
		for key := range s.texts {
			if _, known := english.texts[key]; !known {
				t.Errorf("%s has a text %q that English has not", s.Tag(), key)
			}
		}
		for key, want := range english.texts {
			have, known := s.texts[key]
			if !known {
				t.Errorf("%s lacks the text %q", s.Tag(), key)
				continue
			}
			for form, words := range have {
				a, b := hole1.FindAllString(want[plural.Other], -1), hole1.FindAllString(words, -1)
				slices.Sort(a)
				slices.Sort(b)
				if !slices.Equal(slices.Compact(a), slices.Compact(b)) && !(form == plural.One && len(b) == len(a)-1) {
					t.Errorf("%s: %q has the values %v, in English %v", s.Tag(), key, b, a)
				}
			}
			if len(want) > 1 {
				for n := range 200 {
					if form := plural.Cardinal.MatchPlural(s.tag, n, 0, 0, 0, 0); have[form] == "" {
						t.Errorf("%s: %q lacks the form for %d", s.Tag(), key, n)
						break
					}
				}
			}
		}
	}
}

var (
	keyUse  = regexp.MustCompile(`\bt "([a-zA-Z0-9]+\.[a-zA-Z0-9.]*[a-zA-Z0-9])"`)
	wordUse = regexp.MustCompile(`\bword "([a-z]+)"`)
)

// TestTextsExist: every text that a template or the program names is there, and every word of ours has one in each language.
func TestTextsExist(t *testing.T) {
	english := readSpeeches(t)[0]
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	tables, used := map[string]bool{}, 0
	for _, name := range names {
		text, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range keyUse.FindAllStringSubmatch(string(text), -1) {
			used++
			if _, known := english.texts[m[1]]; !known {
				t.Errorf("%s uses the text %q, which there is not", name, m[1])
			}
		}
		for _, m := range wordUse.FindAllStringSubmatch(string(text), -1) {
			tables[m[1]] = true
		}
	}
	if used < 300 {
		t.Errorf("only %d uses were found: the test looks at the wrong thing", used)
	}
	for table := range tables {
		if !slices.ContainsFunc(english.keys(), func(k string) bool { return strings.HasPrefix(k, table+".") }) {
			t.Errorf("no words of %s are there", table)
		}
	}
	words := map[string][]string{}
	add := func(table string, all ...fmt.Stringer) {
		for _, one := range all {
			words[table] = append(words[table], one.String())
		}
	}
	for _, c := range osm.Classes() {
		add("class", c)
	}
	for _, r := range osm.Refusals() {
		add("refusal", r)
	}
	for k := osm.KeyAccount; k <= osm.KeyHost; k++ {
		add("key", k)
		add("keys", k)
	}
	add("action", osm.Accept, osm.Defer, osm.Hold, osm.Reject, osm.Discard, osm.Divert)
	add("outcome", osm.Delivered, osm.Deferred, osm.Failed, osm.Suppressed)
	for s := hold.Held; s <= hold.Gone; s++ {
		add("holdstate", s)
	}
	for _, s := range incident.States() {
		words["state"], words["turned"] = append(words["state"], string(s)), append(words["turned"], string(s))
	}
	for _, r := range access.Roles() {
		words["role"] = append(words["role"], string(r))
	}
	words["signwhy"] = []string{whyWrong, whyThrottled, whyCode, whyOver, whyUnknown, whyProvider, whySignedOut}
	for table, list := range words {
		for _, word := range list {
			if english.plainText(table+"."+word) == "" {
				t.Errorf("there is no word for %s %q", table, word)
			}
		}
	}
}

func TestSay(t *testing.T) {
	all := readSpeeches(t)
	english, german := all[0], all[slices.IndexFunc(all, func(s *speech) bool { return s.Tag() == "de" })]
	for _, c := range []struct {
		s     *speech
		key   string
		pairs []any
		want  template.HTML
	}{
		{english, "held.messages", []any{"n", 1}, "1 message"},
		{english, "held.messages", []any{"n", int64(12345)}, "12,345 messages"},
		{german, "held.messages", []any{"n", 12345}, "12.345 Nachrichten"},
		{german, "held.messages", []any{"n", -1}, "−1 Nachricht"},
		{german, "ago.days", []any{"n", 3}, "vor 3 Tagen"},
		{english, "now.stoppedUnder", []any{"share", english.share(1, 2)}, "50&nbsp;% of all messages"},
		{english, "said.allow", []any{"who", "a@b.example"}, "<bdi>a@<wbr>b.example</bdi> is allowed from now on."},
		{english, "said.block", []any{"who", "<b>\u202eeve\x1b"}, `<bdi>&lt;b&gt;\u202eeve\x1b</bdi> is blocked.`},
	} {
		got, err := c.s.say(c.key, c.pairs...)
		if err != nil || got != c.want {
			t.Errorf("%s %s %v: %q, %v; want %q", c.s.Tag(), c.key, c.pairs, got, err, c.want)
		}
	}
	if _, err := english.say("said.block"); err == nil {
		t.Error("a value is missing, and nothing is said")
	}
	if _, err := english.say("no.such.text"); err == nil {
		t.Error("a text is missing, and nothing is said")
	}
}

// TestPhrases: what the detection says is said in German, values and nested phrases in it too; a stranger's words stay his own.
func TestPhrases(t *testing.T) {
	german := readSpeeches(t)[1]
	for english, want := range map[string]string{
		"412 of 420 recipients never mailed before":                       "412 von 420 Empfängern noch nie angeschrieben",
		"first sent 18 minutes ago":                                       "sendete zuerst vor 18 Minuten",
		"closed by ada: it started again: 3 of 4 recipients do not exist": "abgeschlossen von ada: es fing wieder an: 3 von 4 Empfängern gibt es nicht",
		`HELO "none" not used before`:                                     `HELO "none" noch nie benutzt`,
		"2.1 % of its recipients are new":                                 "2,1 % der Empfänger sind neu",
		"nobody has ever said this":                                       "nobody has ever said this",
		strings.Repeat("x", 3000) + " days ago":                           strings.Repeat("x", 3000) + " days ago",
	} {
		if got := german.phrase(english); got != want {
			t.Errorf("%.80q: %.120q, want %.120q", english, got, want)
		}
	}
}

func TestLongAndAgo(t *testing.T) {
	s := readSpeeches(t)[0]
	hostile := strings.Repeat("<script>\u202e", 20_000)
	got := string(s.long(hostile))
	if !strings.HasPrefix(got, `<details class="long">`) || strings.Contains(got, "<script") || strings.ContainsRune(got, '\u202e') || len(got) > 8*keptBytes {
		t.Errorf("%.300s (%d bytes)", got, len(got))
	}
	if got := s.long("short <b>"); got != "<bdi>short &lt;b&gt;</bdi>" {
		t.Error(got)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{10 * time.Second: "just now", 5 * time.Minute: "5 minutes ago", 30 * time.Hour: "30 hours ago", -72 * time.Hour: "in 3 days"} {
		if got := string(s.ago(now.Add(-d), now)); !strings.Contains(got, ">"+want+"</time>") {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
