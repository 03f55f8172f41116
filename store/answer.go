package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"osm"
)

// Answers are the refusals of a time by receiver and kind, the most frequent first. The time is widened to whole hours. Of each
// day the most frequent ones take part.
func (r *Reader) Answers(ctx context.Context, since, until time.Time, limit int) ([]Answer, error) {
	all := map[answerKey]*Answer{}
	since, until = since.UTC().Truncate(time.Hour), until.UTC().Add(time.Hour-1).Truncate(time.Hour)
	err := r.view(ctx, "read refusals in", func(v *view) error {
		for _, d := range v.days {
			if (d + 1).start().Add(24*time.Hour).Before(since) || !d.start().Before(until) { // what is deferred is tried on another day too
				continue
			}
			if err := v.answers(d, since, until, max(limit, candidates), all); err != nil {
				return err
			}
		}
		return nil
	})
	list := mostFrequent(all)
	return list[:min(len(list), limit)], err
}

// answers adds those of a day.
func (v *view) answers(d day, since, until time.Time, most int, all map[answerKey]*Answer) error {
	mine, err := v.accounts(d)
	if err != nil {
		return err
	}
	type row struct {
		Answer
		enhanced, text, seq int64
	}
	var found []row
	names := texts{}
	err = v.each(func(rows *sql.Rows) error {
		var r row
		var refusal, last int64
		err := rows.Scan(&r.Domain, &r.Host, &refusal, &r.Code, &r.enhanced, &r.Count, &last, &r.text, &r.seq)
		r.Refusal, r.Last = osm.Refusal(refusal), d.time(last)
		names.want(r.enhanced, r.text)
		found = append(found, r)
		return err
	}, d.sql(fmt.Sprintf(`SELECT domain, host, refusal, code, enhanced, sum(count) AS n, max(last), text, seq FROM answer_DAY
		WHERE hour >= ? AND hour < ? AND %s GROUP BY domain, host, refusal, code, enhanced ORDER BY n DESC LIMIT ?`, mine)),
		d.millis(since)/hourMillis, d.millis(until)/hourMillis, most)
	if err == nil {
		err = names.load(v, d)
	}
	if err != nil {
		return err
	}
	for i := range found {
		r := &found[i]
		r.Enhanced, r.Text = names[r.enhanced], names[r.text]
		var key int64
		switch err := v.conn.QueryRowContext(v.ctx, d.sql("SELECT key FROM message_DAY WHERE seq = ?"), r.seq).Scan(&key); {
		case err == nil && key >= 0:
			r.ID = idOf(d, key)
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		gather(all, &r.Answer)
	}
	return nil
}
