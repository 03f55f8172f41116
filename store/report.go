package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"osm"
)

// Counts are sums over messages (by the hour of their arrival) and over attempts (by their own).
type Counts struct {
	Messages   int64
	Recipients int64 // of the envelopes; where Exim does not log them, those delivered or failed
	Bytes      int64
	Stopped    int64 // messages that a verdict did not let go their way
	Delivered  int64
	Remote     int64 // of Delivered, those that left this server
	Deferred   int64 // attempts
	Failed     int64
	Refusals   [osm.Other + 1]int64 // of Deferred and Failed, indexed by osm.Refusal
}

func (c *Counts) add(o *Counts) {
	c.Messages += o.Messages
	c.Recipients += o.Recipients
	c.Bytes += o.Bytes
	c.Stopped += o.Stopped
	c.Delivered += o.Delivered
	c.Remote += o.Remote
	c.Deferred += o.Deferred
	c.Failed += o.Failed
	for i, n := range o.Refusals {
		c.Refusals[i] += n
	}
}

// Top is one line of a ranking.
type Top struct {
	Value string // hostile: escape it
	Counts
}

// Order is what a ranking goes by.
type Order uint8

const (
	ByMessages Order = iota
	ByRecipients
	ByFailed
	orders
)

// column is its name in hourly_*.
func (o Order) column() string { return [...]string{"messages", "recipients", "failed"}[o] }

// field is where c keeps it.
func (o Order) field(c *Counts) *int64 { return [...]*int64{&c.Messages, &c.Recipients, &c.Failed}[o] }

// ReportQuery says what to sum up.
type ReportQuery struct {
	Since, Until time.Time     // widened to whole hours
	Limit        int           // lines in a ranking; 0 means 20
	Order        Order         // of the rankings
	Classes      []osm.Class   // in Total, Hours and rankings; empty: all but inbound and bounce
	Rank         []osm.KeyKind // which rankings are made; nil: all, empty: none
}

// usualClasses are all but those of which nobody here is the sender.
func usualClasses() []osm.Class {
	return slices.DeleteFunc(append(osm.Classes(), osm.NoClass), func(c osm.Class) bool { return c == osm.Inbound || c == osm.Bounce })
}

// classMask is for conditions: a list would be searched for each row.
func classMask(classes []osm.Class) (mask int) {
	for _, c := range classes {
		mask |= 1 << c
	}
	return mask
}

// Report is the sum of a time span.
type Report struct {
	Since, Until time.Time
	Total        Counts
	Hours        []Hour                // every hour of the span
	Top          map[osm.KeyKind][]Top // account, login, script, client, sender-domain, subject
	Classes      map[osm.Class]Counts  // every class that occurred
	Events       map[EventKind]int64
}

// Hour is a point of the series for pictures.
type Hour struct {
	Start time.Time
	Counts
}

// Report sums up the hours of a time span. In a ranking over several days a value can be missing that is not among the
// first 200 on any of them; the sums of those that are there are exact. A Reader of some accounts alone counts no events, and in
// its rankings attempts by the time of their message and no kinds of refusals.
func (r *Reader) Report(ctx context.Context, q ReportQuery) (*Report, error) {
	if q.Limit <= 0 {
		q.Limit = 20
	}
	if q.Rank == nil {
		q.Rank = rankings[:]
	}
	if len(q.Classes) == 0 {
		q.Classes = usualClasses()
	}
	q.Since = q.Since.UTC().Truncate(time.Hour)
	q.Until = q.Until.UTC().Add(time.Hour - 1).Truncate(time.Hour)
	report := &Report{Since: q.Since, Until: q.Until, Top: map[osm.KeyKind][]Top{}, Classes: map[osm.Class]Counts{},
		Events: map[EventKind]int64{}}
	for t := q.Since; t.Before(q.Until); t = t.Add(time.Hour) {
		report.Hours = append(report.Hours, Hour{Start: t})
	}
	err := r.view(ctx, "report", func(v *view) error {
		for _, span := range q.spans(v.days) {
			if err := v.totals(span, &q, report); err != nil {
				return err
			}
		}
		if len(q.Rank) == 0 {
			return nil
		}
		if v.within != nil {
			return v.rankWithin(&q, report)
		}
		return v.rankings(&q, report)
	})
	if err != nil {
		return nil, err
	}
	return report, nil
}

// span is the part of a report that lies in one day, with its hours, both included.
type span struct {
	day         day
	first, last int64
}

func (s span) whole() bool { return s.first == 0 && s.last == 23 }

func (q *ReportQuery) spans(days []day) []span {
	var all []span
	for _, d := range days {
		first, end := q.Since.Sub(d.start())/time.Hour, q.Until.Sub(d.start())/time.Hour
		if s := (span{d, max(int64(first), 0), min(int64(end), 24) - 1}); s.first <= s.last {
			all = append(all, s)
		}
	}
	return all
}

const sumColumns = `sum(messages), sum(recipients), sum(bytes), sum(stopped), sum(delivered), sum(remote), sum(deferred),
	sum(failed)`

func (c *Counts) fields() []any {
	return []any{&c.Messages, &c.Recipients, &c.Bytes, &c.Stopped, &c.Delivered, &c.Remote, &c.Deferred, &c.Failed}
}

// totals adds a day to the totals, the classes, the hours and the events.
func (v *view) totals(s span, q *ReportQuery, to *Report) error {
	add := func(hour, class int64, c *Counts) {
		sum := to.Classes[osm.Class(class)]
		sum.add(c)
		to.Classes[osm.Class(class)] = sum
		if slices.Contains(q.Classes, osm.Class(class)) {
			to.Total.add(c)
			to.Hours[s.day.start().Add(time.Duration(hour)*time.Hour).Sub(to.Since)/time.Hour].Counts.add(c)
		}
	}
	sums, err := v.totalsOf(s.day)
	if err != nil {
		return err
	}
	err = v.each(func(rows *sql.Rows) error {
		var hour, class int64
		var c Counts
		err := rows.Scan(append([]any{&hour, &class}, c.fields()...)...)
		add(hour, class, &c)
		return err
	}, s.day.sql("SELECT hour, class, "+sumColumns+` FROM hourly_DAY
		WHERE `+sums+` AND hour BETWEEN ? AND ? GROUP BY hour, class`), s.first, s.last)
	if err != nil {
		return err
	}
	err = v.each(func(rows *sql.Rows) error {
		var hour, class, refusal, count int64
		if err := rows.Scan(&hour, &class, &refusal, &count); err != nil {
			return err
		}
		var c Counts
		c.Refusals[min(refusal, int64(osm.Other))] = count
		add(hour, class, &c)
		return nil
	}, s.day.sql(`SELECT hour, class, refusal, count FROM refusal_DAY
		WHERE `+sums+` AND hour BETWEEN ? AND ?`), s.first, s.last)
	if err != nil || v.within != nil { // events are nobody's
		return err
	}
	return v.each(func(rows *sql.Rows) error {
		var kind, count int64
		err := rows.Scan(&kind, &count)
		to.Events[EventKind(kind)] += count
		return err
	}, s.day.sql(`SELECT value, sum(messages) FROM hourly_DAY WHERE kind = ? AND hour BETWEEN ? AND ? GROUP BY value`),
		eventTotals, s.first, s.last)
}
