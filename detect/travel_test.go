package detect

import (
	"testing"
	"time"

	"osm"
)

// TestImpossibleTravel: nobody writes from Berlin and, an hour later, from Sydney; a day later he may, and where places are not
// known nothing is said.
func TestImpossibleTravel(t *testing.T) {
	berlin, leipzig, sydney := osm.CoordinatesOf(52.52, 13.41), osm.CoordinatesOf(51.34, 12.37), osm.CoordinatesOf(-33.87, 151.21)
	for _, c := range []struct {
		name     string
		from, to osm.Coordinates
		after    time.Duration
		want     bool
	}{
		{"an hour to Sydney", berlin, sydney, time.Hour, true},
		{"a day to Sydney", berlin, sydney, 24 * time.Hour, false},
		{"a minute to the next town, or a database in error", berlin, leipzig, time.Minute, false},
		{"an unknown past", osm.Coordinates{}, sydney, time.Hour, false},
		{"an unknown place", berlin, osm.Coordinates{}, time.Hour, false},
	} {
		w := newTown(t)
		own := w.anna("Re: topic 1 of day 1", "friend1@far.example")
		own.Where = c.from
		w.accept(own)
		w.pass(c.after)
		for range 2 { // the first is no proof that the second is her
			m := w.thief("203.0.113.9", "hello", "friend2@far.example")
			m.Where = c.to
			w.d.Find(m)
			if got := w.d.look.weights[impossibleTravel]; (got > 0) != c.want {
				t.Errorf("%s weighs %.2f", c.name, got)
			}
			w.d.Learn(m, true)
		}
	}
}
