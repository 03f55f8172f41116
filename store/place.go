package store

import (
	"context"
	"slices"
	"time"

	"osm"
)

// findPlace finds the row of a message, or makes room for a new one. place.day stays nil for what is too old to keep, and
// for messages of which only events are known.
func (s *Store) findPlace(m *pendingMessage) error {
	if m.ID != "" && (!m.arrived || s.careful) {
		p, noArrival, found, err := s.locate(m.ID)
		if err != nil {
			return err
		}
		if found {
			m.place = p
			if m.arrived && noArrival {
				return s.reopen(m)
			}
			return nil
		}
		if !m.arrived && m.first == 0 {
			return nil
		}
	}
	if !m.arrived {
		m.Time = s.guessArrival(m)
	}
	w, err := s.dayAt(m.Time)
	if err != nil || w == nil {
		return err
	}
	w.seq++
	m.place.day, m.place.seq = w, w.seq
	if _, stray := keyOf(m.ID, w.day); stray && m.ID != "" {
		s.strays[w.day] = true
	}
	return nil
}

// guessArrival is the time in the id of a message that arrived before the log began, where that can be.
func (s *Store) guessArrival(m *pendingMessage) time.Time {
	if e, ok := parseID(m.ID); ok {
		at := time.Unix(e.second, 0).UTC()
		if _, keep := s.dayFor(at); keep && at.Before(m.heard) {
			return at
		}
	}
	return m.heard
}

// locate looks for a message of an earlier flush in the tables of the days that its id allows.
func (s *Store) locate(id string) (p place, noArrival, found bool, err error) {
	try := func(d day, key int64) (bool, error) {
		if _, exists := slices.BinarySearch(s.days, d); !exists {
			return false, nil
		}
		w, err := s.openDay(d)
		if err != nil {
			return false, err
		}
		p, noArrival, found, err = w.locate(key)
		return found, err
	}
	if e, ok := parseID(id); ok {
		for _, d := range e.days() {
			key, _ := e.keyIn(d)
			if done, err := try(d, key); done || err != nil {
				return p, noArrival, done, err
			}
		}
	}
	for d := range s.strays {
		if done, err := try(d, strayKey(id)); done || err != nil {
			return p, noArrival, done, err
		}
	}
	return place{}, false, false, nil
}

// reopen removes the row of a message that was heard of before its arrival: it is written anew, in the same place.
func (s *Store) reopen(m *pendingMessage) error {
	p := &m.place
	var completed *int64
	err := s.conn.QueryRowContext(context.Background(), p.day.day.sql(`DELETE FROM message_DAY WHERE seq = ?
		RETURNING delivered, deferred, failed, suppressed, completed`), p.seq).
		Scan(&p.counts[osm.Delivered], &p.counts[osm.Deferred], &p.counts[osm.Failed], &p.counts[osm.Suppressed], &completed)
	if completed != nil {
		p.completed = p.day.day.time(*completed)
	}
	p.stored = false
	if err != nil {
		return err
	}
	_, err = s.conn.ExecContext(context.Background(), p.day.day.sql("DELETE FROM verdict_DAY WHERE seq = ?"), p.seq)
	return err
}

// today is the day of the last flush; a clock that jumps back must not make all of history the future.
func (s *Store) today() day {
	today := dayOf(s.now)
	if n := len(s.days); n > 0 {
		today = max(today, s.days[n-1]-1) // tomorrow may have tables already
	}
	return today
}

// dayFor is the day in whose tables something is kept, and whether it is kept at all. What claims to be of the
// future goes with today: its own time is kept, but it must not outlive everything else.
func (s *Store) dayFor(t time.Time) (day, bool) {
	d, today := dayOf(t), s.today()
	if d > today+1 {
		d = today
	}
	return d, d >= today-day(s.keep.Load())
}

// dayAt is the writer of the day of t, nil when that is not kept.
func (s *Store) dayAt(t time.Time) (*dayWriter, error) {
	d, keep := s.dayFor(t)
	if !keep {
		return nil, nil
	}
	return s.openDay(d)
}

// openDay gives the writer of a day that is to be kept, with its tables made.
func (s *Store) openDay(d day) (*dayWriter, error) {
	w, ok := s.open[d]
	if !ok {
		at, exists := slices.BinarySearch(s.days, d)
		var err error
		if w, err = openDay(context.Background(), s.conn, d, exists, at == len(s.days)-1, s.migrations, s.pieces); err != nil {
			return nil, err
		}
		s.open[d] = w
		if !exists {
			s.days = slices.Insert(s.days, at, d)
		}
	}
	w.used = s.flushes
	return w, nil
}
