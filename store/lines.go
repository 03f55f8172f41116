package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// blockSize is where a block of raw lines is closed, in bytes: a trace opens a few blocks, half a millisecond each, and of four
// times the size they would be a tenth smaller.
const blockSize = 512 << 10

// lineLog is the block that is being filled, as it stands in the database.
type lineLog struct {
	block int64 // its number, 0 before the first
	day   day
	text  []byte
	parts int64
}

// blockWrite is a row of line_*.
type blockWrite struct {
	day         day
	block, part int64
	whole       bool // takes the place of all parts
	text        []byte
	end         int // offset of the batch's text after its last byte
}

// plan splits the lines of a batch into blocks. It gives the rows to write and the block that is open afterwards.
func (l lineLog) plan(text []byte, cuts []cut) ([]blockWrite, lineLog) {
	var writes []blockWrite
	for start := 0; start < len(text); {
		end := len(text)
		if len(cuts) > 0 && cuts[0].offset <= start {
			l = lineLog{block: l.block, day: cuts[0].day}
			l.block++
			cuts = cuts[1:]
		}
		if len(cuts) > 0 {
			end = cuts[0].offset
		}
		room := max(blockSize-len(l.text), 1)
		full := end-start >= room
		if full {
			end = start + room - 1
			end += bytes.IndexByte(text[end:], '\n') + 1
		}
		w := blockWrite{day: l.day, block: l.block, part: l.parts, text: text[start:end], end: end}
		l.text = append(l.text, w.text...) // after a failed flush the same lines come to the same place again
		l.parts++
		if full {
			w.whole, w.part, w.text = true, 0, l.text
			l = lineLog{block: l.block + 1, day: l.day}
		}
		writes = append(writes, w)
		start = end
	}
	return writes, l
}

// blockAt is the block that holds the line at an offset of the batch's text.
func blockAt(writes []blockWrite, offset int) int64 {
	i, _ := slices.BinarySearchFunc(writes, offset+1, func(w blockWrite, end int) int { return w.end - end })
	if i == len(writes) {
		return 0
	}
	return writes[i].block
}

// resume finds the block that was being filled. A closed one of the right size is merely followed by the next.
func resume(ctx context.Context, conn *sql.Conn, days []day) (l lineLog, err error) {
	for _, d := range slices.Backward(days) {
		err := conn.QueryRowContext(ctx, d.sql("SELECT ifnull(max(block), 0) FROM line_DAY")).Scan(&l.block)
		if err != nil {
			return l, err
		}
		if l.day = d; l.block > 0 {
			break
		}
	}
	if l.block == 0 {
		return lineLog{}, nil
	}
	if l.text, l.parts, err = readBlock(ctx, conn, l.day, l.block); err != nil {
		return l, err
	}
	if len(l.text) >= blockSize {
		l = lineLog{block: l.block + 1, day: l.day}
	}
	return l, nil
}

// readBlock gives the lines of a block, empty where the day has none of that number, and the next part's number.
func readBlock(ctx context.Context, db queryer, d day, block int64) (text []byte, parts int64, err error) {
	rows, err := db.QueryContext(ctx, d.sql("SELECT part, data FROM line_DAY WHERE block = ? ORDER BY part"), block)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	reader, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20))
	if err != nil {
		return nil, 0, err
	}
	defer reader.Close()
	var data sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&parts, &data); err != nil {
			return nil, 0, err
		}
		if text, err = reader.DecodeAll(data, text); err != nil {
			return nil, 0, err
		}
		parts++
	}
	return text, parts, rows.Err()
}

// compress does so with each text in turn: with more effort where a block is whole, since it stays. That takes some megabytes of
// tables, which are not kept for the next time.
func compress(writes []blockWrite, parts *zstd.Encoder) error {
	var blocks *zstd.Encoder
	for i, w := range writes {
		encoder := parts
		if w.whole {
			if blocks == nil {
				var err error
				if blocks, err = newEncoder(zstd.SpeedBetterCompression); err != nil {
					return err
				}
			}
			encoder = blocks
		}
		writes[i].text = encoder.EncodeAll(w.text, nil)
	}
	return nil
}

// writeLines stores what plan made, compressed.
func writeLines(ctx context.Context, conn *sql.Conn, writes []blockWrite) error {
	for _, w := range writes {
		if w.whole {
			_, err := conn.ExecContext(ctx, w.day.sql("DELETE FROM line_DAY WHERE block = ?"), w.block)
			if err != nil {
				return err
			}
		}
		_, err := conn.ExecContext(ctx, w.day.sql("INSERT INTO line_DAY VALUES (?, ?, ?)"), w.block, w.part, w.text)
		if err != nil {
			return err
		}
	}
	return nil
}
