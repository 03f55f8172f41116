package gateway

import "osm"

// tell tells the daemon what becomes of the message. What fails before Sending is no news: nobody has it.
func (t *transfer) tell(stage Stage) {
	if stage == Refused && !t.told {
		return
	}
	t.told = stage == Sending
	t.passage.Stage = stage
	t.s.g.options.Tell(&t.passage)
}

// tellStopped tells of those that were refused before there was a message, so that the history has them.
func (s *session) tellStopped() {
	if s.mail.stopped == nil {
		return
	}
	m := osm.Message{}
	s.describe(&m)
	m.ID = s.g.ids.next(m.Time)
	m.Recipients, m.Verdict = s.mail.stopped, s.mail.verdict
	s.mail.stopped = nil
	s.g.options.Tell(&Passage{Stage: Stopped, Message: &m, Seen: s.client.addr.Addr()})
}
