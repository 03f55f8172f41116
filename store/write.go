package store

import (
	"context"
	"database/sql"
	"errors"
	"hash/maphash"
	"time"
)

// attemptBits is how many attempts a message can have: more are not kept.
const attemptBits = 20

// place is where a message is kept.
type place struct {
	day     *dayWriter // nil: it is not kept
	seq     int64
	stored  bool  // it has a row from an earlier flush
	attempt int64 // number of the next one

	// What the row held that is written anew.
	counts    [4]int64
	completed time.Time
}

// dayWriter writes the tables of one day.
type dayWriter struct {
	day     day
	used    int64 // flush in which it was used last
	seq     int64 // of the newest message
	events  int64
	samples map[EventKind]int // lines kept for osm doctor so far
	settled bool              // something was noted down of it
	texts   dictionary
	hours   hourly
	rolled  rolled

	pieces   pieces
	index    textIndex
	postings postings

	messages, deliveries, verdicts, eventRows, hourRows, refusalRows, answerRows, hitRows *inserter
	find, add                                                                             *sql.Stmt
}

// openDay makes the tables of the day where they are missing and prepares to write them. The texts of the newest day are
// learned: it is still being filled. An older one gets a few late deliveries, whose texts may have a second id.
func openDay(ctx context.Context, conn *sql.Conn, d day, exists, newest bool, all []migration, size pieces) (*dayWriter, error) {
	for _, m := range all {
		if m.daily && !exists {
			if err := execAll(ctx, conn, m.forDay(d)); err != nil {
				return nil, err
			}
		}
	}
	w := &dayWriter{day: d, hours: newHourly(), rolled: newRolled(), samples: map[EventKind]int{}, pieces: size,
		texts: dictionary{limit: maxTexts, piece: size.texts, seed: maphash.MakeSeed(), ids: map[uint64]uint32{}}}
	w.texts.index = &w.index
	err := w.prepare(ctx, conn)
	if err == nil && exists {
		err = w.load(ctx, conn)
	}
	if err == nil && exists && newest {
		err = w.texts.learn(ctx, conn, d)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *dayWriter) prepare(ctx context.Context, conn *sql.Conn) (err error) {
	for _, t := range []struct {
		rows   **inserter
		table  string
		width  int
		suffix string
	}{
		{&w.texts.rows, "string_DAY", 2, ""},
		{&w.messages, "message_DAY", messageWidth, ""},
		{&w.deliveries, "delivery_DAY", deliveryWidth, ""},
		{&w.verdicts, "verdict_DAY", verdictWidth, ""},
		{&w.eventRows, "event_DAY", eventWidth, ""},
		{&w.hourRows, "hourly_DAY", hourlyWidth, hourlyAdds},
		{&w.refusalRows, "refusal_DAY", refusalWidth, refusalAdds},
		{&w.answerRows, "answer_DAY", answerWidth, answerAdds},
		{&w.hitRows, "hit_DAY", hitWidth, hitAdds},
	} {
		if *t.rows, err = newInserter(ctx, conn, w.day.sql(t.table), t.width, t.suffix); err != nil {
			return err
		}
	}
	// 1048575 is the highest attempt of attemptBits.
	w.find, err = conn.PrepareContext(ctx, w.day.sql(`SELECT seq, flags,
		ifnull((SELECT max(id) & 1048575 FROM delivery_DAY WHERE id BETWEEN seq << 20 AND seq << 20 | 1048575), -1) + 1
		FROM message_DAY WHERE key = ?`))
	if err != nil {
		return err
	}
	w.add, err = conn.PrepareContext(ctx, w.day.sql(`UPDATE message_DAY SET delivered = delivered + ?,
		deferred = deferred + ?, failed = failed + ?, suppressed = suppressed + ?, completed = ifnull(?, completed),
		last_line = ? WHERE seq = ?`))
	return err
}

// load reads where the numbering of the day stands.
func (w *dayWriter) load(ctx context.Context, conn *sql.Conn) error {
	err := conn.QueryRowContext(ctx, w.day.sql(`SELECT ifnull((SELECT max(seq) FROM message_DAY), 0),
		ifnull((SELECT max(id) FROM string_DAY), 0), ifnull((SELECT max(id) FROM event_DAY), 0),
		ifnull((SELECT max(piece) FROM text_DAY WHERE bucket = 0), 0),
		ifnull((SELECT max(piece) FROM posting_DAY WHERE kind = 0), 0), EXISTS (SELECT 1 FROM settled_DAY)`)).
		Scan(&w.seq, &w.texts.last, &w.events, &w.index.upTo, &w.postings.upTo, &w.settled)
	w.postings.lacks = w.seq > w.postings.upTo
	if err != nil {
		return err
	}
	for _, kind := range sampled {
		var n int
		err := conn.QueryRowContext(ctx, w.day.sql("SELECT count(*) FROM event_DAY WHERE kind = ?"), int64(kind)).Scan(&n)
		if err != nil {
			return err
		}
		w.samples[kind] = n
	}
	return nil
}

// locate looks for a message of an earlier flush.
func (w *dayWriter) locate(key int64) (p place, noArrival, found bool, err error) {
	var flags int64
	p = place{day: w, stored: true}
	err = w.find.QueryRow(key).Scan(&p.seq, &flags, &p.attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return place{}, false, false, nil
	}
	return p, flags&flagNoArrival != 0, err == nil, err
}

// finish writes what is still held back, the sums, and what is enough for a piece of an index. over tells that the day is not
// filled any more.
func (w *dayWriter) finish(ctx context.Context, conn *sql.Conn, over bool) error {
	if err := w.hours.write(w.hourRows, w.refusalRows); err != nil {
		return err
	}
	if err := w.rolled.write(w.answerRows, w.hitRows); err != nil {
		return err
	}
	if err := w.texts.flush(); err != nil {
		return err
	}
	for _, rows := range w.inserters() {
		if err := rows.flush(); err != nil {
			return err
		}
	}
	if err := w.postings.write(ctx, conn, w, over); err != nil {
		return err
	}
	if err := w.texts.flush(); err != nil { // the postings may have named a domain
		return err
	}
	return w.index.write(ctx, conn, w.day, w.texts.last, w.pieces, over)
}

func (w *dayWriter) inserters() []*inserter {
	return []*inserter{w.texts.rows, w.messages, w.deliveries, w.verdicts, w.eventRows, w.hourRows, w.refusalRows, w.answerRows, w.hitRows}
}

func (w *dayWriter) close() {
	for _, rows := range w.inserters() {
		if rows != nil {
			rows.close()
		}
	}
	for _, statement := range []*sql.Stmt{w.find, w.add} {
		if statement != nil {
			statement.Close()
		}
	}
}
