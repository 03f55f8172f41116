package store

import (
	"bytes"
	"context"
	"database/sql"
	"iter"
	"slices"

	"osm"
)

// Past is a piece of the history as it was heard.
type Past struct {
	Text    []byte        // raw lines, each with its newline
	Refused []osm.Message // of the same time, in their order, whose arrival the log never told: osm was asked, and Exim refused them
	Done    int           // pieces so far, with this one
	Total   int
}

// Past reads what is kept of the log, the oldest first. What is added or dropped meanwhile is left out. Nothing is held
// between two pieces: whoever reads may take long. An error ends it.
func (r *Reader) Past(ctx context.Context) iter.Seq2[Past, error] {
	if r.within != nil { // the log is everybody's
		return func(func(Past, error) bool) {}
	}
	return func(yield func(Past, error) bool) {
		var days []day
		done, total := 0, 0
		err := r.view(ctx, "read", func(v *view) error {
			days = v.days
			for _, d := range days {
				var n int
				if err := v.conn.QueryRowContext(ctx, d.sql("SELECT count(DISTINCT block) FROM line_DAY")).Scan(&n); err != nil {
					return err
				}
				total += n
			}
			return nil
		})
		for _, d := range days {
			var plan []pastBlock
			if err == nil {
				plan, err = r.planPast(ctx, d)
			}
			for i := range plan {
				if err != nil {
					break
				}
				p := Past{}
				if p, err = r.past(ctx, d, &plan[i]); err != nil {
					break
				}
				done++
				p.Done, p.Total = done, max(total, done)
				if !yield(p, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(Past{}, err)
		}
	}
}

// pastBlock is a block of lines, and the messages that were refused at its time or arrived in it.
type pastBlock struct {
	block   int64
	refused []int64 // seq
}

// planPast lists the blocks of a day, none when it has been dropped.
func (r *Reader) planPast(ctx context.Context, d day) (plan []pastBlock, err error) {
	err = r.view(ctx, "read", func(v *view) error {
		if !v.has(d) {
			return nil
		}
		err := v.each(func(rows *sql.Rows) error {
			plan = append(plan, pastBlock{})
			return rows.Scan(&plan[len(plan)-1].block)
		}, d.sql("SELECT DISTINCT block FROM line_DAY ORDER BY block"))
		if err != nil || len(plan) == 0 {
			return err
		}
		at := 0 // a message that was heard between two lines is not before those that came earlier
		return v.each(func(rows *sql.Rows) error {
			var seq, block int64
			err := rows.Scan(&seq, &block)
			for at+1 < len(plan) && plan[at+1].block <= block {
				at++
			}
			plan[at].refused = append(plan[at].refused, seq)
			return err
		}, d.sql("SELECT seq, line FROM message_DAY WHERE action IN (?, ?) AND flags & ? = 0 ORDER BY seq"), int64(osm.Defer),
			int64(osm.Reject), int64(flagNoArrival))
	})
	return plan, err
}

func (v *view) has(d day) bool {
	_, found := slices.BinarySearch(v.days, d)
	return found
}

// past reads one piece.
func (r *Reader) past(ctx context.Context, d day, b *pastBlock) (p Past, err error) {
	err = r.view(ctx, "read", func(v *view) error {
		if !v.has(d) {
			return nil
		}
		if p.Text, _, err = readBlock(ctx, v.conn, d, b.block); err != nil {
			return err
		}
		for _, seq := range b.refused {
			m, err := v.found(d, seq)
			if err != nil {
				return err
			}
			if m.ID == "" || !bytes.Contains(p.Text, []byte(m.ID+" <= ")) {
				p.Refused = append(p.Refused, m.Message)
			}
		}
		return nil
	})
	return p, err
}
