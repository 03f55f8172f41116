package store

import (
	"database/sql"
	"encoding/binary"
	"fmt"

	"osm"
)

// shortList is how many messages of a day are named in a query; one of whom there are more is looked for among all.
const shortList = 20_000

// chosen is a condition on a day's messages.
type chosen struct {
	sql  string
	few  bool // it leaves no more than shortList
	none bool // it leaves none
}

// bearing is the condition to bear one of the values of a kind: without the index for what is in no piece yet.
func (v *view) bearing(d day, kind osm.KeyKind, ids []int64) (chosen, error) {
	if len(ids) == 0 {
		return chosen{sql: "0", none: true}, nil
	}
	seqs, upTo, err := v.posted(d, kind, ids)
	if err != nil {
		return chosen{}, err
	}
	rest, err := v.unposted(d, kind, ids, upTo)
	if err != nil {
		return chosen{}, err
	}
	seqs = append(seqs, rest...)
	c := chosen{sql: "seq IN " + numbers(seqs), few: len(seqs) <= shortList, none: len(seqs) == 0}
	column, ranked := columnOf[kind]
	if !ranked || kind == osm.KeySenderDomain { // no column tells
		return c, nil
	}
	wanted := column + " IN " + numbers(ids)
	if c.few {
		c.sql += " AND " + wanted // a message that was written anew may bear another value now
	} else {
		c.sql = wanted
	}
	return c, nil
}

// numbers writes seqs or ids into a query as one text: as a list each would become an instruction.
func numbers(list []int64) string {
	return "(SELECT value FROM json_each('[" + idList(list) + "]'))"
}

// posted are the messages that bear one of some values by the pieces, and how far these go.
func (v *view) posted(d day, kind osm.KeyKind, ids []int64) (seqs []int64, upTo int64, err error) {
	var list sql.RawBytes
	err = v.each(func(rows *sql.Rows) error {
		var value, piece int64
		err := rows.Scan(&value, &piece, &list)
		upTo = max(upTo, piece)
		seqs = postingsIn(list, uint64(value), seqs)
		return err
	}, d.sql(`SELECT wanted.value, all_pieces.piece, (SELECT data FROM posting_DAY AS one WHERE one.kind = ?1 AND one.piece = all_pieces.piece AND
		one.last >= wanted.value ORDER BY one.last LIMIT 1) FROM posting_DAY AS all_pieces CROSS JOIN json_each(?2) AS wanted WHERE all_pieces.kind = 0`),
		int64(kind), "["+idList(ids)+"]")
	if err != nil {
		return nil, 0, err
	}
	err = v.each(func(rows *sql.Rows) error {
		err := rows.Scan(&list)
		for rest := list; len(rest) > 0; {
			seq, n := binary.Uvarint(rest)
			if n <= 0 {
				break
			}
			seqs, rest = append(seqs, int64(seq)), rest[n:]
		}
		return err
	}, d.sql("SELECT data FROM posting_DAY WHERE kind = ? AND piece = 0 AND last IN "+numbers(ids)), int64(kind))
	return seqs, upTo, err
}

// unposted are those that are in no piece yet.
func (v *view) unposted(d day, kind osm.KeyKind, ids []int64, upTo int64) (seqs []int64, err error) {
	add := func(rows *sql.Rows) error {
		seqs = append(seqs, 0)
		return rows.Scan(&seqs[len(seqs)-1])
	}
	switch kind {
	case osm.KeyRecipient:
		return v.unpostedRecipients(d, ids, upTo)
	case osm.KeySenderDomain:
		if ids, err = v.sendersAfter(d, upTo, ids); err != nil {
			return nil, err
		}
	}
	return seqs, v.each(add, d.sql(fmt.Sprintf("SELECT seq FROM message_DAY WHERE seq > %d AND %s IN %s", upTo, columnOf[kind], numbers(ids))))
}

func (v *view) unpostedRecipients(d day, ids []int64, upTo int64) (seqs []int64, err error) {
	wanted := map[int64]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	err = v.each(func(rows *sql.Rows) error {
		var m messageRow
		err := rows.Scan(&m.seq, &m.recipients, &m.envelope)
		if m.sentTo(wanted) {
			seqs = append(seqs, m.seq)
		}
		return err
	}, d.sql("SELECT seq, recipients, envelope FROM message_DAY WHERE seq > ?"), upTo)
	if err != nil {
		return nil, err
	}
	set := numbers(ids)
	return seqs, v.each(func(rows *sql.Rows) error {
		seqs = append(seqs, 0)
		return rows.Scan(&seqs[len(seqs)-1])
	}, d.sql("SELECT DISTINCT id >> 20 FROM delivery_DAY WHERE id > ? AND (recipient IN "+set+" OR original IN "+set+")"),
		upTo<<attemptBits|(1<<attemptBits-1))
}

// sendersAfter finds the senders of some domains among the messages that are in no piece yet.
func (v *view) sendersAfter(d day, upTo int64, domains []int64) (ids []int64, err error) {
	names, wanted := texts{}, texts{}
	wanted.want(domains...)
	err = v.each(func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		names.want(id)
		return err
	}, d.sql("SELECT DISTINCT sender FROM message_DAY WHERE seq > ?"), upTo)
	if err == nil {
		err = names.load(v, d)
	}
	if err == nil {
		err = wanted.load(v, d)
	}
	if err != nil {
		return nil, err
	}
	texts := map[string]bool{}
	for _, text := range wanted {
		texts[text] = true
	}
	for id, text := range names {
		if texts[domainOf(text)] {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
