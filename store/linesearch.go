package store

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"time"
)

// What one search of lines opens and gives at most.
const (
	searchedBlocks = 250 // 125 MB of lines
	foundLines     = 20
)

// LinesWith lists the raw lines that hold a text, of the time in which the messages of a span arrived. It opens all that was
// logged then, a few hundred MB a second.
func (r *Reader) LinesWith(ctx context.Context, text string, since, until time.Time) (lines []string, err error) {
	if text = clean(text); text == "" || r.within != nil { // other lines are nobody's
		return nil, nil
	}
	err = r.view(ctx, "search the lines of", func(v *view) error {
		left := searchedBlocks
		for _, d := range v.days {
			if d.start().After(until) || (d + 1).start().Before(since) {
				continue
			}
			blocks, err := v.blocksOf(d, since, until, left)
			if err != nil {
				return err
			}
			left -= len(blocks)
			for _, block := range blocks {
				if lines, err = v.linesWith(d, block, text, lines); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return lines, err
}

// blocksOf are the blocks with the arrivals of a span.
func (v *view) blocksOf(d day, since, until time.Time, most int) (blocks []int64, err error) {
	err = v.each(func(rows *sql.Rows) error {
		var block int64
		err := rows.Scan(&block)
		blocks = append(blocks, block)
		return err
	}, d.sql("SELECT DISTINCT line FROM message_DAY WHERE line > 0 AND time BETWEEN ? AND ? ORDER BY line LIMIT ?"),
		d.millis(since), d.millis(until), most)
	return blocks, err
}

// linesWith adds the lines of a block that hold a text.
func (v *view) linesWith(d day, block int64, text string, lines []string) ([]string, error) {
	all, err := v.block(d, block)
	if err != nil || !bytes.Contains(all, []byte(text)) {
		return lines, err
	}
	for line := range bytes.Lines(all) {
		if len(lines) < foundLines && bytes.Contains(line, []byte(text)) {
			lines = append(lines, strings.TrimSuffix(string(line), "\n"))
		}
	}
	return lines, nil
}
