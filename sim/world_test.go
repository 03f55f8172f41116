package sim

import (
	"testing"
	"time"

	"osm"
)

const enronFolder = "../../shared/data/enron"

// tally runs a world with a judge that accepts everything.
func tally(w *World) (kinds map[string]int, events int) {
	kinds = map[string]int{}
	w.Run(func(ev *Event) osm.Action {
		events++
		if ev.Kind == Arrival {
			kinds[ev.Label.Kind] += len(ev.Message.Recipients)
		}
		return osm.Accept
	})
	return kinds, events
}

func TestSmoke(t *testing.T) {
	for _, f := range []Family{Build, Held} {
		begin := time.Now()
		w := New(Config{Seed: 7, Family: f, Accounts: 60, Kinds: Kinds(true, true), Enron: enronFolder})
		made := time.Since(begin)
		kinds, events := tally(w)
		t.Log(f, w.Config.Days, made, time.Since(begin), events, len(w.sends), kinds)
		for _, c := range w.Campaigns {
			t.Logf("%+v", c)
		}
	}
}
