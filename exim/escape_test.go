package exim

import "testing"

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"plain":                         "plain",
		`caf\303\251`:                   "café",
		`\344\275\240\345\245\275`:      "你好",
		`folded\n subject\t line`:       "folded\n subject\t line",
		`\"quoted\" and \\`:             `"quoted" and \`,
		`\\303`:                         `\303`,
		`a\`:                            `a\`,
		`\q \9 \400 \38x \1`:            `\q \9 \400 \38x \1`,
		`F\344ltstr\366m`:               "F\xe4ltstr\xf6m",
		`three\bback\bspaces\v\f\r\000`: "three\bback\bspaces\v\f\r\x00",
	} {
		if got := Unescape(in); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", in, got, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { Unescape("no backslash at all") }); n != 0 {
		t.Errorf("Unescape of a plain string allocates %v times", n)
	}
}
