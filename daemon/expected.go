package daemon

import (
	"net/netip"
	"slices"
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
	message *osm.Message // as the gateway knows it
	verdict osm.Verdict
}

const (
	expectedMost = 100_000
	expectedFor  = time.Hour // after a connection was lost, nobody will tell whether the message has arrived
)

func (x *expected) expect(p *gateway.Passage, v osm.Verdict) {
	if x.clients == nil || x.number >= expectedMost {
		x.clients, x.number, x.arrived = map[netip.Addr][]expectation{}, 0, map[string]bool{}
	}
	m := *p.Message // the gateway goes on using its own
	m.Opinions = nil
	list := x.clients[p.Seen]
	for len(list) > 0 && m.Time.Sub(list[0].message.Time) > expectedFor {
		list = list[1:]
		x.number--
	}
	x.clients[p.Seen] = append(list, expectation{&m, v})
	x.number++
}

// expects finds a message of Exim's that the gateway has asked about before.
func (e *Engine) expects(m *osm.Message) (expectation, bool) {
	if e.asked.expected.number == 0 || !exim.ValidID(m.ID) {
		return expectation{}, false
	}
	return e.asked.expected.recognise(m)
}

// complete adds to a message from the log what the gateway knew of it and the log does not tell: with Debian's log_selector subject
// and recipients, and the client where the upstream takes the gateway for it.
func (e *Engine) complete(m, known *osm.Message) {
	if known == nil {
		return
	}
	if !m.HasSubject {
		m.Subject, m.HasSubject = known.Subject, known.HasSubject
	}
	if len(m.Recipients) == 0 {
		m.Recipients = known.Recipients
	}
	if m.From == "" {
		m.From = known.From
	}
	if m.Client != known.Client {
		m.Client, m.ClientPort, m.ClientHost, m.Helo = known.Client, known.ClientPort, known.ClientHost, known.Helo
		m.ServerPort, m.Protocol, m.Login, m.Auth, m.TLS = known.ServerPort, known.Protocol, known.Login, known.Auth, known.TLS
	}
	e.Enrich.Message(m)
}

// recognise finds a message that the upstream has taken, or is taking: its log or a question of its own tells
// of it. The Message-ID is not known to a question, and is left out of the log when Exim can't read it. Among several that are
// alike the verdicts are as good as each other's; what else differs may be another one's, and is not told.
func (x *expected) recognise(m *osm.Message) (expectation, bool) {
	best, at, sure := 0, 0, true
	list := x.clients[m.Client]
	for i := range list {
		switch n := list[i].likeness(m); {
		case n > best:
			best, at, sure = n, i, true
		case n == best && n > 0:
			sure = sure && list[at].same(list[i].message)
		}
	}
	if best == 0 {
		return expectation{}, false
	}
	found := list[at]
	if !sure {
		found.message = nil
	}
	x.remove(m.Client, at)
	x.arrived[m.ID] = true
	return found, true
}

// same tells whether two messages are alike in all that the gateway tells of them.
func (e *expectation) same(m *osm.Message) bool {
	return e.message.Subject == m.Subject && e.message.Client == m.Client && e.message.Login == m.Login && slices.Equal(e.message.Recipients, m.Recipients)
}

// likeness is 0 for another message, and larger the more is the same.
func (e *expectation) likeness(m *osm.Message) int {
	sameID, sameSender := m.MessageID == e.message.MessageID, strings.EqualFold(m.Sender, e.message.Sender)
	n := 0
	switch {
	case sameID && m.MessageID != "":
		n = 8
	case sameSender && sameID:
		n = 3
	case sameSender && (m.MessageID == "" || e.message.MessageID == ""):
		n = 1
	default:
		return 0
	}
	if sameSender {
		n += 2
	}
	if len(m.Recipients) == len(e.message.Recipients) {
		n++
	}
	if slices.Equal(m.Recipients, e.message.Recipients) {
		n++
	}
	return n
}

// settle takes the upstream's id of a message. due: its line in the log has not been read, and this is what to keep for it.
func (x *expected) settle(p *gateway.Passage) (one expectation, due bool) {
	if x.arrived[p.QueueID] {
		delete(x.arrived, p.QueueID)
		return one, false
	}
	list := x.clients[p.Seen]
	for i := range list {
		if list[i].message.ID == p.Message.ID {
			one = list[i]
			x.remove(p.Seen, i)
			return one, p.QueueID != ""
		}
	}
	own := *p.Message
	own.Client = p.Seen
	one, due = x.recognise(&own) // one that is like it was recognised in its place: then this is that one's
	own.Client, own.Opinions, one.message = p.Message.Client, nil, &own
	delete(x.arrived, p.Message.ID)
	return one, due && p.QueueID != ""
}

// forget drops a message that the upstream has refused.
func (x *expected) forget(p *gateway.Passage) {
	for i := range x.clients[p.Seen] {
		if x.clients[p.Seen][i].message.ID == p.Message.ID {
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
