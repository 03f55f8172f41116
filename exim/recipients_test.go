package exim

import (
	"slices"
	"testing"
)

func TestEachRecipient(t *testing.T) {
	for list, want := range map[string][]string{
		"":                                    nil,
		"a@b":                                 {"a@b"},
		"a@b c@d":                             {"a@b", "c@d"},
		`"sp ace"@far.example ok@far.example`: {`"sp ace"@far.example`, "ok@far.example"},
		`"q\"uo te"@x "a, b"@y z`:             {`"q\"uo te"@x`, `"a, b"@y`, "z"},
		`a."b c".d@x e@f`:                     {`a."b c".d@x`, "e@f"},
		`"never closed@x e@f`:                 {`"never`, "closed@x", "e@f"},
		`"ends \\"@x y`:                       {`"ends \\"@x`, "y"},
		"  a@b  c@d ":                         {"a@b", "c@d"},
	} {
		if got := slices.Collect(EachRecipient(list)); !slices.Equal(got, want) {
			t.Errorf("EachRecipient(%q) = %q, want %q", list, got, want)
		}
	}
	for range EachRecipient("a b c") {
		break
	}
	n := 0
	list := `"sp ace"@far.example ok@far.example x@y`
	if allocs := testing.AllocsPerRun(10, func() {
		for r := range EachRecipient(list) {
			n += len(r)
		}
	}); allocs != 0 {
		t.Errorf("EachRecipient allocates %v times", allocs)
	}
}
