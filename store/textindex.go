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
	textBuckets     = 256
	textEntry       = 4
	signatureBucket = textBuckets
	signatureFrom   = 1 << 14 // texts: of a smaller piece the texts are looked at themselves
)

// pieces is how large the pieces of the indexes are: at most 65536 texts; of a day that is over, at least so small. And from how many
// texts of a piece it has a signature, from how many messages of a day on what takes long to find out is noted down.
type pieces struct{ texts, messages, least, signature, settled int }

// usualPieces make an index small, and what is in none yet quickly looked through.
func usualPieces() pieces {
	return pieces{texts: 1 << 16, messages: 1 << 14, least: 1 << 10, signature: signatureFrom, settled: settledFrom}
}

// textHash is the same for texts that differ in ASCII case only, as SQLite's NOCASE has it (FNV-1a, 32 bits).
func textHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(lower(s[i]))) * 16777619
	}
	return h
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// hashed is a text's hash as it is kept: by bucket, then two bytes.
func hashed(h uint32) (bucket int, rest uint16) { return int(h >> 24), uint16(h >> 8) }

// textIndex gathers the hashes of new texts until they are a piece.
type textIndex struct {
	upTo   uint32   // id of the last text that is in a piece
	hashes []uint32 // of those after it, as far as they were written by this writer
	signs  []*signature
}

// add takes a new text; size is how many are a piece.
func (x *textIndex) add(s string, size int) {
	if len(x.hashes)%size == 0 {
		x.signs = append(x.signs, new(signature))
	}
	x.hashes = append(x.hashes, textHash(s))
	x.signs[len(x.signs)-1].add(s)
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
		if err := x.reread(ctx, conn, d, size.texts); err != nil {
			return err
		}
	}
	put, err := newInserter(ctx, conn, d.sql("text_DAY"), 3, "")
	if err != nil {
		return err
	}
	defer put.close()
	for len(x.hashes) >= least {
		n := min(len(x.hashes), size.texts)
		if err := x.writePiece(put, n, size); err != nil {
			return err
		}
		x.hashes, x.signs = append(x.hashes[:0], x.hashes[n:]...), append(x.signs[:0], x.signs[1:]...)
	}
	return put.flush()
}

func (x *textIndex) writePiece(put *inserter, n int, size pieces) error {
	var buckets [textBuckets][]byte
	for i, h := range x.hashes[:n] {
		at, rest := hashed(h)
		buckets[at] = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(buckets[at], rest), uint16(n-1-i))
	}
	x.upTo += uint32(n)
	for i, data := range buckets {
		if data == nil {
			data = []byte{}
		}
		if err := put.add(int64(i), int64(x.upTo), data); err != nil {
			return err
		}
	}
	if n < size.signature {
		return nil
	}
	return put.add(int64(signatureBucket), int64(x.upTo), x.signs[0][:])
}

func (x *textIndex) reread(ctx context.Context, conn *sql.Conn, d day, size int) error {
	x.hashes, x.signs = x.hashes[:0], x.signs[:0]
	return eachRow(ctx, conn, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		x.add(text, size)
		return err
	}, d.sql("SELECT text FROM string_DAY WHERE id > ? ORDER BY id"), int64(x.upTo))
}

// textIDs finds the ids of texts of a day. The collation is binary or nocase.
func (v *view) textIDs(d day, collation string, values ...string) (ids []int64, err error) {
	err = v.eachText(d, collation, values, func(id int64, _ string) { ids = append(ids, id) })
	return ids, err
}

// eachText finds texts of a day.
func (v *view) eachText(d day, collation string, values []string, found func(id int64, text string)) error {
	if len(values) == 0 {
		return nil
	}
	args, marks := make([]any, len(values)), make([]string, len(values))
	wanted, buckets := map[int][]uint16{}, []int64{}
	for i, value := range values {
		args[i], marks[i] = value, fmt.Sprintf("?%d", i+1)
		bucket, rest := hashed(textHash(value))
		if wanted[bucket] == nil {
			buckets = append(buckets, int64(bucket))
		}
		wanted[bucket] = append(wanted[bucket], rest)
	}
	var maybe []int64
	err := v.each(func(rows *sql.Rows) error {
		var bucket int
		var piece int64
		var data sql.RawBytes
		if err := rows.Scan(&bucket, &piece, &data); err != nil {
			return err
		}
		for ; len(data) >= textEntry; data = data[textEntry:] {
			for _, rest := range wanted[bucket] {
				if binary.BigEndian.Uint16(data) == rest {
					maybe = append(maybe, piece-int64(binary.BigEndian.Uint16(data[2:])))
				}
			}
		}
		return nil
	}, d.sql("SELECT bucket, piece, data FROM text_DAY WHERE bucket IN "+numbers(buckets)))
	if err != nil {
		return err
	}
	in := " AND text COLLATE " + collation + " IN (" + strings.Join(marks, ", ") + ")"
	return v.each(func(rows *sql.Rows) error {
		var id int64
		var text string
		err := rows.Scan(&id, &text)
		found(id, text)
		return err
	}, d.sql(`SELECT id, text FROM string_DAY WHERE id IN `+numbers(maybe)+in+`
		UNION ALL SELECT id, text FROM string_DAY WHERE id > (SELECT ifnull(max(piece), 0) FROM text_DAY WHERE bucket = 0)`+in), args...)
}
