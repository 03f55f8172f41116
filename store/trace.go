package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"osm"
)

// Trace is one message with all that is known.
type Trace struct {
	Found
	Deliveries []osm.Delivery // in the order of the log; Text is empty where it was delivered: see Lines
	Events     []Event
	Lines      []string // raw, in the order of the log, that of its submission first
}

// Trace tells the story of one message, or ErrNotFound. An id that was refused before it became a message has events and
// lines only, and NoArrival is set.
func (r *Reader) Trace(ctx context.Context, id string) (*Trace, error) {
	t := &Trace{}
	err := r.view(ctx, "trace a message in", func(v *view) error {
		d, seq, err := v.locate(id)
		if errors.Is(err, ErrNotFound) {
			return v.traceRefused(id, t)
		}
		if err != nil {
			return err
		}
		found, err := v.found(d, seq)
		if err != nil {
			return err
		}
		t.Found = *found
		return v.trace(d, seq, t)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// trace adds what followed the arrival.
func (v *view) trace(d day, seq int64, t *Trace) error {
	var blocks []int64
	err := v.each(func(rows *sql.Rows) error {
		blocks = append(blocks, 0, 0)
		return rows.Scan(&blocks[0], &blocks[1])
	}, d.sql("SELECT line, last_line FROM message_DAY WHERE seq = ?"), seq)
	if err != nil {
		return err
	}
	deliveries, lines, err := v.deliveries(d, seq)
	if err != nil {
		return err
	}
	t.Deliveries, blocks = deliveries, append(blocks, lines...)
	events, lines, err := v.events(d, "message = ? ORDER BY id", seq)
	if err != nil {
		return err
	}
	for i := range events {
		events[i].ID = t.ID
	}
	t.Events, blocks = events, append(blocks, lines...)
	return v.lines(d, blocks, t)
}

// traceRefused looks for an id that never arrived among the events, newest day first.
func (v *view) traceRefused(id string, t *Trace) error {
	if v.within != nil { // it is nobody's
		return ErrNotFound
	}
	for _, d := range slices.Backward(v.days) {
		events, blocks, err := v.events(d,
			"exim_id IN (SELECT id FROM string_DAY WHERE text = ?) AND message IS NULL ORDER BY id", clean(id))
		if err != nil {
			return err
		}
		if len(events) > 0 {
			t.ID, t.NoArrival, t.Events = id, true, events
			return v.lines(d, blocks, t)
		}
	}
	return ErrNotFound
}

// deliveries of a message, and the blocks of their lines.
func (v *view) deliveries(d day, seq int64) (all []osm.Delivery, blocks []int64, err error) {
	type row struct{ time, outcome, refusal, recipient, original, route, code, enhanced, text, line int64 }
	var found []row
	names := texts{}
	err = v.each(func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(&r.time, &r.outcome, &r.refusal, &r.recipient, &r.original, &r.route, &r.code, &r.enhanced, &r.text,
			&r.line)
		found = append(found, r)
		names.want(r.recipient, r.original, r.route, r.enhanced, r.text)
		return err
	}, d.sql(`SELECT time, outcome, refusal, recipient, original, route, code, enhanced, text, line FROM delivery_DAY
		WHERE id BETWEEN ? AND ? ORDER BY id`), seq<<attemptBits, seq<<attemptBits|(1<<attemptBits-1))
	if err == nil {
		err = names.load(v, d)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, r := range found {
		route := parts(names[r.route], 6)
		delivery := osm.Delivery{Time: d.time(r.time), Outcome: osm.Outcome(r.outcome), Refusal: osm.Refusal(r.refusal),
			Recipient: names[r.recipient], Original: names[r.original], Router: route[0], Transport: route[1],
			Host: route[2], IP: parseAddr(route[3]), Port: uint16(parseNumber(route[4], 16)), Remote: route[5] != "",
			Code: int(r.code), Enhanced: names[r.enhanced], Text: names[r.text]}
		if r.original == 0 {
			delivery.Original = delivery.Recipient
		}
		all, blocks = append(all, delivery), append(blocks, r.line)
	}
	return all, blocks, nil
}

// events of a day that meet a condition, and the blocks of their lines.
func (v *view) events(d day, condition string, args ...any) (all []Event, blocks []int64, err error) {
	type row struct{ time, kind, eximID, client, login, sender, recipient, text, line int64 }
	var found []row
	names := texts{}
	err = v.each(func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(&r.time, &r.kind, &r.eximID, &r.client, &r.login, &r.sender, &r.recipient, &r.text, &r.line)
		found = append(found, r)
		names.want(r.eximID, r.client, r.login, r.sender, r.recipient, r.text)
		return err
	}, d.sql(`SELECT time, kind, exim_id, client, login, sender, recipient, text, line FROM event_DAY WHERE `+condition),
		args...)
	if err == nil {
		err = names.load(v, d)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, r := range found {
		all = append(all, Event{Time: d.time(r.time), Kind: EventKind(r.kind), ID: names[r.eximID],
			Client: parseAddr(names[r.client]), Login: names[r.login], Sender: names[r.sender], Recipient: names[r.recipient],
			Text: names[r.text]})
		blocks = append(blocks, r.line)
	}
	return all, blocks, nil
}

// Samples are the newest events of a kind: unknown and forged lines for osm doctor, rejections, failed logins.
func (r *Reader) Samples(ctx context.Context, kind EventKind, limit int) ([]Event, error) {
	var all []Event
	if r.within != nil { // they are nobody's
		return nil, nil
	}
	err := r.view(ctx, "read", func(v *view) error {
		for _, d := range slices.Backward(v.days) {
			events, _, err := v.events(d, "kind = ? ORDER BY id DESC LIMIT ?", int64(kind), limit-len(all))
			if err != nil {
				return err
			}
			if all = append(all, events...); len(all) >= limit {
				break
			}
		}
		return nil
	})
	return all, err
}

// stampLength is what a line has before its message id, at most: time with milliseconds and zone, process id. Another message's
// own id and what follows it take more.
const stampLength = 41

// lines adds the raw lines of a message, from the blocks that hold some.
func (v *view) lines(d day, blocks []int64, t *Trace) error {
	slices.Sort(blocks)
	id := []byte(t.ID)
	for _, block := range slices.Compact(blocks) {
		text, err := v.block(d, block)
		if err != nil {
			return err
		}
		at := 0
		for line := range bytes.Lines(text) {
			if named := bytes.Index(line, id); named >= 0 && (v.within == nil || named < stampLength) { // other messages' lines may name it
				if len(t.Lines) == 0 {
					if err := v.submission(d, block, text[:at], t); err != nil {
						return err
					}
				}
				t.Lines = append(t.Lines, string(bytes.TrimSuffix(line, []byte("\n"))))
			}
			at += len(line)
		}
	}
	return nil
}

// block reads a block of lines: mostly of the message's own day, or of one of those that follow it.
func (v *view) block(d day, block int64) ([]byte, error) {
	if block == 0 {
		return nil, nil
	}
	first, _ := slices.BinarySearch(v.days, d)
	for _, d := range append(slices.Clone(v.days[first:]), v.days[:first]...) {
		text, _, err := readBlock(v.ctx, v.conn, d, block)
		if err != nil || len(text) > 0 {
			return text, err
		}
	}
	return nil, nil // dropped meanwhile
}

// submission adds the line that a local submission left before its arrival: it bears no id, but the script's
// directory, and where process ids are logged that of the message.
func (v *view) submission(d day, block int64, before []byte, t *Trace) error {
	if t.Script.Path == "" || t.Script.Sure == osm.Unknown {
		return nil
	}
	pid := ""
	if e, ok := parseID(t.ID); ok {
		pid = fmt.Sprintf("[%d]", e.rest>>partBits)
	}
	line := lastLine(before, t.Script.Path, pid)
	if line == "" {
		earlier, err := v.block(d, block-1)
		if err != nil {
			return err
		}
		line = lastLine(earlier, t.Script.Path, pid)
	}
	if line != "" {
		t.Lines = append(t.Lines, line)
	}
	return nil
}

// lastLine is the last line of a text that holds the path; one that also holds the process id goes before others.
func lastLine(text []byte, path, pid string) string {
	last, same := "", false
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(path)) {
			continue
		}
		hasPID := pid != "" && bytes.Contains(line, []byte(pid))
		if hasPID || !same {
			last, same = strings.TrimSuffix(string(line), "\n"), hasPID
		}
	}
	return last
}
