package store

import "database/sql"

// signatureBits is the length of their hashes.
const signatureBits = 18

// signature tells which three bytes that follow each other some texts have: a bit for each of 262144 hashes. Most words that are
// searched for have some three that no text of a piece has, and then none needs to be looked at.
type signature [1 << (signatureBits - 3)]byte

func (s *signature) add(text string) {
	eachThree(text, func(h uint32) { s[h>>3] |= 1 << (h & 7) })
}

// eachThree calls fn with the hash of each three bytes, without regard to ASCII case as SQLite's LIKE has it.
func eachThree(text string, fn func(h uint32)) {
	three := uint32(0)
	for i := range len(text) {
		three = three<<8&0xffffff | uint32(lower(text[i]))
		if i >= 2 {
			fn(three * 2654435761 >> (32 - signatureBits)) // Knuth's multiplicative hash
		}
	}
}

// may tells whether texts with this signature can have a text in them; no signature says nothing.
func may(data []byte, text string) bool {
	can := true
	if len(data) == len(signature{}) {
		eachThree(text, func(h uint32) { can = can && data[h>>3]>>(h&7)&1 == 1 })
	}
	return can
}

// textsLike finds the texts of a day that a pattern with `*` at the start or end stands for, and tells how many were looked at.
func (v *view) textsLike(d day, pattern string) (ids []int64, looked int64, err error) {
	type stretch struct{ after, last int64 }
	var all []stretch
	var before int64
	err = v.each(func(rows *sql.Rows) error {
		var piece int64
		var data sql.RawBytes
		err := rows.Scan(&piece, &data)
		if err == nil && may(data, middle(pattern)) {
			if n := len(all); n > 0 && all[n-1].last == before {
				all[n-1].last = piece
			} else {
				all = append(all, stretch{before, piece})
			}
		}
		before = piece
		return err
	}, d.sql(`SELECT one.piece, sign.data FROM text_DAY AS one LEFT JOIN text_DAY AS sign ON sign.bucket = ? AND sign.piece = one.piece
		WHERE one.bucket = 0 ORDER BY one.piece`), signatureBucket)
	if err != nil {
		return nil, 0, err
	}
	var newest int64
	if err := v.conn.QueryRowContext(v.ctx, d.sql("SELECT ifnull(max(id), 0) FROM string_DAY")).Scan(&newest); err != nil {
		return nil, 0, err
	}
	match, arg := matchText(pattern)
	for _, s := range append(all, stretch{before, newest}) {
		looked += s.last - s.after
		err := v.each(func(rows *sql.Rows) error {
			ids = append(ids, 0)
			return rows.Scan(&ids[len(ids)-1])
		}, d.sql("SELECT id FROM string_DAY WHERE id > ? AND id <= ? AND "+match), s.after, s.last, arg)
		if err != nil {
			return nil, 0, err
		}
	}
	return ids, looked, nil
}
