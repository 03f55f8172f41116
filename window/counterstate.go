package window

import "encoding/binary"

// AppendState appends what the counter holds, in a form that LoadState reads.
func (c *Counter) AppendState(b []byte) []byte {
	b = binary.AppendVarint(b, c.head)
	for _, n := range c.ring {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

// LoadState takes over what a counter of the same span and number of buckets held. Anything else changes nothing and is
// reported as false.
func (c *Counter) LoadState(b []byte) bool {
	head, size := binary.Varint(b)
	if size <= 0 {
		return false
	}
	ring, sum := make([]uint32, len(c.ring)), uint64(0)
	for i := range ring {
		b = b[size:]
		var n uint64
		if n, size = binary.Uvarint(b); size <= 0 || n > 1<<32-1 {
			return false
		}
		ring[i] = uint32(n)
		sum += n
	}
	if len(b) != size {
		return false
	}
	c.head, c.ring, c.sum = head, ring, sum
	return true
}
