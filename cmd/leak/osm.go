package main

import (
	"time"

	"osm"
	"osm/detect"
	"osm/sim"
)

// detector is osm's own judge with its default settings. Before the given time nothing is stopped and everything is
// learned from, as when the baselines are filled from old logs.
func detector(learned time.Time) sim.Decide {
	d := detect.New(detect.DefaultConfig())
	return func(ev *sim.Event) osm.Action {
		switch ev.Kind {
		case sim.Arrival:
			found := d.Find(ev.Message)
			d.Learn(ev.Message, found.Action == osm.Accept || ev.Time.Before(learned))
			ev.Message.Verdict = osm.Verdict{Action: found.Action, Rule: found.Rule, Reason: found.Reason, Detail: found.Detail,
				Score: found.Score}
			return found.Action
		case sim.Delivery:
			d.Delivery(ev.Message, ev.Delivery)
		case sim.AuthFailure:
			d.AuthFailure(ev.Time, ev.Failure.Login, ev.Failure.Client)
		}
		return osm.Accept
	}
}
