package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"osm"
	"osm/policy"
)

// elsewhere sends a message that is held or diverted to where it shall go. Where there is no such place the client is told to
// come again, with the reason: a hold must not lose a message.
func (t *transfer) elsewhere(v osm.Verdict) {
	l, recipients, err := t.target(v)
	if err == nil {
		err = t.offer(l, recipients)
	}
	if err != nil && l != nil && v.Action == osm.Hold && t.s.g.cfg.Hold == HoldExim { // a stranger may not write to the hold router
		if l, err = t.s.g.pool.take(context.WithoutCancel(t.s.ctx), peer{}, true); err == nil {
			err = t.offer(l, recipients)
		}
	}
	if err != nil {
		if !errors.Is(err, errNoHold) {
			t.s.g.log.Error("a message can't be held: it is deferred", "verdict", v.ID, "error", oneLine(err))
		}
		t.s.g.counts.Refusals.Add(1)
		t.answer = appendAnswer(nil, 451, "4.7.1", policy.Text(v))
		t.message.Verdict.Action, t.passage.Asked = osm.Defer, false
		t.tell(Stopped)
		return
	}
	t.passage.Held = v.Action == osm.Hold
	t.begin(l)
	if t.to == nil && l != t.s.link {
		l.conn.Close()
	}
}

// offer says the envelope.
func (t *transfer) offer(l *link, recipients []path) error {
	err := l.envelope(t.s.mail.from, recipients)
	if err != nil && l != t.s.link {
		l.conn.Close()
	}
	return err
}

// target finds the server that takes a held or diverted message, and its recipients there.
func (t *transfer) target(v osm.Verdict) (*link, []path, error) {
	s := t.s
	recipients := s.mail.recipients
	switch {
	case v.Action == osm.Divert:
		p, ok := parsePath("<" + v.Detail + ">")
		if !ok || p.text == "" {
			return nil, nil, fmt.Errorf("%q is no address to divert mail to", osm.Printable(v.Detail))
		}
		return s.link, []path{p}, s.link.reset()
	case s.g.cfg.Hold == HoldExim:
		held := make([]path, 0, len(recipients))
		for _, p := range recipients {
			p.text = s.g.options.Rewriter.Encode(policy.AnyMessage, p.text, v)
			held = append(held, p)
		}
		return s.link, held, s.link.reset()
	case s.g.hold != nil:
		l, err := s.g.hold.take(context.WithoutCancel(s.ctx), s.client, true)
		return l, recipients, err
	}
	return nil, nil, errNoHold
}

// errNoHold says that gateway.hold is empty: held mail is deferred, as it is meant to be.
var errNoHold = errors.New("gateway.hold does not say where held mail goes")

// envelope says MAIL and RCPT; a recipient that is refused fails the whole. Parameters that the server does not offer are
// left out, but for SMTPUTF8, without which it could not take the addresses.
func (l *link) envelope(from path, recipients []path) error {
	if _, ok := from.param("SMTPUTF8"); ok && !l.has("SMTPUTF8") {
		return fmt.Errorf("%s does not offer SMTPUTF8", l.up.address)
	}
	l.open = true
	if err := l.accept("MAIL FROM:<" + from.text + ">" + l.params(from, mailParams)); err != nil {
		return err
	}
	for _, p := range recipients {
		if err := l.accept("RCPT TO:<" + p.text + ">" + l.params(p, rcptParams)); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) params(p path, known map[string]string) string {
	var b strings.Builder
	for _, one := range p.params {
		if !l.has(known[one.key]) {
			continue
		}
		b.WriteString(" " + one.key)
		if one.value != "" {
			b.WriteString("=" + one.value)
		}
	}
	return b.String()
}

func (l *link) accept(line string) error {
	said, err := l.ask(line)
	if err == nil && !said.ok() {
		err = fmt.Errorf("%s answered %s with %d %s", l.up.address, osm.Printable(line), said.code, said.text())
	}
	return err
}
