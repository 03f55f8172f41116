package track

import (
	"unsafe"

	"osm"
	"osm/exim"
)

const (
	slotBytes   = int64(unsafe.Sizeof(slot{})) + 64 // with its part of the map
	stringBytes = int64(unsafe.Sizeof(""))
	earlyBytes  = int64(unsafe.Sizeof(osm.Delivery{}))

	maxEarly     = 1000 // ids that are delivered and have not arrived
	maxEarlyAge  = 600  // seconds; cutthrough delivery writes its <= at once after the >>
	maxEarlyPart = 8    // they may take this part of the memory
	maxFree      = 1000 // forgotten slots that are kept for reuse, by each batch
)

// slot is what is remembered of one message id.
type slot struct {
	key        exim.Key
	prev, next *slot
	since      int64 // log time when it was put into its queue
	bytes      int64
	arrived    bool
	local      bool // of an arrival: a local submission
	pid        int  // of the process that received it, 0 when unknown
	message    osm.Message
	early      []osm.Delivery // deliveries while it has not arrived
}

// queue is a list of slots from the oldest to the newest.
type queue struct {
	head, tail *slot
	n          int
	bytes      int64
}

func (q *queue) push(s *slot, now int64) {
	s.since, s.prev, s.next = now, q.tail, nil
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
	q.n++
	q.bytes += s.bytes
}

func (q *queue) remove(s *slot) {
	if s.prev == nil {
		q.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		q.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	q.n--
	q.bytes -= s.bytes
}

// slot makes an empty slot for an id that has none. It is in no queue yet.
func (t *Tracker) slot(k exim.Key) *slot {
	s := t.single.slot()
	s.key, s.bytes, s.arrived, s.early = k, slotBytes, false, nil
	t.slots.put(s)
	return s
}

// forget takes a slot out of its queue and of everything else. Its message is overwritten when the slot is used again.
func (t *Tracker) forget(s *slot, q *queue) {
	q.remove(s)
	t.slots.remove(s)
	t.drop(s)
}

// drop keeps a slot that nothing points to for reuse.
func (t *Tracker) drop(s *slot) {
	switch {
	case t.keep != nil:
		t.keep.dropped = append(t.keep.dropped, s)
	case len(t.single.stock) < maxFree:
		t.single.stock = append(t.single.stock, s)
	}
}

// restore asks whether an unknown id arrived before what is remembered.
func (t *Tracker) restore(k exim.Key) *slot {
	if t.options.Lookup == nil {
		return nil
	}
	m := t.options.Lookup(k.ID())
	if m == nil {
		return nil
	}
	s := t.slot(k)
	s.arrived, s.message = true, *m
	s.bytes += messageBytes(&s.message)
	t.live.push(s, t.now)
	t.stats.Restored++
	t.makeRoom(s)
	return s
}

// keepEarly keeps a delivery until its message arrives. s is the id's slot, nil when it has none.
func (t *Tracker) keepEarly(s *slot, k exim.Key, d *osm.Delivery) {
	if s == nil {
		s = t.slot(k)
	} else {
		t.early.remove(s)
	}
	s.early = append(s.early, osm.Delivery{})
	s.bytes += earlyBytes + copyDelivery(&s.early[len(s.early)-1], d)
	t.early.push(s, t.now)
	for t.early.n > maxEarly || t.early.bytes > int64(t.options.Config.Memory)/maxEarlyPart {
		t.orphan(t.early.head)
	}
}

// orphan gives up waiting for an arrival.
func (t *Tracker) orphan(s *slot) {
	t.stats.Orphans += uint64(len(s.early))
	t.forget(s, &t.early)
}

// makeRoom forgets the oldest messages, but not the one that needs the room.
func (t *Tracker) makeRoom(newest *slot) {
	c := &t.options.Config
	for (t.live.n > c.Messages || t.live.bytes > int64(c.Memory)) && t.live.head != newest {
		t.stats.Evicted++
		t.forget(t.live.head, &t.live)
	}
}

// expire forgets what will not be completed any more: ids rejected after DATA never arrive, and the end of some
// messages is never logged.
func (t *Tracker) expire() {
	for s := t.live.head; s != nil && t.now-s.since > t.age; s = t.live.head {
		t.stats.Expired++
		t.forget(s, &t.live)
	}
	for s := t.early.head; s != nil && t.now-s.since > maxEarlyAge; s = t.early.head {
		t.orphan(s)
	}
}
