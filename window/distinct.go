package window

import (
	"math"
	"math/bits"
)

// Distinct counts different values by their 64-bit hashes: exactly up to 16, then by a HyperLogLog of 256 registers
// (Flajolet et al. 2007) with a standard error of 6.5 %. It takes 24 to 300 bytes. The zero value is empty.
type Distinct struct {
	exact     []uint64
	registers []uint8
}

const (
	exactLimit = 16
	registers  = 256
)

// Add counts a value and tells whether it changed the count.
func (d *Distinct) Add(hash uint64) bool {
	if d.registers != nil {
		return d.register(hash)
	}
	for _, h := range d.exact {
		if h == hash {
			return false
		}
	}
	if len(d.exact) < exactLimit {
		d.exact = append(d.exact, hash)
		return true
	}
	d.registers = make([]uint8, registers)
	for _, h := range d.exact {
		d.register(h)
	}
	d.exact = nil
	return d.register(hash)
}

func (d *Distinct) register(hash uint64) bool {
	hash = Mix(hash) // callers may bring weak hashes
	rank := uint8(bits.LeadingZeros64(hash<<8|1<<7) + 1)
	if cell := &d.registers[hash>>56]; rank > *cell {
		*cell = rank
		return true
	}
	return false
}

// Count is the number of different values.
func (d *Distinct) Count() int {
	if d.registers == nil {
		return len(d.exact)
	}
	sum, empty := 0.0, 0
	for _, r := range d.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	const m = float64(registers)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && empty > 0 { // linear counting in the small range
		estimate = m * math.Log(m/float64(empty))
	}
	return int(math.Round(estimate))
}

// Merge adds all values of another count.
func (d *Distinct) Merge(o *Distinct) {
	for _, h := range o.exact {
		d.Add(h)
	}
	if o.registers == nil {
		return
	}
	if d.registers == nil {
		d.registers = make([]uint8, registers)
		for _, h := range d.exact {
			d.register(h)
		}
		d.exact = nil
	}
	for i, r := range o.registers {
		d.registers[i] = max(d.registers[i], r)
	}
}

// Reset forgets all values.
func (d *Distinct) Reset() { d.exact, d.registers = d.exact[:0], nil }
