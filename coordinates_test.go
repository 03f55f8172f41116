package osm

import (
	"math"
	"testing"
)

func TestKilometres(t *testing.T) {
	berlin, sydney, suva, apia := CoordinatesOf(52.52, 13.41), CoordinatesOf(-33.87, 151.21), CoordinatesOf(-18.14, 178.44), CoordinatesOf(-13.83, -171.77)
	for _, c := range []struct {
		from, to Coordinates
		want     float64
	}{{berlin, berlin, 0}, {berlin, sydney, 16090}, {sydney, berlin, 16090}, {suva, apia, 1145}, // across the date line
		{CoordinatesOf(90, 0), CoordinatesOf(-90, 0), 20015}} {
		if got := c.from.Kilometres(c.to); math.Abs(got-c.want) > 0.01*c.want+1 {
			t.Errorf("%v to %v is %.0f km, want %.0f", c.from, c.to, got, c.want)
		}
	}
	for _, c := range [][2]float64{{91, 0}, {0, 181}, {math.NaN(), 10}, {math.Inf(1), 0}, {0, 0}} {
		if got := CoordinatesOf(c[0], c[1]); got.Known() {
			t.Errorf("%v is taken for a place: %v", c, got)
		}
	}
}
