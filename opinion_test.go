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
		{Scores: []Score{{By: "rspamd", Points: 7}}},
		{Scores: []Score{{By: "spamassassin", Points: 3}}},
		{SPF: "fail", Failed: []string{"spf"}},
	} {
		o.Merge(&said)
	}
	want := Opinions{Listings: []Listing{{List: "a.example"}, {List: "b.example"}}, Weight: 2, SPF: "fail", DMARC: "none",
		Scores: []Score{{By: "rspamd", Points: 7}, {By: "spamassassin", Points: 3}}, Failed: []string{"dmarc", "spf"}, Verdict: Verdict{Action: Hold, Rule: "hold"}}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("%+v", o)
	}
}

// TestWorstScore: scanners have scales of their own.
func TestWorstScore(t *testing.T) {
	rspamd := func(points, enough float64) Score { return Score{By: "rspamd", Points: points, Enough: enough} }
	other := func(points, enough float64) Score { return Score{By: "spamassassin", Points: points, Enough: enough} }
	for _, c := range []struct{ rspamd, other, worst Score }{
		{rspamd(10, 15), other(6, 5), other(6, 5)},
		{rspamd(14, 15), other(4, 5), rspamd(14, 15)},
		{rspamd(15, 15), other(5, 5), rspamd(15, 15)},
		{rspamd(-3, 15), other(-3, 5), rspamd(-3, 15)},
		{rspamd(90, 0), other(1, 5), other(1, 5)},
	} {
		for _, scores := range [][]Score{{c.rspamd, c.other}, {c.other, c.rspamd}} {
			o := Opinions{Scores: scores}
			if got := o.Worst(); got != c.worst && got.part() != c.worst.part() {
				t.Errorf("%+v: %+v", scores, got)
			}
		}
	}
	if got := (&Opinions{}).Worst(); got != (Score{}) {
		t.Errorf("of none: %+v", got)
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
