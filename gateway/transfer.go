package gateway

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"time"

	"osm"
	"osm/policy"
)

// transfer is the content of one message on its way. Until the verdict is known it is kept, as much of it as the verdict
// needs; then the upstream hears of DATA, gets what was kept, and the rest as it comes.
type transfer struct {
	s       *session
	check   checker
	size    int64
	kept    []byte // in the form of the wire, not sent yet
	room    int64  // of the gateway's memory for it
	content int64  // bytes that Ask wants to see; 0: the header is enough
	judged  bool
	whole   bool   // all of it was kept for the verdict
	chunk   bool   // it goes by BDAT
	to      *link  // where it goes; nil: nowhere (any more)
	answer  []byte // said at the end in place of the upstream's answer
	passage Passage
	message osm.Message
	begins  bool // by BDAT: the next byte begins a line
	told    bool // the daemon was told that it is on its way
}

// Sizes of what is kept for the verdict and of a buffer while content comes.
const (
	headerMost = 64 << 10
	bigBuffer  = 32 << 10
)

// buffers are those of connections that transfer content just now.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() []byte {
	if p, ok := b.pool.Get().(*[bigBuffer]byte); ok {
		return p[:0]
	}
	return make([]byte, 0, bigBuffer)
}

func (b *buffers) put(p []byte) {
	if cap(p) == bigBuffer {
		b.pool.Put((*[bigBuffer]byte)(p[:bigBuffer]))
	}
}

func (s *session) newTransfer() *transfer {
	if s.spare == nil {
		s.spare = new(transfer)
	}
	t := s.spare
	*t = transfer{s: s, check: checker{lineMost: int(s.g.cfg.Limit.TextLine)}, kept: s.g.buffers.get()}
	if wants := s.g.options.Content; wants != nil {
		t.content = wants()
	}
	s.busy.Store(true)
	s.wire.end = s.g.options.Now().Add(time.Duration(s.g.cfg.Limit.Data))
	s.wire.renew() // hurry may have changed it
	s.wire.enlarge(&s.g.buffers)
	return t
}

// wanted is how much of a message is kept for its verdict.
func (t *transfer) wanted() int { return max(headerMost, int(t.content)) }

// add takes the next piece of content, in the form of the wire; last tells that it is the last one.
func (t *transfer) add(piece []byte, last bool) {
	t.check.see(piece)
	t.size += int64(len(piece))
	switch {
	case t.answer != nil:
		return
	case t.check.wrong != nil:
		t.refuseContent(t.check.wrong)
		return
	case t.size > t.s.sizeLimit():
		t.fail(appendAnswer(nil, 552, "5.3.4", "the message is too large"))
		return
	case t.judged:
		t.send(piece)
		return
	case !t.reserve(int64(len(piece))):
		t.fail(appendAnswer(nil, 452, "4.3.1", "too much mail at once, try again later"))
		return
	}
	t.kept = append(t.kept, piece...)
	if last || len(t.kept) >= t.wanted() || t.content == 0 && headerEnd(t.kept) >= 0 {
		t.judge(last)
	}
}

// reserve counts what is kept against the memory of all; what fits into the first buffer is taken at once.
func (t *transfer) reserve(n int64) bool {
	need := max(int64(len(t.kept))+n, bigBuffer)
	if need <= t.room {
		return true
	}
	if !t.s.g.memory.take(need - t.room) {
		return false
	}
	t.room = need
	return true
}

// refuseContent refuses a message for what it is made of.
func (t *transfer) refuseContent(why error) {
	if errors.Is(why, errContentLine) {
		t.fail(appendAnswer(nil, 554, "5.6.0", why.Error()))
		return
	}
	t.s.g.counts.Smuggling.Add(1)
	t.s.over = true // what follows may be meant to be taken for commands
	t.fail(appendAnswer(nil, 550, "5.6.0", why.Error()))
}

// fail sets the answer to a message that goes nowhere. What the upstream has got of it has no end, and never gets one.
func (t *transfer) fail(answer []byte) {
	t.answer = answer
	t.abort()
}

// abort leaves the upstream without the message's end.
func (t *transfer) abort() {
	if t.to == nil {
		return
	}
	if t.to == t.s.link {
		t.s.lose()
	} else {
		t.to.conn.Close()
	}
	t.to = nil
	t.tell(Refused)
}

// judge asks about the message and begins to send it where it shall go.
func (t *transfer) judge(whole bool) {
	s := t.s
	t.judged, t.whole = true, whole
	if len(s.mail.recipients) == 0 { // all were discarded
		t.answer = discarded
		return
	}
	r := &s.asked
	*r = policy.Request{State: policy.Data, UID: -1, Count: len(s.mail.recipients), Whole: whole}
	s.describe(&r.Message)
	r.Message.ID = s.g.ids.next(r.Message.Time)
	for _, p := range s.mail.recipients {
		r.Message.Recipients = append(r.Message.Recipients, p.text)
	}
	readHeader(t.kept, &r.Message)
	if t.content > 0 {
		r.Content = bytes.Clone(t.plain()) // a check that is late reads on when the question is over
	}
	if whole {
		r.Message.Size = t.size
	}
	v := s.g.options.Ask(s.ctx, r)
	t.message = r.Message
	t.message.Verdict = v
	*r = policy.Request{} // it holds on to content
	t.passage = Passage{Message: &t.message, Asked: true, Seen: s.client.addr.Addr()}
	t.carryOut(v)
}

var discarded = []byte("250 2.0.0 OK\r\n")

