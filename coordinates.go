package osm

import "math"

// Coordinates are a place on earth in hundredths of a degree, which is finer than what is known of addresses. The zero value is an
// unknown place, which is also what databases of addresses mean by it.
type Coordinates struct{ Latitude, Longitude int16 }

// CoordinatesOf rounds degrees; what is no place on earth is unknown.
func CoordinatesOf(latitude, longitude float64) Coordinates {
	if !(math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180) {
		return Coordinates{}
	}
	return Coordinates{int16(math.Round(latitude * 100)), int16(math.Round(longitude * 100))}
}

// Known tells whether it is a place at all.
func (c Coordinates) Known() bool { return c != Coordinates{} }

// Kilometres is the distance along a great circle, on a sphere (haversine), so within 0.5 %.
func (c Coordinates) Kilometres(to Coordinates) float64 {
	const earth, unit = 6371, math.Pi / 18000
	half := func(a, b int16) float64 {
		s := math.Sin(float64(int(a)-int(b)) * unit / 2)
		return s * s
	}
	h := half(c.Latitude, to.Latitude) +
		math.Cos(float64(c.Latitude)*unit)*math.Cos(float64(to.Latitude)*unit)*half(c.Longitude, to.Longitude)
	return 2 * earth * math.Asin(math.Sqrt(min(h, 1)))
}
