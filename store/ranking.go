package store

import (
	"cmp"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"osm"
)

// candidates is how many values of a day take part in a ranking, at least. A value that is not among them on any day is
// not found; one that is found is counted for all days.
const candidates = 200

// ranking is one of a report in the making. Each day has its own ids, so days are added up by text.
type ranking struct {
	kind  osm.KeyKind
	query *ReportQuery
	days  []dayRanking
	found map[string]*Top
}

// dayRanking is the part of a day.
type dayRanking struct {
	span
	ids   map[string][]int64 // of the values that matter; a text may have several
	whole bool               // there are no values but these
	noted map[string]*Counts // their sums, where the day was settled
}

// rankings adds the rankings to a report: first which values take part, then their sums.
func (v *view) rankings(q *ReportQuery, to *Report) error {
	all := make([]*ranking, len(q.Rank))
	for i, kind := range q.Rank {
		all[i] = &ranking{kind: kind, query: q, found: map[string]*Top{}}
		for _, s := range q.spans(v.days) {
			if err := v.candidates(all[i], s); err != nil {
				return err
			}
		}
		all[i].cut(2 * q.Limit)
	}
	if err := v.complete(all); err != nil {
		return err
	}
	for _, r := range all {
		if err := v.sums(r); err != nil {
			return err
		}
		r.cut(q.Limit)
		to.Top[r.kind] = r.sorted()
	}
	return nil
}

func (r *ranking) compare(a, b Top) int {
	field := r.query.Order.field
	return cmp.Or(cmp.Compare(*field(&b.Counts), *field(&a.Counts)),
		cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Value, b.Value))
}

func (r *ranking) sorted() []Top {
	all := make([]Top, 0, len(r.found))
	for _, top := range r.found {
		all = append(all, *top)
	}
	slices.SortFunc(all, r.compare)
	return all
}

// cut leaves the first n.
func (r *ranking) cut(n int) {
	if all := r.sorted(); len(all) > n {
		for _, top := range all[n:] {
			delete(r.found, top.Value)
		}
	}
}

func (r *ranking) top(value string) *Top {
	top, ok := r.found[value]
	if !ok {
		top = &Top{Value: value}
		r.found[value] = top
	}
	return top
}

// where is the condition on hourly_DAY and refusal_DAY.
func (r *ranking) where(s span) string {
	return fmt.Sprintf("kind = %d AND hour BETWEEN %d AND %d AND %d >> class & 1", r.kind, s.first, s.last, classMask(r.query.Classes))
}

// candidates adds the first values of a day, by the one sum that decides.
func (v *view) candidates(r *ranking, s span) error {
	limit := max(candidates, 2*r.query.Limit)
	if s.whole() && limit <= settledTops && classMask(r.query.Classes) == classMask(usualClasses()) {
		noted, whole, err := v.notedTops(s.day, r.kind)
		if err != nil {
			return err
		}
		if noted != nil {
			r.note(dayRanking{span: s, ids: map[string][]int64{}, whole: whole, noted: noted}, limit)
			return nil
		}
	}
	sums, names := map[int64]int64{}, texts{}
	err := v.each(func(rows *sql.Rows) error {
		var id, n int64
		err := rows.Scan(&id, &n)
		sums[id] = n
		names.want(id)
		return err
	}, s.day.sql(fmt.Sprintf("SELECT value, sum(%s) AS n FROM hourly_DAY WHERE %s GROUP BY value ORDER BY n DESC LIMIT %d",
		r.query.Order.column(), r.where(s), limit)))
	if err == nil {
		err = names.load(v, s.day)
	}
	if err != nil {
		return err
	}
	d := dayRanking{span: s, ids: map[string][]int64{}, whole: len(sums) < limit}
	for id, n := range sums {
		d.ids[names[id]] = append(d.ids[names[id]], id)
		*r.query.Order.field(&r.top(names[id]).Counts) += n
	}
	r.days = append(r.days, d)
	return nil
}

// note adds the first values of a day that was settled.
func (r *ranking) note(d dayRanking, limit int) {
	field := r.query.Order.field
	first := slices.SortedFunc(maps.Keys(d.noted), func(a, b string) int {
		return cmp.Or(cmp.Compare(*field(d.noted[b]), *field(d.noted[a])), cmp.Compare(a, b))
	})
	for _, value := range first[:min(len(first), limit)] {
		*field(&r.top(value).Counts) += *field(d.noted[value])
	}
	r.days = append(r.days, d)
}

// complete finds the ids of values on the days on which they are not among the first.
func (v *view) complete(all []*ranking) error {
	for i, s := range all[0].query.spans(v.days) {
		missing := map[string][]*dayRanking{}
		for _, r := range all {
			d := &r.days[i]
			for value := range r.found {
				if len(d.ids[value]) == 0 && d.noted[value] == nil && !d.whole {
					missing[value] = append(missing[value], d)
				}
			}
		}
		if len(missing) == 0 {
			continue
		}
		err := v.eachText(s.day, "binary", slices.Collect(maps.Keys(missing)), func(id int64, value string) {
			for _, d := range missing[value] {
				d.ids[value] = append(d.ids[value], id)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sums replaces what candidates counted by all sums of those that are left.
func (v *view) sums(r *ranking) error {
	for _, top := range r.found {
		top.Counts = Counts{}
	}
	for _, d := range r.days {
		sums, whose := map[int64]*Counts{}, map[int64]*Top{}
		for value, top := range r.found {
			if c := d.noted[value]; c != nil {
				top.add(c)
				continue
			}
			for _, id := range d.ids[value] {
				sums[id], whose[id] = &Counts{}, top
			}
		}
		if err := v.addSums(d.day, r.where(d.span), sums); err != nil {
			return err
		}
		for id, c := range sums {
			whose[id].add(c)
		}
	}
	return nil
}

// addSums adds the sums by hour to those of some values of a day.
func (v *view) addSums(d day, where string, sums map[int64]*Counts) error {
	if len(sums) == 0 {
		return nil
	}
	where += " AND value IN " + numbers(slices.Collect(maps.Keys(sums)))
	err := v.each(func(rows *sql.Rows) error {
		var id int64
		var c Counts
		err := rows.Scan(append([]any{&id}, c.fields()...)...)
		sums[id].add(&c)
		return err
	}, d.sql("SELECT value, "+sumColumns+" FROM hourly_DAY WHERE "+where+" GROUP BY value"))
	if err != nil {
		return err
	}
	return v.each(func(rows *sql.Rows) error {
		var id, refusal, count int64
		err := rows.Scan(&id, &refusal, &count)
		sums[id].Refusals[min(refusal, int64(osm.Other))] += count
		return err
	}, d.sql("SELECT value, refusal, sum(count) FROM refusal_DAY WHERE "+where+" GROUP BY value, refusal"))
}
