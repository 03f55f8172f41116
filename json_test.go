package osm

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c", "</script>", "\x00\x1f\x7f\n\r\t", "caf\xc3\xa9", "bad\xff\xc3", "\u2028\u2029\u202e", "😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendJSONString([]byte("x:"), s)
		if string(got[:2]) != "x:" {
			t.Fatalf("what was there is gone: %q", got)
		}
		var back string
		if err := json.Unmarshal(got[2:], &back); err != nil {
			t.Fatalf("%q gives %s: %v", s, got[2:], err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Fatalf("%q comes back as %q", s, back)
		}
		if strings.ContainsAny(string(got[2:]), "<\x00\n\u2028") {
			t.Fatalf("unescaped in %s", got)
		}
	})
}
