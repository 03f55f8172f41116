package detect

// slots remembers for the last messages whether they came as their sender's always do: answers of receivers belong to the
// evidence that the message belongs to. A message pushed out by another counts as usual.
type slots []uint64

const slotCells = 1 << 13

func (s slots) put(id uint64, strange bool) {
	h := id &^ 1
	if strange {
		h |= 1
	}
	s[h>>32%slotCells] = h
}

func (s slots) get(id uint64) bool {
	h := id &^ 1
	return s[h>>32%slotCells] == h|1
}
