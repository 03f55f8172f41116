package daemon

import (
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/exim"
	"osm/gateway"
	"osm/policy"
)

// expected are messages that the gateway is handing to an upstream whose log is followed: they have been counted, and their
// verdicts wait for the log's line. The gateway learns the upstream's id of a message from its answer, and the line of the
// log can be read before that. So a message is expected from before the upstream can have it whole, and recognised in
// the log by what the upstream knows too: the client, the Message-ID and the sender. Of messages that are alike in all of
// it any may be taken for the other: there are as many expected as will arrive, and each is counted once.
type expected struct {
	clients map[netip.Addr]*expectations
	number  int
	arrived map[string]bool // upstream's ids that were recognised in the log, until the gateway tells them too
}

// expectations are those of one client, the oldest first.
type expectations struct {
	list  []expectation
	mixed bool // one was taken for another that is not the same: what is left may be any of theirs
}

// expectation is one message on its way.
type expectation struct {
	message *osm.Message // as the gateway knows it
	verdict osm.Verdict
	logged  bool // Exim's log will tell its Message-ID
}

const (
	expectedMost = 100_000
	expectedFor  = time.Hour // after a connection was lost, nobody will tell whether the message has arrived
)

func (x *expected) expect(p *gateway.Passage, v osm.Verdict) {
	if x.clients == nil || x.number >= expectedMost {
		x.clients, x.number, x.arrived = map[netip.Addr]*expectations{}, 0, map[string]bool{}
	}
	m := *p.Message // the gateway goes on using its own
	m.Opinions = nil
	of := x.clients[p.Seen]
	if of == nil {
		of = &expectations{}
		x.clients[p.Seen] = of
	}
	for len(of.list) > 0 && m.Time.Sub(of.list[0].message.Time) > expectedFor {
		of.list = of.list[1:]
		x.number--
	}
	of.list = append(of.list, expectation{&m, v, readable(m.MessageID)})
	x.number++
}

// readable tells whether Exim will certainly log a Message-ID: it does if it can read it as an address (receive.c), and else it
// logs a part or nothing.
func readable(id string) bool {
	a, err := mail.ParseAddress(id)
	return err == nil && a.Address == id && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// expects finds a message of Exim's that the gateway has asked about before. logged: it is the log that tells of it, with the
// Message-ID if Exim could read it, and not a question, which has none.
func (e *Engine) expects(m *osm.Message, logged bool) (expectation, bool) {
	if e.asked.expected.number == 0 || !exim.ValidID(m.ID) {
		return expectation{}, false
	}
	return e.asked.expected.recognise(m, logged)
}

// expectsAsked is expects for a question.
func (e *Engine) expectsAsked(r *policy.Request) (expectation, bool) {
	if r.State == policy.Rewrite {
		all := r.Message.Recipients // one of them, or none: the message may have more
		r.Message.Recipients = nil
		defer func() { r.Message.Recipients = all }()
	}
	return e.expects(&r.Message, false)
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
// of it. Among several that are alike the verdicts are as good as each other's; what else differs may be another one's, and is
// not told, from then on until none of this client's are left.
func (x *expected) recognise(m *osm.Message, logged bool) (expectation, bool) {
	of := x.clients[m.Client]
	if of == nil {
		return expectation{}, false
	}
	best, at, sure := 0, 0, true
	for i := range of.list {
		switch n := of.list[i].likeness(m, logged); {
		case n > best:
			best, at, sure = n, i, true
		case n == best && n > 0:
			sure = sure && of.list[at].same(of.list[i].message)
		}
	}
	if best == 0 {
		return expectation{}, false
	}
	found := of.list[at]
	of.mixed = of.mixed || !sure
	if of.mixed {
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
func (e *expectation) likeness(m *osm.Message, logged bool) int {
	sameID, sameSender := m.MessageID == e.message.MessageID, strings.EqualFold(m.Sender, e.message.Sender)
	n := 0
	switch {
	case sameID && m.MessageID != "":
		n = 8
	case sameSender && sameID && logged:
		n = 3
	case sameSender && !(logged && e.logged):
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
	if i := x.index(p); i >= 0 {
		one = x.clients[p.Seen].list[i]
		x.remove(p.Seen, i)
		return one, p.QueueID != ""
	}
	own := *p.Message
	own.Client = p.Seen
	one, due = x.recognise(&own, false) // one that is like it was recognised in its place: then this is that one's
	own.Client, own.Opinions, one.message = p.Message.Client, nil, &own
	delete(x.arrived, p.Message.ID)
	return one, due && p.QueueID != ""
}

// forget drops a message that the upstream has refused.
func (x *expected) forget(p *gateway.Passage) {
	if i := x.index(p); i >= 0 {
		x.remove(p.Seen, i)
	}
}

// index is where the gateway's own id is among its client's, -1 where it is not.
func (x *expected) index(p *gateway.Passage) int {
	of := x.clients[p.Seen]
	if of == nil {
		return -1
	}
	return slices.IndexFunc(of.list, func(e expectation) bool { return e.message.ID == p.Message.ID })
}

func (x *expected) remove(client netip.Addr, i int) {
	of := x.clients[client]
	of.list = append(of.list[:i], of.list[i+1:]...)
	if x.number--; len(of.list) == 0 {
		delete(x.clients, client)
	}
}
