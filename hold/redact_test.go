package hold

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"Your code is 123 456.": "Your code is ### ###.",
		"code A1B2-C3":          "code ####-##",
		"Reset: https://x.example/r?t=SECRET now": "Reset: [link] now",
		`<a href="HTTP://x.example/">here</a>`:    "<a [link]",
		"go to WWW.example.org":                   "go to [link]",
		"mailto:bob@x.example":                    "[link]",
		"ٱلرمز ١٢٣ and ½":                         "ٱلرمز ### and #",
		"a\r\n\tb\x00\x1b[31m\u202ec":             "a #??[###?#",
		"bad \xff\xfe":                            "bad ?",
	} {
		if got := Redact(text); got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSampleIsSmall(t *testing.T) {
	s := NewSample("id", strings.Repeat("a", 1e4), "b", "c 12", []byte("\n\n one \n\n"+strings.Repeat("x y\n", 1e5)))
	if len(s.From) != longestLine || s.Subject != "c ##" || len(s.Lines) != mostLines || s.Lines[0] != "one" {
		t.Errorf("%+v", s)
	}
}

func TestSampleShowsAddresses(t *testing.T) {
	s := NewSample("id", "Code 77 <a7@x.example>", "b.c46@far.example,\u202e x9@y.example//z", "for b46@far.example", nil)
	if s.From != "Code ## <a7@x.example>" || s.To != "b.c46@far.example,? [link]" && s.To != "b.c46@far.example, ? [link]" || s.Subject != "for ###@###.#######" {
		t.Errorf("%+v", s)
	}
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{"code 1234", "https://a/b?c=d", "\xff\x00\u202e9", strings.Repeat("wörd4 ", 100),
		"http:\u00a0//x", "０１２", "[link]7",
		"hTTp:/\u200b/x", "www\u00ad.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Redact(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > longestLine {
			t.Fatalf("%q is not short valid text", got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsNumber(r) || !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q has %q", got, got[i:])
		}
		if strings.Contains(got, "//") || strings.Contains(strings.ToLower(got), "www.") {
			t.Fatalf("%q has a link", got)
		}
		if again := Redact(got); again != got {
			t.Fatalf("%q is redacted to %q", got, again)
		}
	})
}
