package gateway

import (
	"slices"
	"strings"

	"osm"
	"osm/policy"
)

// transaction is one message on its way, from MAIL to the answer after its end.
type transaction struct {
	begun      bool
	from       path
	declared   int64 // SIZE of MAIL
	recipients []path
	refused    []byte      // the upstream's answer to a MAIL whose acceptance was foretold
	discarded  []string    // told 250, and left out
	stopped    []string    // refused by a verdict
	verdict    osm.Verdict // on the first of those, or on the sender
	transfer   *transfer   // by BDAT, begun
}

// pending is a command whose answer is due.
type pending struct {
	answer  []byte // the gateway's own; nil: the upstream's
	mail    bool   // it was MAIL, otherwise RCPT
	address path
	told    bool // the client has its answer
}

// queueMost bounds what waits for answers: both ends could wait for each other when more fits than the sockets hold.
const queueMost = 100

// mailFrom answers MAIL.
func (s *session) mailFrom(c command) {
	from, ok := cutFold(c.args, "FROM:")
	p, valid := parsePath(from)
	switch {
	case !s.greeted:
		s.refuse(503, "5.5.1", "EHLO or HELO first")
		return
	case s.mail.begun:
		s.refuse(503, "5.5.1", "there is a sender already")
		return
	case !ok || !valid:
		s.refuse(501, "5.1.7", "MAIL FROM:<address> is what is wanted")
		return
	case !s.permitted(&p, "MAIL", mailParams):
		return
	}
	var declared int64
	size, given := p.param("SIZE")
	if given {
		declared, ok = parseSize(size)
	}
	switch {
	case !ok:
		s.refuse(501, "5.5.4", "SIZE must be a number")
		return
	case declared > s.sizeLimit():
		s.refuse(552, "5.3.4", "the message is too large")
		return
	}
	s.mail = transaction{from: p, declared: declared}
	if v, speak := s.consider(policy.Mail, AtMail, ""); speak {
		s.deny(v)
		s.mail.verdict, s.mail.stopped = v, []string{}
		s.finishIfIdle()
		return
	}
	if !s.bind(false) {
		return
	}
	s.mail.begun, s.link.open = true, true
	told := len(s.queue) == 0 && s.agreed.foretells(s.link, &p)
	if told {
		s.out = append(s.out, s.agreed.answer...)
	}
	s.forward("MAIL FROM:<", pending{mail: true, address: p, told: told})
}

// finishIfIdle ends a message that was refused before anything of it was sent.
func (s *session) finishIfIdle() {
	if len(s.queue) == 0 {
		s.finish()
	}
}

// The parameters of MAIL and RCPT, and the extension that has to be offered for each (RFC 1870, 6152, 6531, 3461, 4954).
var (
	mailParams = map[string]string{"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN", "ENVID": "DSN", "AUTH": "AUTH"}
	rcptParams = map[string]string{"NOTIFY": "DSN", "ORCPT": "DSN"}
)

// permitted tells whether the parameters of an address are among those offered; if not the refusal was said.
func (s *session) permitted(p *path, verb string, known map[string]string) bool {
	offers := s.g.pool.offers()
	for _, one := range p.params {
		extension, ok := known[one.key]
		if _, offered := offers[extension]; !ok || !offered || !s.esmtp {
			s.refuse(555, "5.5.4", verb+" has a parameter that was not offered")
			return false
		}
	}
	if body, ok := p.param("BODY"); ok && !strings.EqualFold(body, "7BIT") && !strings.EqualFold(body, "8BITMIME") {
		s.refuse(501, "5.5.4", "BODY must be 7BIT or 8BITMIME")
		return false
	}
	_, utf8 := p.param("SMTPUTF8")
	utf8 = utf8 || s.mail.utf8()
	if !utf8 && strings.ContainsFunc(p.text, func(r rune) bool { return r > '~' }) {
		s.refuse(553, "5.6.7", "an address beyond ASCII needs SMTPUTF8")
		return false
	}
	return true
}

func (t *transaction) utf8() bool {
	_, ok := t.from.param("SMTPUTF8")
	return ok
}

// cutFold cuts a prefix whatever its case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// rcptTo answers RCPT.
func (s *session) rcptTo(c command) {
	to, ok := cutFold(c.args, "TO:")
	p, valid := parsePath(to)
	switch {
	case !s.mail.begun || s.mail.transfer != nil:
		s.refuse(503, "5.5.1", "MAIL first")
		return
	case !ok || !valid || p.text == "":
		s.refuse(501, "5.1.3", "RCPT TO:<address> is what is wanted")
		return
	case !s.permitted(&p, "RCPT", rcptParams):
		return
	case s.mail.refused != nil:
		s.out = append(s.out, s.mail.refused...)
		return
	case s.tooMany():
		return
	case !s.mayRelay(p.text):
		s.refuse(550, "5.7.1", "relaying is not permitted")
		return
	}
	v, speak := s.consider(policy.Rcpt, AtRcpt, p.text)
	switch {
	case speak:
		s.deny(v)
		if len(s.mail.stopped) == 0 {
			s.mail.verdict = v
		}
		s.mail.stopped = append(s.mail.stopped, p.text)
	case v.Stops() && v.Action == osm.Discard && reaches(AtRcpt, s.g.cfg.RejectAt):
		s.mail.discarded = append(s.mail.discarded, p.text)
		s.say(250, "2.1.5", "OK")
	default:
		s.forward("RCPT TO:<", pending{address: p})
	}
}

