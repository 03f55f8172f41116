package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"osm"
)

// posting is that a message bears a value: kind, value and seq, packed in their order.
type posting struct{ key, seq uint64 }

// postings are of the kinds that are ranked, and by sender and user. They gather whose messages are where until they are a piece.
type postings struct {
	upTo  int64 // the last seq that is in a piece
	lacks bool  // what was written after it before a restart
	all   []posting
	late  []posting // of messages written anew after their piece
}

func (p *postings) add(seq int64, ranks *ranked, sender, user int64) {
	to := &p.all
	if seq <= p.upTo {
		to = &p.late
	}
	for i, value := range ranks {
		p.put(to, rankings[i], int64(value), seq)
	}
	p.put(to, osm.KeySender, sender, seq)
	p.put(to, osm.KeyUser, user, seq)
}

func (p *postings) put(to *[]posting, kind osm.KeyKind, value, seq int64) {
	if value != 0 {
		*to = append(*to, posting{uint64(kind)<<32 | uint64(value), uint64(seq)})
	}
}

// write makes a piece of what is there, when that is enough. over tells that the day is not filled any more.
func (p *postings) write(ctx context.Context, conn *sql.Conn, w *dayWriter, over bool) error {
	least := int64(w.pieces.messages)
	if over {
		least = int64(w.pieces.least)
	}
	if w.seq-p.upTo < least && len(p.late) == 0 {
		return nil
	}
	put, err := newInserter(ctx, conn, w.day.sql("posting_DAY"), 4, " ON CONFLICT DO UPDATE SET seqs = excluded.seqs")
	if err != nil {
		return err
	}
	defer put.close()
	for _, one := range p.late {
		if err := put.add(int64(one.key>>32), int64(uint32(one.key)), -int64(one.seq), binary.AppendUvarint(nil, one.seq)); err != nil {
			return err
		}
	}
	p.late = p.late[:0]
	if w.seq-p.upTo < least {
		return put.flush()
	}
	if p.lacks {
		if err := p.reread(ctx, conn, w); err != nil {
			return err
		}
	}
	if err := p.writePiece(put, w.seq); err != nil {
		return err
	}
	p.upTo, p.all, p.lacks = w.seq, p.all[:0], false
	return put.flush()
}

func (p *postings) writePiece(put *inserter, last int64) error {
	slices.SortFunc(p.all, func(a, b posting) int {
		if a.key != b.key {
			if a.key < b.key {
				return -1
			}
			return 1
		}
		return int(int64(a.seq) - int64(b.seq))
	})
	if err := put.add(int64(0), int64(0), last, []byte{}); err != nil {
		return err
	}
	for i := 0; i < len(p.all); {
		key, before := p.all[i].key, uint64(0)
		seqs := make([]byte, 0, 8)
		for ; i < len(p.all) && p.all[i].key == key; i++ {
			seqs = binary.AppendUvarint(seqs, p.all[i].seq-before)
			before = p.all[i].seq
		}
		if err := put.add(int64(key>>32), int64(uint32(key)), last, seqs); err != nil {
			return err
		}
	}
	return nil
}

// reread gathers what is not in a piece from the messages themselves.
func (p *postings) reread(ctx context.Context, conn *sql.Conn, w *dayWriter) error {
	p.all = p.all[:0]
	rows, err := conn.QueryContext(ctx, w.day.sql(`SELECT seq, account, login, script, client, subject, sender, user, ifnull(text, '')
		FROM message_DAY LEFT JOIN string_DAY ON id = sender WHERE seq > ? ORDER BY seq`), p.upTo)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var seq, account, login, script, client, subject, sender, user int64
		var address string
		if err := rows.Scan(&seq, &account, &login, &script, &client, &subject, &sender, &user, &address); err != nil {
			return err
		}
		domain := w.texts.id(domainOf(address))
		p.add(seq, &ranked{uint32(account), uint32(login), uint32(script), uint32(client), uint32(domain), uint32(subject)}, sender, user)
	}
	return rows.Err()
}

// shortList is how many messages of a day are named in a query; one of whom there are more is looked for among all.
const shortList = 20_000

// bearing is the condition on a day's messages to bear one of the values of a kind: without the index for what is in no piece yet.
func (v *view) bearing(d day, kind osm.KeyKind, ids []int64) (condition string, err error) {
	if len(ids) == 0 {
		return "0", nil
	}
	column := columnOf[kind]
	wanted := fmt.Sprintf("%s IN (%s)", column, idList(ids))
	var upTo int64
	err = v.conn.QueryRowContext(v.ctx, d.sql("SELECT ifnull(max(piece), 0) FROM posting_DAY WHERE kind = 0 AND value = 0")).Scan(&upTo)
	if err != nil {
		return "", err
	}
	if kind == osm.KeySenderDomain {
		senders, err := v.sendersAfter(d, upTo, ids)
		if err != nil {
			return "", err
		}
		wanted = "sender IN (" + idList(senders) + ")"
	}
	var seqs []int64
	add := func(rows *sql.Rows) error {
		var data sql.RawBytes
		err := rows.Scan(&data)
		for at := int64(0); err == nil && len(data) > 0; {
			step, n := binary.Uvarint(data)
			if n <= 0 {
				break
			}
			at, data = at+int64(step), data[n:]
			seqs = append(seqs, at)
		}
		return err
	}
	if err := v.each(add, d.sql(fmt.Sprintf("SELECT seqs FROM posting_DAY WHERE kind = %d AND value IN (%s)", kind, idList(ids)))); err != nil {
		return "", err
	}
	err = v.each(func(rows *sql.Rows) error {
		seqs = append(seqs, 0)
		return rows.Scan(&seqs[len(seqs)-1])
	}, d.sql(fmt.Sprintf("SELECT seq FROM message_DAY WHERE seq > %d AND %s", upTo, wanted)))
	if err != nil || len(seqs) > shortList && kind != osm.KeySenderDomain {
		return wanted, err
	}
	if kind == osm.KeySenderDomain {
		return "seq IN " + seqList(seqs), nil
	}
	return "seq IN " + seqList(seqs) + " AND " + wanted, nil
}

// seqList writes seqs into a query as one text: as a list each would become an instruction.
func seqList(seqs []int64) string {
	return "(SELECT value FROM json_each('[" + idList(seqs) + "]'))"
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
