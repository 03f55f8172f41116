package osm

import (
	"reflect"
	"testing"
)

// TestMergeOpinions: what several checks said becomes one; a verdict that acts comes before one on trial, the severe before the mild.
func TestMergeOpinions(t *testing.T) {
	var o Opinions
	for _, said := range []Opinions{
		{Listings: []Listing{{List: "a.example"}}, Weight: 1.5, Verdict: Verdict{Action: Reject, Rule: "trial", Shadow: true}},
		{SPF: "pass", Verdict: Verdict{Action: Defer, Rule: "defer"}},
		{Failed: []string{"dmarc"}, DMARC: "none", Verdict: Verdict{Action: Hold, Rule: "hold"}},
		{Listings: []Listing{{List: "b.example"}}, Weight: 0.5, Verdict: Verdict{Action: Defer, Rule: "late"}},
		{Score: 7, ScoredBy: "rspamd", Advice: "add header"},
		{SPF: "fail", Failed: []string{"spf"}},
	} {
		o.Merge(&said)
	}
	want := Opinions{Listings: []Listing{{List: "a.example"}, {List: "b.example"}}, Weight: 2, SPF: "fail", DMARC: "none", Score: 7, ScoredBy: "rspamd",
		Advice: "add header", Failed: []string{"dmarc", "spf"}, Verdict: Verdict{Action: Hold, Rule: "hold"}}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("%+v", o)
	}
}

// TestMergeKeepsEverything: a field that Merge forgets would be an opinion that nobody hears.
func TestMergeKeepsEverything(t *testing.T) {
	var full, o Opinions
	v := reflect.ValueOf(&full).Elem()
	for _, f := range v.Fields() {
		switch f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int:
			f.SetInt(1)
		case reflect.Float64:
			f.SetFloat(1)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		}
	}
	full.Verdict.Action = Reject
	o.Merge(&full)
	if !reflect.DeepEqual(o, full) {
		t.Errorf("%+v becomes %+v", full, o)
	}
}
