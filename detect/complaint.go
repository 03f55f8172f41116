package detect

import (
	"time"

	"osm"
)

// Complaint notes that a recipient of an accepted message complained about it, and returns whom that is charged to. It reports
// false for mail that is nobody's here, such as forwarded mail. Whoever calls it has found the message in the history, and
// counts each recipient's complaint once.
func (d *Detector) Complaint(m *osm.Message, now time.Time) (osm.Key, bool) {
	l := &d.look
	defer func() { l.m = nil }()
	d.prints.who(m)
	if d.see(l, m, &d.prints, d.tick(now)); !l.charged {
		return osm.Key{}, false
	}
	l.s.complaints.Add(l.now, d.halfLife, 1)
	d.senders.touch(l.s, l.now)
	return l.s.key, true
}

// What part of a list complains although it is a good one (large receivers begin to refuse at 0.3 %), and how many complaints
// beyond that are the whole weight. One angry person alone can't stop anybody.
const (
	complaintShare   = 0.003
	complaintsEnough = 5
)

// complained is how far complaints are more than the sender's mail of late explains.
func (d *Detector) complained(l *look) float32 {
	s := l.s
	explained := complaintShare * (s.familiar.recipients + s.strange.recipients)
	return min(max(s.complaints.Value(l.now, d.halfLife)-explained, 0)/complaintsEnough, 1)
}
