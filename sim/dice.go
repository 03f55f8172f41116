package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// dice draws numbers. Every sender and every campaign has its own, seeded by the world's seed and its name, so that
// adding one of them does not change what the others do.
type dice struct{ *rand.Rand }

func newDice(seed uint64, name string) dice {
	return dice{rand.New(rand.NewPCG(seed, hashOf(name)))}
}

// hashOf is FNV-1a with a final mix: the same on every machine and in every run, unlike package maphash.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of SplitMix64.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// unit maps a hash to [0,1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

func (d dice) chance(p float64) bool { return d.Float64() < p }

// span is a range to draw from.
type span struct{ lo, hi float64 }

func (d dice) uniform(s span) float64 { return s.lo + (s.hi-s.lo)*d.Float64() }

// log draws so that every factor of ten is as likely as the next.
func (d dice) log(s span) float64 { return s.lo * math.Pow(s.hi/s.lo, d.Float64()) }

func (d dice) logInt(s span) int { return int(math.Round(d.log(s))) }

func (d dice) int(s span) int { return int(s.lo) + d.IntN(int(s.hi-s.lo)+1) }

// lognormal has the given median and spread (sigma of the logarithm).
func (d dice) lognormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*d.NormFloat64())
}

// poisson counts events of a mean rate.
func (d dice) poisson(mean float64) int {
	if mean > 60 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*d.NormFloat64())))
	}
	limit, p := math.Exp(-mean), 1.0
	for n := 0; ; n++ {
		if p *= d.Float64(); p < limit {
			return n
		}
	}
}

func (d dice) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(d.Int64N(int64(hi-lo)))
}

// wait is the time to the next event of a process with the given mean distance.
func (d dice) wait(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * d.ExpFloat64())
}

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

// skewed draws an index below n, small ones far more often: the few whom everybody writes to.
func (d dice) skewed(n int) int { return int(float64(n) * math.Pow(d.Float64(), 2.2)) }

// halved is 1 after no half-life, 1/2 after one, 1/4 after two.
func halved(lives float64) float64 { return math.Exp2(-lives) }
