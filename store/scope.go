package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"osm"
)

// scope is whose mail a Reader knows.
type scope struct{ accounts []string }

// Within is a Reader that knows nothing but the mail of these accounts: whatever it is asked, other mail is not there. It is
// closed with the one that it comes from.
func (r *Reader) Within(accounts []string) *Reader {
	return &Reader{path: r.path, db: r.db, busy: r.busy, within: &scope{slices.Clone(accounts)}}
}

// condition is what a row of message_DAY must meet to be seen at all.
func (v *view) condition(d day) (chosen, error) {
	if v.within == nil {
		return chosen{sql: "1"}, nil
	}
	mine, known := v.mine[d]
	if !known {
		ids, err := v.textIDs(d, "binary", v.within.accounts...)
		if err != nil {
			return chosen{}, err
		}
		if mine, err = v.bearing(d, osm.KeyAccount, ids); err != nil {
			return chosen{}, err
		}
		v.mine[d] = mine
	}
	return mine, nil
}

// idList writes ids with commas between them.
func idList(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, ", ")
}

// columnOf is where message_DAY keeps what is ranked; sender domains are made of senders.
var columnOf = map[osm.KeyKind]string{osm.KeyAccount: "account", osm.KeyLogin: "login", osm.KeyScript: "script", osm.KeyClient: "client",
	osm.KeySenderDomain: "sender", osm.KeySubject: "subject", osm.KeyUser: "user", osm.KeySender: "sender"}

// rankWithin makes the rankings of a report from the messages themselves: the hourly sums are not kept by account and
// something else at once. Attempts count by the time of their message, and refusals are not told apart.
func (v *view) rankWithin(q *ReportQuery, to *Report) error {
	for _, kind := range q.Rank {
		found := map[string]*Top{}
		for _, s := range q.spans(v.days) {
			if err := v.sumWithin(q, s, kind, found); err != nil {
				return err
			}
		}
		r := &ranking{kind: kind, query: q, found: found}
		r.cut(q.Limit)
		to.Top[kind] = r.sorted()
	}
	return nil
}

func (v *view) sumWithin(q *ReportQuery, s span, kind osm.KeyKind, found map[string]*Top) error {
	mine, err := v.condition(s.day)
	if err != nil {
		return err
	}
	hour := time.Hour.Milliseconds()
	sums, names := map[int64]*Counts{}, texts{}
	err = v.each(func(rows *sql.Rows) error {
		var id int64
		c := new(Counts)
		err := rows.Scan(&id, &c.Messages, &c.Recipients, &c.Bytes, &c.Stopped, &c.Delivered, &c.Deferred, &c.Failed)
		sums[id] = c
		names.want(id)
		return err
	}, s.day.sql(fmt.Sprintf(`SELECT %[1]s, count(*), sum(recipients), sum(size), sum(action <> 0 AND flags & %[2]d = 0), sum(delivered),
		sum(deferred), sum(failed) FROM message_DAY WHERE %[3]s AND time >= %[4]d AND time < %[5]d AND %[6]d >> class & 1 AND %[1]s <> 0
		GROUP BY %[1]s`, columnOf[kind], flagShadow, mine.sql, s.first*hour, (s.last+1)*hour, classMask(q.Classes))))
	if err != nil {
		return err
	}
	if err := names.load(v, s.day); err != nil {
		return err
	}
	for id, c := range sums {
		name := names[id]
		if kind == osm.KeySenderDomain {
			if name = strings.ToLower(osm.Domain(name)); name == "" {
				continue
			}
		}
		if found[name] == nil {
			found[name] = &Top{Value: name}
		}
		found[name].add(c)
	}
	return nil
}

// totalsOf is which rows of hourly_DAY and refusal_DAY are summed up: the totals, or those of the scope's accounts.
func (v *view) totalsOf(d day) (string, error) {
	if v.within == nil {
		return "kind = 0 AND value = 0", nil
	}
	mine, err := v.accounts(d)
	return fmt.Sprintf("kind = %d AND value%s", osm.KeyAccount, strings.TrimPrefix(mine, "account")), err
}

// accounts is the condition on sums that are kept by account.
func (v *view) accounts(d day) (string, error) {
	if v.within == nil {
		return "1", nil
	}
	ids, err := v.textIDs(d, "binary", v.within.accounts...)
	return "account IN " + numbers(ids), err
}
