package store

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"osm"
)

func topsOf(kind osm.KeyKind) string { return "top " + kind.String() }

// findTops finds the first values of a day in each order, of the usual classes, with all of their sums.
func (v *view) findTops(d day, kind osm.KeyKind) ([]byte, error) {
	type value struct {
		id   int64
		sums [orders]int64
	}
	var all []value
	where := fmt.Sprintf("kind = %d AND %d >> class & 1", kind, classMask(usualClasses()))
	err := v.each(func(rows *sql.Rows) error {
		var one value
		err := rows.Scan(&one.id, &one.sums[ByMessages], &one.sums[ByRecipients], &one.sums[ByFailed])
		all = append(all, one)
		return err
	}, d.sql("SELECT value, sum(messages), sum(recipients), sum(failed) FROM hourly_DAY WHERE "+where+" GROUP BY value"))
	if err != nil {
		return nil, err
	}
	kept, names := map[int64]*Counts{}, texts{}
	for order := range orders {
		slices.SortFunc(all, func(a, b value) int { return cmp.Compare(b.sums[order], a.sums[order]) })
		for _, one := range all[:min(len(all), settledTops)] {
			kept[one.id] = &Counts{}
			names.want(one.id)
		}
	}
	if err := names.load(v, d); err != nil {
		return nil, err
	}
	if err := v.addSums(d, where, kept); err != nil {
		return nil, err
	}
	packed := []byte{}
	for id, sums := range kept {
		packed = binary.AppendUvarint(packed, uint64(len(names[id])))
		packed = append(packed, names[id]...)
		for _, n := range sums.numbers() {
			packed = binary.AppendUvarint(packed, uint64(*n))
		}
	}
	return packed, nil
}

// numbers are all of its sums.
func (c *Counts) numbers() []*int64 {
	all := []*int64{&c.Messages, &c.Recipients, &c.Bytes, &c.Stopped, &c.Delivered, &c.Remote, &c.Deferred, &c.Failed}
	for i := range c.Refusals {
		all = append(all, &c.Refusals[i])
	}
	return all
}

// notedTops undoes findTops, by value; nil where nothing was noted down. whole tells that the day has no values but these.
func (v *view) notedTops(d day, kind osm.KeyKind) (all map[string]*Counts, whole bool, err error) {
	packed, noted, err := v.settled(d, topsOf(kind))
	if !noted || err != nil {
		return nil, false, err
	}
	all = map[string]*Counts{}
	n := 0
	number := func() int64 {
		n, size := binary.Uvarint(packed)
		packed = packed[max(size, 0):]
		if size <= 0 {
			packed = nil // damaged
		}
		return int64(n)
	}
	for ; len(packed) > 0; n++ {
		length := min(max(number(), 0), int64(len(packed)))
		text := string(packed[:length])
		packed = packed[length:]
		var c Counts
		for _, n := range c.numbers() {
			*n = number()
		}
		if all[text] == nil {
			all[text] = &Counts{}
		}
		all[text].add(&c) // a text may have several ids
	}
	return all, n < settledTops, nil
}