// tooMany refuses a recipient beyond the limit. Near it the answers to earlier ones are waited for: not all may be accepted.
func (s *session) tooMany() bool {
	limit := s.g.cfg.Limit.Recipients
	told := func() int { return len(s.mail.recipients) + len(s.mail.discarded) + len(s.mail.stopped) }
	if told()+len(s.queue) < limit {
		return false
	}
	if !s.settle() {
		return true
	}
	if told() < limit {
		return false
	}
	s.say(452, "4.5.3", "too many recipients")
	return true
}

// mayRelay tells whether a client may write to a recipient. Where the upstream knows the client's address the upstream
// decides; otherwise it would take everybody for the gateway.
func (s *session) mayRelay(recipient string) bool {
	if s.g.cfg.HandOn != NotAtAll || s.login != "" || s.g.relays.contain(s.client.addr.Addr()) {
		return true
	}
	domain := osm.Domain(recipient)
	local := strings.TrimSuffix(recipient, "@"+domain)
	if strings.ContainsAny(local, "%!@") { // old ways to name a next server, which some still understand
		return false
	}
	return domain == "" || slices.ContainsFunc(s.g.cfg.RelayTo, func(d string) bool { return strings.EqualFold(d, domain) })
}

// deny speaks a verdict.
func (s *session) deny(v osm.Verdict) {
	s.g.counts.Refusals.Add(1)
	code, enhanced := refusal(v)
	s.say(code, enhanced, policy.Text(v))
}

// refusal is the answer to a verdict that is spoken.
func refusal(v osm.Verdict) (code int, enhanced string) {
	if v.Action == osm.Reject {
		return 550, "5.7.1"
	}
	return 451, "4.7.1"
}

// forward gathers a command with an address for the upstream; its answer is due.
func (s *session) forward(command string, p pending) {
	for _, part := range [...]string{command, p.address.text, ">", p.address.written, "\r\n"} {
		s.link.out = append(s.link.out, part...)
	}
	s.queue = append(s.queue, p)
	if len(s.queue) >= queueMost || !s.link.has("PIPELINING") {
		s.settle()
	}
}

// bind gets a connection to the upstream, a new one for a login. false: it was said why there is none.
func (s *session) bind(fresh bool) bool {
	if s.link != nil {
		return true
	}
	l, err := s.g.pool.take(s.ctx, s.client, fresh)
	if err != nil {
		s.unreachable(err)
		return false
	}
	s.link = l
	return true
}

// settle sends the upstream what has been gathered and puts all answers that are due into the order of their commands.
// false: the dialogue ends with them.
func (s *session) settle() bool {
	queue := s.queue
	s.queue = s.queue[:0]
	first := true
	for _, p := range queue {
		if s.link == nil { // the upstream has ended it with the answer before
			return false
		}
		if p.answer != nil {
			s.out = append(s.out, p.answer...)
			continue
		}
		said, err := s.answer(p, first)
		first = false
		if s.link == nil { // no other could be reached
			return false
		}
		if err != nil {
			s.lost()
			return false
		}
		s.answered(p, said)
	}
	return !s.over
}

// answer reads the upstream's answer, having sent the commands before the first. A connection that has waited may be gone
// by then: as long as nothing was answered on it for this message, the commands go to a new one.
func (s *session) answer(p pending, first bool) (reply, error) {
	l := s.link
	if !first {
		return l.read()
	}
	commands, waited := l.out, !l.fresh && !l.login
	l.fresh = false
	said, err := l.exchange()
	if !waited || !p.mail || err == nil && said.code != 421 {
		return said, err
	}
	s.lose()
	if !s.bind(true) {
		return said, err
	}
	s.link.out = append(s.link.out, commands...)
	s.link.open, s.link.fresh = true, false
	return s.link.exchange()
}

// answered hands an answer to the client and notes what it means.
func (s *session) answered(p pending, said reply) {
	switch {
	case said.code == 421: // the upstream closes (RFC 5321 section 3.8)
		s.lose()
		s.over = true
	case p.mail:
		s.answeredMail(p, said)
		return
	case s.mail.refused != nil: // it says that it has no sender
		s.out = append(s.out, s.mail.refused...)
		return
	case said.ok():
		s.mail.recipients = append(s.mail.recipients, p.address)
	}
	s.out = append(s.out, said.raw...)
}

func (s *session) answeredMail(p pending, said reply) {
	switch {
	case said.ok():
		s.agreed.note(s.link.up, p.address, said.raw)
	case p.told:
		s.mail.refused = slices.Clone(said.raw)
	default:
		s.mail.begun = false
	}
	if !said.ok() {
		s.link.open, s.agreed.up = false, nil
	}
	if !p.told {
		s.out = append(s.out, said.raw...)
	}
}

// lost ends a dialogue whose upstream has gone in the middle of it.
func (s *session) lost() {
	s.lose()
	s.end(421, "4.4.2", "the connection to the mail server was lost, try again later")
}