// carryOut does what a verdict says.
func (t *transfer) carryOut(v osm.Verdict) {
	s := t.s
	if v.Shadow {
		v.Action = osm.Accept
	}
	switch v.Action {
	case osm.Accept:
		t.begin(s.link)
	case osm.Discard:
		s.g.counts.Discarded.Add(1)
		t.answer = discarded
		t.tell(Stopped)
	case osm.Hold, osm.Divert:
		t.elsewhere(v)
	default:
		s.g.counts.Refusals.Add(1)
		code, enhanced := refusal(v)
		t.answer = appendAnswer(nil, code, enhanced, policy.Text(v))
		t.tell(Stopped)
	}
}

// ordinaryLine is the longest line of a message that every server has to take (RFC 5321 section 4.5.3.1.6).
const ordinaryLine = 1000

// begin says DATA to where the message goes. What it says against that becomes the answer. A message that is here whole goes
// by BDAT (RFC 3030) where it can, which is one answer less to wait for. With long lines go-smtp's server (v0.25.1) loses it.
func (t *transfer) begin(l *link) {
	if t.whole && t.size > 0 && t.check.longest <= ordinaryLine && l.has("CHUNKING") {
		t.chunk = true
		t.goes(l)
		return
	}
	said, err := l.ask("DATA")
	switch {
	case err != nil:
		t.to = l
		t.fail(lostAnswer)
		t.s.over = true
	case said.code != 354:
		t.answer = said.clone().raw
		t.s.over = t.s.over || said.code == 421
	default:
		t.goes(l)
	}
}

// goes notes where the message goes.
func (t *transfer) goes(l *link) {
	t.to = l
	t.passage.Quarantined = l.up.quarantine
	t.passage.Host, t.passage.Addr = l.up.address, addrPort(l.conn.RemoteAddr())
	if t.s.g.cfg.HandOn == NotAtAll || l.up.quarantine || !l.told.addr.IsValid() {
		t.passage.Seen = l.local.Addr().Unmap()
	}
}

var lostAnswer = appendAnswer(nil, 421, "4.4.2", "the connection to the mail server was lost, try again later")

// send hands content on.
func (t *transfer) send(piece []byte) {
	if t.to == nil {
		return
	}
	if len(t.kept) > 0 {
		t.kept = append(t.kept, piece...)
		piece = t.kept
	}
	if err := t.to.wire.write(piece); err != nil {
		t.cut()
	}
	t.kept = t.kept[:0]
}

// cut is what follows when the upstream does not take the content to its end. It may have said why.
func (t *transfer) cut() {
	t.to.wire.wait = time.Second
	said, err := t.to.read()
	if err == nil && said.code/100 >= 4 {
		t.fail(said.clone().raw)
		return
	}
	t.fail(lostAnswer)
	t.s.over = true
}

// end is called when the whole content has come: the message gets its end, and the client the upstream's answer.
func (t *transfer) end() {
	s := t.s
	if !t.judged && t.answer == nil {
		t.judge(true)
	}
	if t.to != nil {
		t.deliver()
	}
	s.out = append(s.out, t.answer...)
	t.release()
	s.commands = 0
	s.finish()
}

// deliver sends what is left and the end, and waits for the answer.
func (t *transfer) deliver() {
	t.message.Size = t.size
	t.tell(Sending)
	l := t.to
	said, err := t.last()
	if err != nil {
		t.undelivered()
		return
	}
	l.open = !said.ok() // Postfix's smtpd_end_of_data_restrictions leave the transaction open
	t.answer = said.raw
	t.passage.Code, t.passage.Text = said.code, said.text()
	t.to = nil
	if l != t.s.link {
		l.quit()
	} else if said.code == 421 {
		t.s.lose()
		t.s.over = true
	}
	if !said.ok() {
		t.tell(Refused)
		return
	}
	t.passage.QueueID = queueID(t.passage.Text)
	t.s.g.counts.Messages.Add(1)
	if t.passage.Held {
		t.s.g.counts.Held.Add(1)
	}
	t.tell(Accepted)
}

// plain is what is kept as it was before its dots were doubled.
func (t *transfer) plain() []byte {
	if t.check.dotted {
		return unstuff(t.kept)
	}
	return t.kept
}

// last sends what is left and the end in one go, and reads the answer.
func (t *transfer) last() (reply, error) {
	if t.chunk {
		return t.to.chunk(t.plain(), &t.s.g.buffers)
	}
	t.kept = append(t.kept, theEnd...)
	if err := t.to.wire.write(t.kept); err != nil {
		return reply{}, err
	}
	return t.to.read()
}

// undelivered is what is left when the connection breaks between the message's end and the answer: nobody but the
// upstream knows whether it has the message (RFC 1047). The client is told to come again, so that nothing is lost.
func (t *transfer) undelivered() {
	t.tell(Lost)
	t.fail(lostAnswer)
	t.s.over = true
}

// giveUp ends a transfer whose client is gone or does not want it any more.
func (t *transfer) giveUp() {
	t.abort()
	t.release()
}

// release gives back what the transfer has taken.
func (t *transfer) release() {
	t.s.g.memory.give(t.room)
	t.s.g.buffers.put(t.kept)
	t.room, t.kept = 0, nil
	t.s.wire.reduce(&t.s.g.buffers)
}

// queueID is the upstream's name for a message in its answer: Exim's "OK id=…", Postfix's "queued as …".
func queueID(text string) string {
	for _, before := range []string{"id=", "queued as "} {
		if _, after, ok := strings.Cut(text, before); ok {
			id, _, _ := strings.Cut(after, " ")
			return strings.TrimRight(id, ".,;)>")
		}
	}
	return ""
}
