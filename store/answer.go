package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"osm"
)

// Answers are the refusals of a time by receiver and kind, the most frequent first. The time is widened to whole hours. Of each
// day the most frequent ones take part.
func (r *Reader) Answers(ctx context.Context, since, until time.Time, limit int) ([]Answer, error) {
	var list []Answer
	since, until = since.UTC().Truncate(time.Hour), until.UTC().Add(time.Hour-1).Truncate(time.Hour)
	err := r.view(ctx, "read refusals in", func(v *view) error {
		all := map[answerKey]*Answer{}
		for _, d := range v.days {
			if (d + 1).start().Add(24*time.Hour).Before(since) || !d.start().Before(until) { // what is deferred is tried on another day too
				continue
			}
			if err := v.answers(d, since, until, max(limit, candidates), all); err != nil {
				return err
			}
		}
		list = mostFrequent(all)
		list = list[:min(len(list), limit)]
		return v.identify(list)
	})
	return list, err
}

// dayAnswer is one of a day: Last and Seq are of the latest attempt.
type dayAnswer struct {
	Domain, Host     string
	Refusal, Code    int
	Enhanced, Text   string
	Count, Last, Seq int64
}

// answersNote is what is noted down of a settled day.
type answersNote struct {
	First, Last int64 // hours, of all its refusals
	Answers     []dayAnswer
}

// answers adds those of a day: as they were noted down where all of them are of the time, and otherwise from the sums by hour.
func (v *view) answers(d day, since, until time.Time, most int, all map[answerKey]*Answer) error {
	first, end := d.millis(since)/hourMillis, d.millis(until)/hourMillis
	found, noted, err := v.notedAnswers(d, first, end, most)
	if err == nil && !noted {
		found, err = v.findAnswers(d, first, end, most)
	}
	for _, a := range found {
		gather(all, &Answer{Refusal: osm.Refusal(a.Refusal), Domain: a.Domain, Host: a.Host, Code: a.Code, Enhanced: a.Enhanced, Text: a.Text, Count: a.Count,
			Last: d.time(a.Last), day: d, seq: a.Seq})
	}
	return err
}

func (v *view) notedAnswers(d day, first, end int64, most int) (found []dayAnswer, noted bool, err error) {
	if v.within != nil || most > settledAnswers {
		return nil, false, nil
	}
	text, noted, err := v.settled(d, answersQuestion)
	if !noted || err != nil {
		return nil, false, err
	}
	var note answersNote
	if err := json.Unmarshal(text, &note); err != nil {
		return nil, false, err
	}
	return note.Answers[:min(len(note.Answers), most)], first <= note.First && note.Last < end, nil
}

// noteAnswers finds what is to be noted down.
func (v *view) noteAnswers(d day) (text []byte, err error) {
	var note answersNote
	if note.Answers, err = v.findAnswers(d, math.MinInt64, math.MaxInt64, settledAnswers); err != nil {
		return nil, err
	}
	err = v.conn.QueryRowContext(v.ctx, d.sql("SELECT ifnull(min(hour), 0), ifnull(max(hour), 0) FROM answer_DAY")).Scan(&note.First, &note.Last)
	if err != nil {
		return nil, err
	}
	return json.Marshal(note)
}

// findAnswers adds up those of some hours, counted from the day's beginning.
func (v *view) findAnswers(d day, first, end int64, most int) (found []dayAnswer, err error) {
	mine, err := v.accounts(d)
	if err != nil {
		return nil, err
	}
	type textIDs struct{ enhanced, text int64 }
	var ids []textIDs
	names := texts{}
	err = v.each(func(rows *sql.Rows) error {
		var a dayAnswer
		var t textIDs
		err := rows.Scan(&a.Domain, &a.Host, &a.Refusal, &a.Code, &t.enhanced, &a.Count, &a.Last, &t.text, &a.Seq)
		names.want(t.enhanced, t.text)
		found, ids = append(found, a), append(ids, t)
		return err
	}, d.sql(fmt.Sprintf(`SELECT domain, host, refusal, code, enhanced, sum(count) AS n, max(last), text, seq FROM answer_DAY
		WHERE hour >= ? AND hour < ? AND %s GROUP BY domain, host, refusal, code, enhanced ORDER BY n DESC LIMIT ?`, mine)), first, end, most)
	if err == nil {
		err = names.load(v, d)
	}
	for i, t := range ids {
		found[i].Enhanced, found[i].Text = names[t.enhanced], names[t.text]
	}
	return found, err
}

// identify adds the ids of the messages that were refused.
func (v *view) identify(list []Answer) error {
	byDay := map[day]map[int64]*Answer{}
	for i := range list {
		a := &list[i]
		if byDay[a.day] == nil {
			byDay[a.day] = map[int64]*Answer{}
		}
		byDay[a.day][a.seq] = a
	}
	for d, answers := range byDay {
		seqs := make([]int64, 0, len(answers))
		for seq := range answers {
			seqs = append(seqs, seq)
		}
		err := v.each(func(rows *sql.Rows) error {
			var seq, key int64
			err := rows.Scan(&seq, &key)
			if key >= 0 {
				answers[seq].ID = idOf(d, key)
			}
			return err
		}, d.sql("SELECT seq, key FROM message_DAY WHERE seq IN "+numbers(seqs)))
		if err != nil {
			return err
		}
	}
	return nil
}
