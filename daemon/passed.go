package daemon

import (
	"hash/maphash"
	"slices"
)

// passed remembers the latest messages that were accepted. A map of their ids would make every question wait for memory several
// times, and the garbage collector look through all of them again and again; here it is one row. Each row forgets its own
// oldest: when 30,000 messages were accepted after it, one in 600,000 is forgotten, after 50,000 one in 1,600; it is counted
// again in the log then. Two ids have the same hash once in 10^14 messages. The zero value is ready.
type passed struct {
	seed maphash.Seed
	rows [][passedRow]uint64 // hashes of ids, the latest first; 0 is none
}

const (
	passedRows = 8192 // 1 MB
	passedRow  = 16
)

// row is where an id is, if it is there.
func (p *passed) row(id string) (row *[passedRow]uint64, hash uint64) {
	hash = max(maphash.String(p.seed, id), 1)
	return &p.rows[hash%passedRows], hash
}

func (p *passed) has(id string) bool {
	if p.rows == nil {
		return false
	}
	row, hash := p.row(id)
	return slices.Contains(row[:], hash)
}

func (p *passed) add(id string) {
	if p.rows == nil {
		p.seed, p.rows = maphash.MakeSeed(), make([][passedRow]uint64, passedRows)
	}
	row, hash := p.row(id)
	if !slices.Contains(row[:], hash) {
		copy(row[1:], row[:])
		row[0] = hash
	}
}

func (p *passed) remove(id string) {
	if p.rows == nil {
		return
	}
	row, hash := p.row(id)
	if i := slices.Index(row[:], hash); i >= 0 {
		copy(row[i:], row[i+1:])
		row[passedRow-1] = 0
	}
}
