package store

import (
	"slices"

	"osm"
)

// eventTotals is the kind of the rows that count events, beside the osm.KeyKinds and 0 for the totals.
const eventTotals = 100

// rankings are the keys that reports rank.
var rankings = [...]osm.KeyKind{osm.KeyAccount, osm.KeyLogin, osm.KeyScript, osm.KeyClient, osm.KeySenderDomain,
	osm.KeySubject}

// ranked holds the text ids of one message, in the order of rankings; 0 is not counted.
type ranked [len(rankings)]uint32

// hourKey is the key of a row, packed in its order: kind, value, hour, class.
type hourKey uint64

func newHourKey(kind uint8, value uint32, hour uint8, class osm.Class) hourKey {
	return hourKey(kind)<<48 | hourKey(value)<<16 | hourKey(hour)<<8 | hourKey(class)
}

func (k hourKey) columns() (kind, value, hour, class int64) {
	return int64(k >> 48), int64(uint32(k >> 16)), int64(uint8(k >> 8)), int64(uint8(k))
}

type refusalKey struct {
	at      hourKey
	refusal osm.Refusal
}

type hourSums struct{ messages, recipients, bytes, stopped, delivered, remote, deferred, failed int64 }

// hourly gathers the sums of one day while a batch is written.
type hourly struct {
	at       map[hourKey]int32 // index into sums
	sums     []hourSums
	refusals map[refusalKey]int64
}

func newHourly() hourly {
	return hourly{at: map[hourKey]int32{}, refusals: map[refusalKey]int64{}}
}

func (h *hourly) entry(k hourKey) *hourSums {
	i, ok := h.at[k]
	if !ok {
		i = int32(len(h.sums))
		h.at[k] = i
		h.sums = append(h.sums, hourSums{})
	}
	return &h.sums[i]
}

// each calls fn for the total and for each ranking of a message.
func (r *ranked) each(hour uint8, class osm.Class, fn func(hourKey)) {
	fn(newHourKey(0, 0, hour, class))
	for i, value := range r {
		if value != 0 {
			fn(newHourKey(uint8(rankings[i]), value, hour, class))
		}
	}
}

func (h *hourly) arrival(m *osm.Message, hour uint8, r *ranked) {
	stopped := int64(0)
	if m.Verdict.Stops() {
		stopped = 1
	}
	r.each(hour, m.Class, func(k hourKey) {
		s := h.entry(k)
		s.messages++
		s.recipients += int64(len(m.Recipients))
		s.bytes += m.Size
		s.stopped += stopped
	})
}

// delivery counts an attempt. Where the envelope was not logged its recipients are counted as they are done with.
func (h *hourly) delivery(d *osm.Delivery, class osm.Class, envelope bool, hour uint8, r *ranked) {
	r.each(hour, class, func(k hourKey) {
		s := h.entry(k)
		switch d.Outcome {
		case osm.Delivered:
			s.delivered++
			if d.Remote {
				s.remote++
			}
		case osm.Deferred:
			s.deferred++
		case osm.Failed:
			s.failed++
		}
		if !envelope && d.Outcome != osm.Deferred {
			s.recipients++
		}
		if d.Refusal != osm.NotRefused {
			h.refusals[refusalKey{k, d.Refusal}]++
		}
	})
}

func (h *hourly) event(kind EventKind, hour uint8) {
	h.entry(newHourKey(eventTotals, uint32(kind), hour, osm.NoClass)).messages++
}

const (
	hourlyWidth = 12
	hourlyAdds  = ` ON CONFLICT DO UPDATE SET messages = messages + excluded.messages,
	recipients = recipients + excluded.recipients, bytes = bytes + excluded.bytes, stopped = stopped + excluded.stopped,
	delivered = delivered + excluded.delivered, remote = remote + excluded.remote,
	deferred = deferred + excluded.deferred, failed = failed + excluded.failed`
	refusalWidth = 6
	refusalAdds  = ` ON CONFLICT DO UPDATE SET count = count + excluded.count`
)

// write adds the sums to the tables, in the order of their keys: SQLite then finds most of them on the page at hand.
func (h *hourly) write(hours, refusals *inserter) error {
	keys := make([]hourKey, 0, len(h.at))
	for k := range h.at {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		s := h.sums[h.at[k]]
		kind, value, hour, class := k.columns()
		err := hours.add(kind, value, hour, class, s.messages, s.recipients, s.bytes, s.stopped, s.delivered, s.remote,
			s.deferred, s.failed)
		if err != nil {
			return err
		}
	}
	for k, count := range h.refusals {
		kind, value, hour, class := k.at.columns()
		if err := refusals.add(kind, value, hour, class, int64(k.refusal), count); err != nil {
			return err
		}
	}
	clear(h.at)
	clear(h.refusals)
	h.sums = h.sums[:0]
	return nil
}
