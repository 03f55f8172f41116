package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"
)

const (
	// settleAfter is how long after the last that was written to it a day is settled: more may come.
	settleAfter = time.Hour
	// settledAnswers is how many answers of a day are kept, settledTops how many values of a kind in each order.
	settledAnswers = 500
	settledTops    = 300
	// settledFrom is how many messages a day must have: one with fewer is summed up as quickly.
	settledFrom = 50_000

	answersQuestion = "answers"
)

// Settle does one piece of work on a day, the newest that is due. It completes its indexes: those of a database that an older osm has
// written are made anew. When the day is over and had much mail it notes down what takes long to find out. It reports whether there
// was such a day: then it should be called again at a quiet moment. A day of a million messages takes some seconds.
func (s *Store) Settle(now time.Time) (bool, error) {
	s.now = now
	for i, d := range slices.Backward(s.days) {
		if now.Before(s.due[d]) {
			continue
		}
		s.due[d] = now.Add(settleAfter) // also when it fails, and of today
		over := i < len(s.days)-1
		err := s.settle(context.Background(), d, over)
		if err == nil && over {
			s.due[d] = never
		}
		return true, failed("settle a day of", s.path, err)
	}
	return false, nil
}

// never is when a day is due again to which nothing comes late.
var never = time.Unix(1<<40, 0)

// settle does so in one transaction. The writer of a day that is not in use does not take the place of one that is.
func (s *Store) settle(ctx context.Context, d day, over bool) error {
	w, used := s.open[d]
	err := transaction(ctx, s.conn, func() (err error) {
		if !used {
			if w, err = openDay(ctx, s.conn, d, true, false, s.migrations, s.pieces); err != nil {
				return err
			}
			defer w.close()
		}
		if err := w.finish(ctx, s.conn, over); err != nil {
			return err
		}
		if !over || w.seq < int64(s.pieces.settled) {
			return nil
		}
		w.settled = true
		return (&view{ctx: ctx, conn: s.conn, days: s.days}).settle(d)
	})
	if err != nil {
		s.closeDays(0)
	}
	return err
}

// unsettle forgets what has changed by what the day's writer is about to write.
func (s *Store) unsettle(ctx context.Context, w *dayWriter) error {
	if len(w.hours.at) == 0 && len(w.rolled.answers) == 0 {
		return nil
	}
	s.due[w.day] = s.now.Add(settleAfter)
	if !w.settled {
		return nil
	}
	gone := "question = '" + answersQuestion + "'"
	if len(w.hours.at) > 0 {
		gone, w.settled = "1", false
	}
	return execAll(ctx, s.conn, w.day.sql("DELETE FROM settled_DAY WHERE "+gone))
}

// settle notes down what is not known of a day.
func (v *view) settle(d day) error {
	note := func(question string, find func() ([]byte, error)) error {
		var there bool
		err := v.conn.QueryRowContext(v.ctx, d.sql("SELECT EXISTS (SELECT 1 FROM settled_DAY WHERE question = ?)"), question).Scan(&there)
		if there || err != nil {
			return err
		}
		answer, err := find()
		if err != nil {
			return err
		}
		_, err = v.conn.ExecContext(v.ctx, d.sql("INSERT INTO settled_DAY VALUES (?, ?)"), question, answer)
		return err
	}
	err := note(answersQuestion, func() ([]byte, error) { return v.noteAnswers(d) })
	for _, kind := range rankings {
		err = cmp.Or(err, note(topsOf(kind), func() ([]byte, error) { return v.findTops(d, kind) }))
	}
	return err
}

// settled is what was noted down of a day, and whether it was.
func (v *view) settled(d day, question string) (answer []byte, noted bool, err error) {
	err = v.conn.QueryRowContext(v.ctx, d.sql("SELECT answer FROM settled_DAY WHERE question = ?"), question).Scan(&answer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return answer, err == nil, err
}
