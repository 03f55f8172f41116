package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"
)

const (
	// maxTexts bounds the texts of a day that the writer knows by heart: to 22 MB. Past it, it begins anew, and a text
	// that comes again gets a second id: readers add up by text, not by id.
	maxTexts = 900_000
	// maxText is how much of a text is kept apart, in bytes. The raw line has the rest.
	maxText = 4096
)

// dictionary gives the texts of a day their ids. An index on the texts would cost four times as much as the texts
// themselves, so what is known is known in memory only, by hash: the seed is random and secret, so that 64 bits do not
// collide by chance (10^-7 for a million texts) nor by intent.
type dictionary struct {
	limit   int // of ids: maxTexts
	piece   int // texts of a piece of the index
	seed    maphash.Seed
	ids     map[uint64]uint32
	last    uint32
	rows    *inserter
	scratch []byte
	index   *textIndex
	err     error // the first failed insert, reported by flush
}

// learn reads the texts of a day that was begun before.
func (t *dictionary) learn(ctx context.Context, conn *sql.Conn, d day) error {
	rows, err := conn.QueryContext(ctx, d.sql("SELECT id, text FROM string_DAY ORDER BY id DESC LIMIT ?"), t.limit/2)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id uint32
	var text sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		t.ids[maphash.Bytes(t.seed, text)] = id
	}
	return rows.Err()
}

func (t *dictionary) id(s string) int64 {
	if s == "" {
		return 0
	}
	s = clean(s)
	hash := maphash.String(t.seed, s)
	if id, ok := t.ids[hash]; ok {
		return int64(id)
	}
	return t.add(hash, s)
}

func (t *dictionary) add(hash uint64, s string) int64 {
	if len(t.ids) >= t.limit {
		t.ids = map[uint64]uint32{}
	}
	t.last++
	t.ids[hash] = t.last
	t.index.add(s, t.piece)
	if err := t.rows.add(int64(t.last), s); t.err == nil {
		t.err = err
	}
	return int64(t.last)
}

func (t *dictionary) address(a netip.Addr) int64 {
	if !a.IsValid() {
		return 0
	}
	t.scratch = a.AppendTo(t.scratch[:0])
	hash := maphash.Bytes(t.seed, t.scratch)
	if id, ok := t.ids[hash]; ok {
		return int64(id)
	}
	return t.add(hash, clean(string(t.scratch))) // an IPv6 zone can be any text
}

// tuple gives texts that mostly come together one id: they are kept as a JSON array.
func (t *dictionary) tuple(parts ...string) int64 {
	t.scratch = t.scratch[:0]
	empty := true
	for _, p := range parts {
		empty = empty && p == ""
		t.scratch = binary.AppendUvarint(t.scratch, uint64(len(p)))
		t.scratch = append(t.scratch, p...)
	}
	if empty {
		return 0
	}
	hash := maphash.Bytes(t.seed, t.scratch)
	if id, ok := t.ids[hash]; ok {
		return int64(id)
	}
	kept := make([]string, len(parts))
	for i, p := range parts {
		kept[i] = clean(p)
	}
	text, err := json.Marshal(kept)
	if err != nil && t.err == nil {
		t.err = err
	}
	return t.add(hash, string(text))
}

// flush writes what is left, and reports the first failure since the beginning.
func (t *dictionary) flush() error {
	if t.err != nil {
		return t.err
	}
	return t.rows.flush()
}

// clean is what is kept of a text: not too long, and without NUL, at which SQLite's LIKE would end.
func clean(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

// number is "" for 0, so that a tuple of nothing stays empty.
func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
