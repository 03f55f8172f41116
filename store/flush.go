package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"osm"
)

// maxSamples is how many lines of a kind in sampled are kept a day; the rest is only counted.
const maxSamples = 1000

// sampled kinds are those that a stranger or a broken log can make by the million.
var sampled = [...]EventKind{Unknown, Forged}

// openDays is how many days are kept ready for writing: today, and two for what comes late.
const openDays = 3

// Flush writes the batch, the positions (all those of earlier flushes are replaced) and the state blobs in one
// transaction, then drops days that are past their time. On an error nothing was written, the batch stays, and Flush
// can be called again; with ErrDamaged call Close and Open, which sets the file aside, and read the logs again.
func (s *Store) Flush(now time.Time, positions []osm.Position) error {
	s.now = now
	if s.damaged {
		return failed("flush", s.path, ErrDamaged)
	}
	err := s.write(positions)
	if isConflict(err) && !s.careful {
		// A message that is there already: a repeated id, or the arrival of one that was heard of before.
		s.careful = true
		err = s.write(positions)
		s.careful = false
	}
	if err == nil {
		s.batch.reset()
		s.closeDays(openDays)
		// What was added is safe: that old days stay is told by Health.
		s.report(s.retain())
		return nil
	}
	err = failed("flush", s.path, err)
	s.damaged = errors.Is(err, ErrDamaged)
	s.report(err)
	return err
}

// write carries out one flush. After an error what is known of the database is forgotten: it is read again.
func (s *Store) write(positions []osm.Position) error {
	ctx := context.Background()
	s.flushes++
	days := slices.Clone(s.days)
	planned, after := s.lines.plan(s.batch.text, s.batch.cuts)
	blocks, compressed, failure := slices.Clone(planned), make(chan struct{}), error(nil)
	go func() {
		failure = compress(blocks, s.encoder)
		close(compressed)
	}()
	err := transaction(ctx, s.conn, func() error {
		if err := s.writeRows(planned); err != nil {
			return err
		}
		if <-compressed; failure != nil {
			return failure
		}
		for _, w := range blocks {
			if _, err := s.openDay(w.day); err != nil {
				return err
			}
		}
		if err := writeLines(ctx, s.conn, blocks); err != nil {
			return err
		}
		if err := s.writePositions(ctx, positions); err != nil {
			return err
		}
		return s.writeState(ctx)
	})
	<-compressed
	if err != nil {
		s.closeDays(0)
		s.days = days
		return err
	}
	s.lines = after
	return nil
}

// writeRows writes messages, deliveries and events, and adds them up.
func (s *Store) writeRows(blocks []blockWrite) error {
	b := &s.batch
	for i := range b.messages {
		m := &b.messages[i]
		m.place = place{}
		if err := s.findPlace(m); err != nil {
			return err
		}
		if m.place.day == nil {
			continue
		}
		if err := s.writeMessage(m, blocks); err != nil {
			return err
		}
	}
	for i := range b.events {
		if err := s.writeEvent(&b.events[i], blocks); err != nil {
			return err
		}
	}
	for _, w := range s.open {
		if err := s.unsettle(context.Background(), w); err != nil {
			return err
		}
		if err := w.finish(context.Background(), s.conn, w.day < s.days[len(s.days)-1]); err != nil {
			return err
		}
	}
	return nil
}

// writeMessage writes a message that has its place, with its deliveries.
func (s *Store) writeMessage(m *pendingMessage, blocks []blockWrite) error {
	w := m.place.day
	var err error
	if m.place.stored {
		_, err = w.add.Exec(m.counts[osm.Delivered], m.counts[osm.Deferred], m.counts[osm.Failed], m.counts[osm.Suppressed],
			w.day.ended(m.completed, time.Time{}), blockAt(blocks, m.last), m.place.seq)
	} else {
		err = w.writeMessage(m, blockAt(blocks, m.line), blockAt(blocks, m.last))
	}
	if err != nil {
		return err
	}
	ranks, ranksOf := ranked{}, (*dayWriter)(nil)
	if !m.place.stored {
		ranks, ranksOf = w.ranks(&m.Message), w
		w.post(m, &ranks)
		if m.arrived {
			w.hours.arrival(&m.Message, w.day.hour(m.Time), &ranks)
			w.hit(m)
		}
	}
	for i := m.first; i != 0; i = s.batch.deliveries[i-1].next {
		d := &s.batch.deliveries[i-1]
		if m.place.attempt < 1<<attemptBits {
			err := w.writeDelivery(m.place.seq<<attemptBits|m.place.attempt, &d.Delivery, blockAt(blocks, d.line))
			if err != nil {
				return err
			}
			m.place.attempt++
		}
		w.postAttempt(m, &d.Delivery)
		w.answer(m, &d.Delivery)
		// It counts for the day on which it happened.
		at, err := s.dayAt(d.Time)
		if err != nil || at == nil {
			return err
		}
		if ranksOf != at {
			ranks, ranksOf = at.ranks(&m.Message), at
		}
		at.hours.delivery(&d.Delivery, m.Class, len(m.Recipients) > 0, at.day.hour(d.Time), &ranks)
	}
	return nil
}

// writeEvent keeps an event with its message, or on its own day when there is none.
func (s *Store) writeEvent(e *pendingEvent, blocks []blockWrite) error {
	at, err := s.dayAt(e.Time)
	if err != nil || at == nil {
		return err
	}
	at.hours.event(e.Kind, at.day.hour(e.Time))
	for _, kind := range sampled {
		if e.Kind == kind {
			if at.samples[kind] >= maxSamples {
				return nil
			}
			at.samples[kind]++
		}
	}
	var message int64
	if e.message != 0 {
		if p := s.batch.messages[e.message-1].place; p.day != nil {
			at, message = p.day, p.seq
		}
	}
	return at.writeEvent(&e.Event, message, blockAt(blocks, e.line))
}

func (s *Store) writePositions(ctx context.Context, positions []osm.Position) error {
	if _, err := s.conn.ExecContext(ctx, "DELETE FROM position"); err != nil {
		return err
	}
	for _, p := range positions {
		_, err := s.conn.ExecContext(ctx, "INSERT INTO position VALUES (?, ?, ?, ?, ?, ?, ?)", p.Path, int64(p.Device),
			int64(p.Inode), p.Offset, int64(p.Fingerprint), p.Hashed, p.Modified)
		if err != nil {
			return err
		}
	}
	return nil
}

// writeState writes the pieces of state in the order of their keys, so that neighbours in the file are written together: where
// strangers fill the detection's tables there are tens of thousands at once.
func (s *Store) writeState(ctx context.Context) (err error) {
	if len(s.batch.state) == 0 {
		return nil
	}
	put, err := newInserter(ctx, s.conn, "state", 2, " ON CONFLICT DO UPDATE SET value = excluded.value")
	if err != nil {
		return err
	}
	defer put.close()
	remove, err := s.conn.PrepareContext(ctx, "DELETE FROM state WHERE key = ?")
	if err != nil {
		return err
	}
	defer remove.Close()
	for _, key := range slices.Sorted(maps.Keys(s.batch.state)) {
		if blob := s.batch.state[key]; len(blob) > 0 {
			err = put.add(key, blob)
		} else {
			_, err = remove.ExecContext(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return put.flush()
}
