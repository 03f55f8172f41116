package track

import "strings"

const (
	maxSamples = 10
	maxSample  = 300 // bytes
)

// Stats are counts for osm doctor. The first three are of now, the others since the tracker was made.
type Stats struct {
	Live     int      // messages between arrival and completion
	Bytes    int64    // memory that they and the pending deliveries take, about
	Pending  int      // ids that are delivered and have not arrived
	Messages uint64   // arrivals
	Restored uint64   // messages found by Lookup
	Evicted  uint64   // messages forgotten unfinished for want of room
	Expired  uint64   // messages forgotten unfinished because of their age
	Orphans  uint64   // deliveries whose message is not known
	Repeated uint64   // arrivals of an id that had already arrived: ignored
	Forged   uint64   // lines that bear a sign of forgery
	Unknown  uint64   // lines that were not understood
	Samples  []string // the latest of those, oldest first, cut to 300 bytes; hostile
}

// Stats are the counts as of now.
func (t *Tracker) Stats() Stats {
	s := t.stats
	s.Live, s.Pending, s.Bytes = t.live.n, t.early.n, t.live.bytes+t.early.bytes
	s.Samples = nil
	for i := range t.stats.Samples { // a ring: the oldest is the one that is written next
		s.Samples = append(s.Samples, t.stats.Samples[(int(t.stats.Unknown)+i)%len(t.stats.Samples)])
	}
	return s
}

// unknown counts a line that was not understood and keeps the latest few.
func (t *Tracker) unknown(line string) {
	sample := strings.Clone(line[:min(len(line), maxSample)])
	if len(t.stats.Samples) < maxSamples {
		t.stats.Samples = append(t.stats.Samples, sample)
	} else {
		t.stats.Samples[t.stats.Unknown%maxSamples] = sample
	}
	t.stats.Unknown++
}
