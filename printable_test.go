package osm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"plain text, 100 %":         "plain text, 100 %",
		"Größe 日本 ☃":                "Größe 日本 ☃",
		`a\b "quoted"`:              `a\b "quoted"`,
		"two\nlines\r\tand a tab":   `two\nlines\r\tand a tab`,
		"\x1b[2J\x1b]0;title\a":     `\x1b[2J\x1b]0;title\a`,
		"\u009b31m C1":              `\u009b31m C1`,
		"a\u202egpj.exe\u202c":      `a\u202egpj.exe\u202c`,
		"\u2066x\u2069\u200f\u061c": `\u2066x\u2069\u200f\u061c`,
		"line\u2028sep\ufeff":       `line\u2028sep\ufeff`,
		"bad \xff\xc3 utf8 \x00":    `bad \xff\xc3 utf8 \x00`,
		"del\x7f":                   `del\x7f`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %s, want %s", text, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x1b\n\r\u202e\u2028\u0085") {
			t.Errorf("Printable(%q) = %q", s, got)
		}
		if again := Printable(got); again != got {
			t.Errorf("what is printable is changed: %q becomes %q", got, again)
		}
	})
}

func TestSecretStaysInside(t *testing.T) {
	type settings struct{ Password Secret }
	s := settings{"hunter2"}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "s", s, "p", s.Password)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "s", s, "p", s.Password)
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q %x", s, s, s, s, s), string(js), logged.String()} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret is shown: %s", text)
		}
	}
	if s.Password.Reveal() != "hunter2" {
		t.Error("Reveal does not tell the secret")
	}
	if Secret("").String() != "" {
		t.Error("a secret that is not set looks like one")
	}
}
