package store

import (
	"encoding/binary"

	"osm"
)

// posting is that a message bears a value, packed in the order of a piece: 5 bits of kind, 32 of value, 27 of the distance of seq
// from the piece before.
type posting uint64

const (
	distanceBits = 27
	valueBits    = 32
)

func newPosting(kind osm.KeyKind, value, distance int64) posting {
	return posting(kind)<<(valueBits+distanceBits) | posting(value)<<distanceBits | posting(distance)
}

func (p posting) kind() osm.KeyKind { return osm.KeyKind(p >> (valueBits + distanceBits)) }
func (p posting) value() uint64     { return uint64(p>>distanceBits) & (1<<valueBits - 1) }
func (p posting) distance() uint64  { return uint64(p) & (1<<distanceBits - 1) }

// A postingList packs the seqs of values that follow each other into one row, since most values of a day are borne by one message
// or two, and then a row of their own would be nearly all of their cost. All numbers are varints: the value less the one before it
// and, as the lowest bit, whether it has many; then how many more; then the first seq less the first of the value before
// (signed), and the distances between the others, from 1 up.
type postingList struct {
	data         []byte
	value, first uint64 // of the last entry
}

// postingRow is how long a list may be, in bytes, unless it has one value only: four of them fill a page.
const postingRow = 980

// add takes the seqs of one value, which is larger than those before.
func (l *postingList) add(value uint64, seqs []uint64) {
	head := (value - l.value) << 1
	if len(seqs) == 1 {
		l.data = binary.AppendUvarint(l.data, head)
	} else {
		l.data = binary.AppendUvarint(l.data, head|1)
		l.data = binary.AppendUvarint(l.data, uint64(len(seqs)-1))
	}
	l.data = binary.AppendVarint(l.data, int64(seqs[0])-int64(l.first))
	for i, seq := range seqs[1:] {
		l.data = binary.AppendUvarint(l.data, seq-seqs[i])
	}
	l.value, l.first = value, seqs[0]
}

// postingsIn adds the seqs of a value in a list's data; what is damaged ends it.
func postingsIn(data []byte, wanted uint64, seqs []int64) []int64 {
	number := func() uint64 {
		n, size := binary.Uvarint(data)
		data = data[max(size, 0):]
		if size <= 0 {
			data = nil
		}
		return n
	}
	value, first := uint64(0), int64(0)
	for len(data) > 0 && value < wanted {
		head, more := number(), uint64(0)
		if value += head >> 1; head&1 != 0 {
			more = number()
		}
		step, size := binary.Varint(data)
		if size <= 0 {
			break
		}
		data, first = data[size:], first+step
		at := first
		if value == wanted {
			seqs = append(seqs, at)
		}
		for ; more > 0 && len(data) > 0; more-- {
			at += int64(number())
			if value == wanted {
				seqs = append(seqs, at)
			}
		}
	}
	return seqs
}
