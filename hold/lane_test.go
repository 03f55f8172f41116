package hold

import (
	"fmt"
	"testing"
	"time"

	"osm"
)

func TestLane(t *testing.T) {
	asked := 0
	yes := func(osm.Key) bool { asked++; return true }
	no := func(osm.Key) bool { asked++; return false }
	found := osm.Verdict{Action: osm.Hold, Key: alice}
	one := func(at time.Time) *osm.Message { return &osm.Message{Time: at, Recipients: []string{"a@b"}} }
	l := NewLane(2)
	for i, want := range []bool{true, true, false} {
		if got := l.Open(one(noon.Add(time.Duration(i)*20*time.Minute)), found, yes); got != want {
			t.Errorf("number %d of the hour: %v", i, got)
		}
	}
	if !l.Open(one(noon.Add(time.Hour)), found, yes) {
		t.Error("none in the next hour")
	}
	bob := osm.Verdict{Action: osm.Hold, Key: osm.Key{Kind: osm.KeyLogin, Value: "bob"}}
	asked = 0
	for range 10 {
		if l.Open(one(noon), bob, no) {
			t.Error("a sender without a past gets in")
		}
	}
	if asked != 1 {
		t.Errorf("it was looked at %d times", asked)
	}
	stopped, many, nobody := found, one(noon.Add(3*time.Hour)), found
	stopped.Action, nobody.Key = osm.Reject, osm.Key{}
	many.Recipients = append(many.Recipients, "c@d")
	for i, open := range []bool{l.Open(one(noon.Add(3*time.Hour)), stopped, yes), l.Open(many, found, yes),
		l.Open(one(noon), nobody, yes),
		NewLane(0).Open(one(noon), found, yes), (*Lane)(nil).Open(one(noon), found, yes)} {
		if open {
			t.Errorf("case %d gets in", i)
		}
	}
	for i := range 2 * mostTurns {
		l.Open(one(noon), osm.Verdict{Action: osm.Hold, Key: osm.Key{Kind: osm.KeyLogin, Value: fmt.Sprint(i)}}, yes)
	}
	if len(l.turns) > mostTurns {
		t.Errorf("%d senders are remembered", len(l.turns))
	}
	if !l.Open(one(noon.Add(9*time.Hour)), bob, yes) {
		t.Error("what is over makes no room")
	}
}
