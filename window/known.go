package window

// Known is a set of 64-bit hashes that forgets its oldest members when it is full. It grows from small to its limit and
// takes 11 to 22 bytes a member. It answers wrongly "known" for one hash in 10^12, and wrongly "unknown" only for what it
// had to forget. It is kept in pages, so that little has to be saved when little changed. Make it with NewKnown.
type Known struct {
	cells []uint64 // 48 bits of the hash and 16 bits of age; 0 is empty
	used  int
	limit int    // most cells, a power of two
	dirty []bool // per page
	whole bool   // all pages changed place
}

const (
	pageCells = 64 // hashes fall anywhere: a larger page is mostly written for nothing
	probe     = 24 // cells looked at for one hash
	ageUnit   = 6 * 3600
	minCells  = 32 * pageCells
	ageBits   = 16
)

// NewKnown makes an empty set for about limit members.
func NewKnown(limit int) *Known {
	return &Known{cells: make([]uint64, minCells), dirty: make([]bool, minCells/pageCells), limit: cellsFor(limit)}
}

func cellsFor(limit int) int {
	cells := minCells
	for cells*3/4 < limit && cells < 1<<28 {
		cells *= 2
	}
	return cells
}

// KnownMemory is the most memory that a set for about limit members takes, in bytes, while it grows too.
func KnownMemory(limit int) int64 { return int64(cellsFor(limit)) * 8 * 3 / 2 }

func age(now Seconds) uint64 { return uint64(now/ageUnit) & (1<<ageBits - 1) }

func tag(hash uint64) uint64 {
	if hash>>ageBits == 0 {
		return 1 << ageBits
	}
	return hash &^ (1<<ageBits - 1)
}

// home is where the search for a cell begins, before it is cut to the size of the table.
func home(cell uint64) int { return int((cell>>40 ^ cell>>ageBits) & 0xffffff) }

// Has tells whether the hash is a member.
func (k *Known) Has(hash uint64) bool {
	t := tag(hash)
	at, mask := home(t), len(k.cells)-1
	for i := range probe {
		c := k.cells[(at+i)&mask]
		if c&^(1<<ageBits-1) == t {
			return true
		}
		if c == 0 {
			return false
		}
	}
	return false
}

// Add makes the hash a member, or fresh again, and tells whether it was one before.
func (k *Known) Add(hash uint64, now Seconds) bool {
	return k.put(tag(hash)|age(now), now)
}

// put finds a cell's place: its own, an empty one, or, when the set may not grow any more, that of the oldest of those it
// could take. now only orders the others by age.
func (k *Known) put(cell uint64, now Seconds) bool {
	if k.used*4 > len(k.cells)*3 && len(k.cells) < k.limit {
		k.grow()
	}
	at, mask := home(cell), len(k.cells)-1
	for i := range probe {
		p := (at + i) & mask
		switch c := k.cells[p]; {
		case c == 0:
			k.used++
			k.set(p, cell)
			return false
		case c>>ageBits == cell>>ageBits:
			if c != cell {
				k.set(p, cell)
			}
			return true
		}
	}
	if len(k.cells) < k.limit { // crowded here, though not everywhere
		k.grow()
		return k.put(cell, now)
	}
	k.set(k.oldest(at, now), cell)
	return false
}

// oldest is the cell that was fresh longest ago, of those that a search from at looks at.
func (k *Known) oldest(at int, now Seconds) (oldest int) {
	mask, years := len(k.cells)-1, uint64(0)
	oldest = at & mask
	for i := range probe {
		p := (at + i) & mask
		if a := (age(now) - k.cells[p]) & (1<<ageBits - 1); a > years {
			oldest, years = p, a
		}
	}
	return oldest
}

func (k *Known) set(at int, cell uint64) {
	k.cells[at] = cell
	k.dirty[at/pageCells] = true
}

func (k *Known) grow() {
	old := k.cells
	k.cells, k.used = make([]uint64, 2*len(old)), 0
	k.dirty, k.whole = make([]bool, len(k.cells)/pageCells), true
	for _, c := range old {
		if c != 0 {
			k.put(c, Seconds(c&(1<<ageBits-1))*ageUnit)
		}
	}
}

// Len is the number of members.
func (k *Known) Len() int { return k.used }

// Pages is the number of pages it is kept in.
func (k *Known) Pages() int { return len(k.dirty) }

// Changed hands out the pages that changed since the last call, numbered from 0, and tells the number of all pages. The
// slice is only valid during the call.
func (k *Known) Changed(fn func(page int, cells []uint64)) {
	for p := range k.dirty {
		if k.dirty[p] || k.whole {
			fn(p, k.cells[p*pageCells:(p+1)*pageCells])
			k.dirty[p] = false
		}
	}
	k.whole = false
}

// Load adds the members of a saved page, of a set of any size.
func (k *Known) Load(cells []uint64) {
	for _, c := range cells {
		if c>>ageBits == 0 {
			continue
		}
		k.put(c, Seconds(c&(1<<ageBits-1))*ageUnit)
	}
}
