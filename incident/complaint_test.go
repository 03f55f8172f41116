package incident

import (
	"testing"
	"time"

	"osm"
)

// A complaint opens an incident of its own, which stops nobody, beside those of what the detection found.
func TestComplain(t *testing.T) {
	b := NewBook(DefaultConfig())
	b.Note(found(noon, "alice", osm.Hold))
	complaint := func(at time.Time) *osm.Message {
		m := found(at, "alice", osm.Accept)
		m.Verdict.Rule, m.Verdict.Passive, m.Verdict.Findings = "complaint", true, nil
		return m
	}
	i, turned := b.Complain(complaint(noon))
	if i == nil || !turned || i.State != Open || i.Action != osm.Accept || !i.Passive || len(b.All()) != 2 {
		t.Fatalf("%+v, turned %v", i, turned)
	}
	again, turned := b.Complain(complaint(noon.Add(time.Hour)))
	if again != i || turned || i.Messages != 2 || !i.Updated.Equal(noon.Add(time.Hour)) {
		t.Errorf("the second complaint: %+v", again)
	}
	for range growth {
		b.Complain(complaint(noon.Add(2 * time.Hour)))
	}
	if got := states(i); got != "open growing" {
		t.Errorf("after many: %s", got)
	}
}
