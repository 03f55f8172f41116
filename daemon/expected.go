package daemon

import (
	"net/netip"
	"strings"
	"time"

	"osm"
	"osm/exim"
	"osm/gateway"
)

// expected are messages that the gateway is handing to an upstream whose log is followed: they have been counted, and their
// verdicts wait for the log's line. The gateway learns the upstream's id of a message from its answer, and the line of the
// log can be read before that. So a message is expected from before the upstream can have it whole, and recognised in
// the log by what the upstream knows too: the client, the Message-ID and the sender. Of messages that are alike in all of
// it any may be taken for the other: there are as many expected as will arrive, and each is counted once.
type expected struct {
	clients map[netip.Addr][]expectation
	number  int
	arrived map[string]bool // upstream's ids that were recognised in the log, until the gateway tells them too
}

// expectation is one message on its way.
type expectation struct {
	id        string // the gateway's
	since     time.Time
	messageID string
	sender    string
	count     int // recipients
	verdict   osm.Verdict
}

const (
	expectedMost = 100_000
	expectedFor  = time.Hour // after a connection was lost, nobody will tell whether the message has arrived
)

func (x *expected) expect(p *gateway.Passage, v osm.Verdict) {
	if x.clients == nil || x.number >= expectedMost {
		x.clients, x.number, x.arrived = map[netip.Addr][]expectation{}, 0, map[string]bool{}
	}
	m := p.Message
	list := x.clients[p.Seen]
	for len(list) > 0 && m.Time.Sub(list[0].since) > expectedFor {
		list = list[1:]
		x.number--
	}
	x.clients[p.Seen] = append(list, expectation{id: m.ID, since: m.Time, messageID: m.MessageID, sender: m.Sender, count: len(m.Recipients), verdict: v})
	x.number++
}

// expects finds the verdict on a message of Exim's that the gateway has asked about before.
func (e *Engine) expects(m *osm.Message) (osm.Verdict, bool) {
	if e.asked.expected.number == 0 || !exim.ValidID(m.ID) {
		return osm.Verdict{}, false
	}
	return e.asked.expected.recognise(m)
}

// recognise finds the verdict on a message that the upstream has taken, or is taking: its log or a question of its own tells
// of it. The Message-ID is not known to a question, and is left out of the log when Exim can't read it.
func (x *expected) recognise(m *osm.Message) (osm.Verdict, bool) {
	best, at := 0, 0
	list := x.clients[m.Client]
	for i := range list {
		if n := list[i].likeness(m); n > best {
			best, at = n, i
		}
	}
	if best == 0 {
		return osm.Verdict{}, false
	}
	v := list[at].verdict
	x.remove(m.Client, at)
	x.arrived[m.ID] = true
	return v, true
}

// likeness is 0 for another message, and larger the more is the same.
func (e *expectation) likeness(m *osm.Message) int {
	sameID, sameSender := m.MessageID == e.messageID, strings.EqualFold(m.Sender, e.sender)
	n := 0
	switch {
	case sameID && m.MessageID != "":
		n = 4
	case sameSender && (m.MessageID == "" || e.messageID == ""):
		n = 1
	default:
		return 0
	}
	if sameSender {
		n += 2
	}
	if len(m.Recipients) == e.count {
		n++
	}
	return n
}

// settle takes the upstream's id of a message. due: its line in the log has not been read, and this is the verdict to keep
// for it.
func (x *expected) settle(p *gateway.Passage) (v osm.Verdict, due bool) {
	if x.arrived[p.QueueID] {
		delete(x.arrived, p.QueueID)
		return v, false
	}
	list := x.clients[p.Seen]
	for i := range list {
		if list[i].id == p.Message.ID {
			v = list[i].verdict
			x.remove(p.Seen, i)
			return v, p.QueueID != ""
		}
	}
	v, due = x.recognise(p.Message) // one that is like it was recognised in its place: then this is that one's
	delete(x.arrived, p.Message.ID)
	return v, due && p.QueueID != ""
}

// forget drops a message that the upstream has refused.
func (x *expected) forget(p *gateway.Passage) {
	for i := range x.clients[p.Seen] {
		if x.clients[p.Seen][i].id == p.Message.ID {
			x.remove(p.Seen, i)
			return
		}
	}
}

func (x *expected) remove(client netip.Addr, i int) {
	list := x.clients[client]
	list = append(list[:i], list[i+1:]...)
	if x.number--; len(list) == 0 {
		delete(x.clients, client)
		return
	}
	x.clients[client] = list
}
