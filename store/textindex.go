package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
)

// Texts are found by a small index of their hashes, made of whole pieces: one on the texts themselves would be as large as they
// are, and one that is kept up text by text would cost more than writing them.
const (
	textBuckets = 256
	textEntry   = 5
)

// pieces is how large the pieces of the indexes are: at most 65536 texts. Of a day that is over they may be smaller.
type pieces struct{ texts, messages, least int }

// usualPieces make an index small, and what is in none yet quickly looked through.
func usualPieces() pieces { return pieces{texts: 1 << 14, messages: 1 << 16, least: 1 << 10} }

// textHash is the same for texts that differ in ASCII case only, as SQLite's NOCASE has it (FNV-1a, 32 bits).
func textHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// textIndex gathers the hashes of new texts until they are a piece.
type textIndex struct {
	upTo   uint32   // id of the last text that is in a piece
	hashes []uint32 // of those after it, as far as they were written by this writer
}

// write makes pieces of what is there. over tells that the day is not filled any more.
func (x *textIndex) write(ctx context.Context, conn *sql.Conn, d day, last uint32, size pieces, over bool) error {
	least := size.texts
	if over {
		least = size.least
	}
	if int(last-x.upTo) < least {
		return nil
	}
	if len(x.hashes) != int(last-x.upTo) { // others wrote the first of them, before a restart
		if err := x.reread(ctx, conn, d); err != nil {
			return err
		}
	}
	put, err := newInserter(ctx, conn, d.sql("text_DAY"), 3, "")
	if err != nil {
		return err
	}
	defer put.close()
	for len(x.hashes) >= least {
		n := uint32(min(len(x.hashes), size.texts))
		var buckets [textBuckets][]byte
		for i, h := range x.hashes[:n] {
			b := &buckets[h>>24]
			*b = append(*b, byte(h>>16), byte(h>>8), byte(h))
			*b = binary.BigEndian.AppendUint16(*b, uint16(n-1-uint32(i)))
		}
		x.upTo += n
		for i, data := range buckets {
			if data == nil {
				data = []byte{}
			}
			if err := put.add(int64(i), int64(x.upTo), data); err != nil {
				return err
			}
		}
		x.hashes = append(x.hashes[:0], x.hashes[n:]...)
	}
	return put.flush()
}

func (x *textIndex) reread(ctx context.Context, conn *sql.Conn, d day) error {
	x.hashes = x.hashes[:0]
	rows, err := conn.QueryContext(ctx, d.sql("SELECT text FROM string_DAY WHERE id > ? ORDER BY id"), int64(x.upTo))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		x.hashes = append(x.hashes, textHash(text))
	}
	return rows.Err()
}

// textIDs finds the ids of texts of a day. The collation is binary or nocase.
func (v *view) textIDs(d day, collation string, values ...string) (ids []int64, err error) {
	var maybe []int64
	for _, value := range values {
		h := textHash(value)
		err := v.each(func(rows *sql.Rows) error {
			var piece int64
			var data sql.RawBytes
			if err := rows.Scan(&piece, &data); err != nil {
				return err
			}
			for i := 0; i+textEntry <= len(data); i += textEntry {
				if data[i] == byte(h>>16) && data[i+1] == byte(h>>8) && data[i+2] == byte(h) {
					maybe = append(maybe, piece-int64(binary.BigEndian.Uint16(data[i+3:])))
				}
			}
			return nil
		}, d.sql("SELECT piece, data FROM text_DAY WHERE bucket = ?"), int64(h>>24))
		if err != nil {
			return nil, err
		}
	}
	args, marks := make([]any, len(values)), make([]string, len(values))
	for i, value := range values {
		args[i], marks[i] = value, fmt.Sprintf("?%d", i+1)
	}
	in := " AND text COLLATE " + collation + " IN (" + strings.Join(marks, ", ") + ")"
	err = v.each(func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, d.sql(`SELECT id FROM string_DAY WHERE id IN (`+idList(maybe)+`)`+in+`
		UNION ALL SELECT id FROM string_DAY WHERE id > (SELECT ifnull(max(piece), 0) FROM text_DAY WHERE bucket = 0)`+in), args...)
	return ids, err
}
