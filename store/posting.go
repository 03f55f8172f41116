package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"

	"osm"
)

// postings are of the kinds that are ranked, and by sender, user and recipient. They gather whose messages are where until they are
// a piece.
type postings struct {
	upTo  int64 // the last seq that is in a piece
	lacks bool  // what was written after it before a restart
	all   []posting
	late  []latePosting
}

// latePosting is of a message that is in a piece already: it was written anew, or went to somebody else too.
type latePosting struct {
	kind       osm.KeyKind
	value, seq int64
}

func (p *postings) put(kind osm.KeyKind, value, seq int64) {
	switch {
	case value == 0:
	case seq <= p.upTo:
		p.late = append(p.late, latePosting{kind, value, seq})
	default:
		p.all = append(p.all, newPosting(kind, value, seq-p.upTo))
	}
}

func (p *postings) add(seq int64, ranks *ranked, sender, user int64) {
	for i, value := range ranks {
		p.put(rankings[i], int64(value), seq)
	}
	p.put(osm.KeySender, sender, seq)
	p.put(osm.KeyUser, user, seq)
}

// post enters a message, and whom it is to by its envelope.
func (w *dayWriter) post(m *pendingMessage, ranks *ranked) {
	w.postings.add(m.place.seq, ranks, w.texts.id(m.Sender), w.texts.id(m.User))
	for _, r := range m.Recipients {
		w.postings.put(osm.KeyRecipient, w.texts.id(r), m.place.seq)
	}
}

// postAttempt enters whom a message is to by an attempt. Those of its envelope are known of one that is in a piece.
func (w *dayWriter) postAttempt(m *pendingMessage, d *osm.Delivery) {
	known := m.place.seq <= w.postings.upTo && m.knows(d.Original)
	if known && d.Recipient == d.Original {
		return
	}
	w.postings.put(osm.KeyRecipient, w.texts.id(d.Recipient), m.place.seq)
	if !known && d.Original != d.Recipient {
		w.postings.put(osm.KeyRecipient, w.texts.id(d.Original), m.place.seq)
	}
}

// knows tells whether a recipient is among those of the envelope.
func (m *pendingMessage) knows(recipient string) bool {
	if m.envelope == nil && len(m.Recipients) > 0 {
		m.envelope = make(map[string]bool, len(m.Recipients))
		for _, r := range m.Recipients {
			m.envelope[r] = true
		}
	}
	return m.envelope[recipient]
}

const lateAdds = " ON CONFLICT DO UPDATE SET data = data || excluded.data"

// write makes a piece of what is there, when that is enough. over tells that the day is not filled any more.
func (p *postings) write(ctx context.Context, conn *sql.Conn, w *dayWriter, over bool) error {
	least := int64(w.pieces.messages)
	if over {
		least = int64(w.pieces.least)
	}
	if w.seq-p.upTo < least && len(p.late) == 0 {
		return nil
	}
	put, err := newInserter(ctx, conn, w.day.sql("posting_DAY"), 4, lateAdds)
	if err != nil {
		return err
	}
	defer put.close()
	for _, one := range p.late {
		if err := put.add(int64(one.kind), int64(0), one.value, binary.AppendUvarint(nil, uint64(one.seq))); err != nil {
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

// writePiece writes the rows of a piece that ends with a seq.
func (p *postings) writePiece(put *inserter, last int64) error {
	slices.Sort(p.all)
	all := slices.Compact(p.all) // most attempts are for a recipient of the envelope
	if err := put.add(int64(0), last, int64(0), []byte{}); err != nil {
		return err
	}
	var list postingList
	var seqs []uint64
	for i := 0; i < len(all); {
		kind, value := all[i].kind(), all[i].value()
		for seqs = seqs[:0]; i < len(all) && all[i].kind() == kind && all[i].value() == value; i++ {
			seqs = append(seqs, uint64(p.upTo)+all[i].distance())
		}
		before := list
		if list.add(value, seqs); len(list.data) > postingRow && len(before.data) > 0 {
			if err := put.add(int64(kind), last, int64(before.value), before.data); err != nil {
				return err
			}
			list = postingList{}
			list.add(value, seqs)
		}
		if i == len(all) || all[i].kind() != kind {
			if err := put.add(int64(kind), last, int64(value), list.data); err != nil {
				return err
			}
			list = postingList{}
		}
	}
	return nil
}

// reread gathers what is not in a piece from the messages and attempts themselves.
func (p *postings) reread(ctx context.Context, conn *sql.Conn, w *dayWriter) error {
	p.all = p.all[:0]
	err := eachRow(ctx, conn, func(rows *sql.Rows) error {
		var seq, account, login, script, client, subject, sender, user int64
		var address string
		var envelope []byte
		err := rows.Scan(&seq, &account, &login, &script, &client, &subject, &sender, &user, &envelope, &address)
		domain := w.texts.id(domainOf(address))
		p.add(seq, &ranked{uint32(account), uint32(login), uint32(script), uint32(client), uint32(domain), uint32(subject)}, sender, user)
		for _, recipient := range unpackEnvelope(envelope, len(envelope)) {
			p.put(osm.KeyRecipient, recipient, seq)
		}
		return err
	}, w.day.sql(`SELECT seq, account, login, script, client, subject, sender, user, envelope, ifnull(text, '')
		FROM message_DAY LEFT JOIN string_DAY ON id = sender WHERE seq > ? ORDER BY seq`), p.upTo)
	if err != nil {
		return err
	}
	return eachRow(ctx, conn, func(rows *sql.Rows) error {
		var seq, recipient, original int64
		err := rows.Scan(&seq, &recipient, &original)
		p.put(osm.KeyRecipient, recipient, seq)
		p.put(osm.KeyRecipient, original, seq)
		return err
	}, w.day.sql("SELECT id >> 20, recipient, original FROM delivery_DAY WHERE id > ? ORDER BY id"), p.upTo<<attemptBits|(1<<attemptBits-1))
}
