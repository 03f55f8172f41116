package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// day counts UTC days since 1970. Its text, as in message_20261123, is part of the names of its tables.
type day int32

func dayOf(t time.Time) day {
	s := t.Unix()
	if s < 0 {
		s -= daySeconds - 1
	}
	return day(s / daySeconds)
}

func (d day) start() time.Time { return time.Unix(int64(d)*daySeconds, 0).UTC() }

func (d day) String() string { return d.start().Format("20060102") }

// millis is a time as the tables of the day keep it.
func (d day) millis(t time.Time) int64 { return t.UnixMilli() - int64(d)*daySeconds*1000 }

// time is the inverse of millis.
func (d day) time(millis int64) time.Time {
	return time.UnixMilli(int64(d)*daySeconds*1000 + millis).UTC()
}

// hour is the hour of the day that t is in; a time outside the day counts for its first or last.
func (d day) hour(t time.Time) uint8 {
	return uint8(min(max(d.millis(t)/3_600_000, 0), 23))
}

// sql writes the name of the day into the table names of a query: "message_DAY".
func (d day) sql(query string) string { return strings.ReplaceAll(query, "DAY", d.String()) }

// tables of a day, the large ones last: they are dropped one after the other.
var dayTables = [...]string{"message", "delivery", "verdict", "event", "hourly", "refusal", "text", "posting", "settled", "answer", "hit", "line", "string"}

// queryer is what a connection and a pool have in common.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// listDays lists the days that have tables, the oldest first.
func listDays(ctx context.Context, db queryer) ([]day, error) {
	rows, err := db.QueryContext(ctx, `SELECT substr(name, 9) FROM sqlite_master
		WHERE type = 'table' AND name GLOB 'message_[0-9]*' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var days []day
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if t, err := time.Parse("20060102", name); err == nil {
			days = append(days, dayOf(t))
		}
	}
	return days, rows.Err()
}
