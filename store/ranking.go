package store

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"osm"
)

// candidates is how many values of a day take part in a ranking.
const candidates = 1000

// ranking sums up the days by text: each day has its own ids.
func (v *view) ranking(kind osm.KeyKind, q *ReportQuery) ([]Top, error) {
	sums := map[string]*Counts{}
	for _, s := range q.spans(v.days) {
		if err := v.rankDay(s, kind, q, sums); err != nil {
			return nil, err
		}
	}
	all := make([]Top, 0, len(sums))
	for value, c := range sums {
		all = append(all, Top{value, *c})
	}
	slices.SortFunc(all, func(a, b Top) int {
		return cmp.Or(cmp.Compare(q.Order.of(&b.Counts), q.Order.of(&a.Counts)), cmp.Compare(b.Messages, a.Messages),
			cmp.Compare(a.Value, b.Value))
	})
	return all[:min(len(all), q.Limit)], nil
}

// rankDay adds the first values of a day to the sums: their ids first, by one sum, then the rest for these few.
func (v *view) rankDay(s span, kind osm.KeyKind, q *ReportQuery, sums map[string]*Counts) error {
	where := fmt.Sprintf("kind = %d AND hour BETWEEN %d AND %d AND class IN (%s)", kind, s.first, s.last, q.classList())
	var ids []int64
	err := v.each(func(rows *sql.Rows) error {
		var id, n int64
		err := rows.Scan(&id, &n)
		ids = append(ids, id)
		return err
	}, s.day.sql(fmt.Sprintf(`SELECT value, sum(%s) AS n FROM hourly_DAY WHERE %s GROUP BY value ORDER BY n DESC
		LIMIT %d`, orderColumns[q.Order], where, max(candidates, q.Limit))))
	if err != nil {
		return err
	}
	names := texts{}
	names.want(ids...)
	if err := names.load(v, s.day); err != nil {
		return err
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	sum := func(id int64) *Counts {
		c, ok := sums[names[id]]
		if !ok {
			c = &Counts{}
			sums[names[id]] = c
		}
		return c
	}
	where += " AND value IN (SELECT value FROM json_each(?))"
	err = v.each(func(rows *sql.Rows) error {
		var id int64
		var c Counts
		err := rows.Scan(append([]any{&id}, c.fields()...)...)
		sum(id).add(&c)
		return err
	}, s.day.sql("SELECT value, "+sumColumns+" FROM hourly_DAY WHERE "+where+" GROUP BY value"), string(list))
	if err != nil {
		return err
	}
	return v.each(func(rows *sql.Rows) error {
		var id, refusal, count int64
		err := rows.Scan(&id, &refusal, &count)
		sum(id).Refusals[min(refusal, int64(osm.Other))] += count
		return err
	}, s.day.sql("SELECT value, refusal, sum(count) FROM refusal_DAY WHERE "+where+" GROUP BY value, refusal"), string(list))
}

// classList is the inside of an SQL list.
func (q *ReportQuery) classList() string {
	numbers := make([]string, len(q.Classes))
	for i, c := range q.Classes {
		numbers[i] = strconv.Itoa(int(c))
	}
	return strings.Join(numbers, ",")
}
