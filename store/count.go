package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
)

// Minute counts the messages of one minute.
type Minute struct {
	Start   time.Time
	Classes map[osm.Class]int64
	Stopped int64 // of them all
}

// Minutes counts the messages that arrived since a time, minute by minute, the oldest first and without empty ones.
func (r *Reader) Minutes(ctx context.Context, since time.Time) ([]Minute, error) {
	found := map[time.Time]*Minute{}
	err := r.view(ctx, "count in", func(v *view) error {
		for _, d := range slices.Backward(v.days) {
			if (d + 1).start().Add(astray).Before(since) {
				break
			}
			if err := v.minutes(d, since, found); err != nil {
				return err
			}
		}
		return nil
	})
	all := make([]Minute, 0, len(found))
	for _, m := range found {
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Minute) int { return a.Start.Compare(b.Start) })
	return all, err
}

// astray is how far apart the times of neighbouring lines of a log may be: rows are in the order of the log.
const astray = 10 * time.Minute

func (v *view) minutes(d day, since time.Time, found map[time.Time]*Minute) error {
	mine, err := v.condition(d)
	if err != nil {
		return err
	}
	first, err := v.seqAt(d, since.Add(-astray))
	if err != nil {
		return err
	}
	return v.each(func(rows *sql.Rows) error {
		var minute, class, n, stopped int64
		if err := rows.Scan(&minute, &class, &n, &stopped); err != nil {
			return err
		}
		start := d.time(minute * time.Minute.Milliseconds())
		m := found[start]
		if m == nil {
			m = &Minute{Start: start, Classes: map[osm.Class]int64{}}
			found[start] = m
		}
		m.Classes[osm.Class(class)] += n
		m.Stopped += stopped
		return nil
	}, d.sql(fmt.Sprintf(`SELECT time / 60000, class, count(*), sum(action <> 0 AND flags & %d = 0) FROM message_DAY
		WHERE seq >= ? AND time >= ? AND %s GROUP BY 1, 2`, flagShadow, mine.sql)), first, d.millis(since))
}

// seqAt finds about where in a day's rows a time is: rows are in the order of the log, and so nearly in that of time.
func (v *view) seqAt(d day, at time.Time) (int64, error) {
	var low, high int64
	err := v.conn.QueryRowContext(v.ctx, d.sql("SELECT ifnull((SELECT min(seq) FROM message_DAY), 0), ifnull((SELECT max(seq) + 1 FROM message_DAY), 0)")).Scan(&low, &high)
	wanted := d.millis(at)
	for err == nil && low < high {
		middle := low + (high-low)/2
		var seq, millis int64
		err = v.conn.QueryRowContext(v.ctx, d.sql("SELECT seq, time FROM message_DAY WHERE seq >= ? ORDER BY seq LIMIT 1"), middle).Scan(&seq, &millis)
		if millis < wanted {
			low = seq + 1
		} else {
			high = middle
		}
	}
	return low, err
}

// RuleHits is how often a rule decided.
type RuleHits struct {
	Rule     string
	Messages int64
	Stopped  int64
	Last     time.Time
}

// Hits counts the verdicts of each rule since the hour of a time began, the most frequent first.
func (r *Reader) Hits(ctx context.Context, since time.Time) ([]RuleHits, error) {
	found := map[string]*RuleHits{}
	err := r.view(ctx, "count in", func(v *view) error {
		for _, d := range v.days {
			if (d + 1).start().Before(since) {
				continue
			}
			mine, err := v.accounts(d)
			if err != nil {
				return err
			}
			err = v.each(func(rows *sql.Rows) error {
				var h RuleHits
				var last int64
				if err := rows.Scan(&h.Rule, &h.Messages, &h.Stopped, &last); err != nil {
					return err
				}
				if found[h.Rule] == nil {
					found[h.Rule] = &RuleHits{Rule: h.Rule}
				}
				sum := found[h.Rule]
				sum.Messages, sum.Stopped, sum.Last = sum.Messages+h.Messages, sum.Stopped+h.Stopped, d.time(last)
				return nil
			}, d.sql("SELECT rule, sum(messages), sum(stopped), max(last) FROM hit_DAY WHERE hour >= ? AND "+mine+" GROUP BY rule"),
				d.millis(since)/hourMillis)
			if err != nil {
				return err
			}
		}
		return nil
	})
	all := make([]RuleHits, 0, len(found))
	for _, h := range found {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b RuleHits) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), strings.Compare(a.Rule, b.Rule))
	})
	return all, err
}
