package daemon

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"osm"
	"osm/gateway"
)

// gatewayHealth is the gateway as far as others ask how it is.
type gatewayHealth struct {
	gateway atomic.Pointer[gateway.Gateway] // nil: there is none, or it can't be opened
	failure atomic.Pointer[string]          // why it can't
}

// notices tell what keeps mail from passing the gateway.
func (f *gatewayHealth) notices() []string {
	if why := f.failure.Load(); why != nil {
		return []string{"the gateway takes no mail: " + *why}
	}
	g := f.gateway.Load()
	if g == nil {
		return nil
	}
	all := g.Problems()
	for i := range all {
		all[i] = "gateway: " + all[i]
	}
	return all
}

// openGateway opens the SMTP server in front of the real one, where one is configured, and returns what serves it.
func (s *session) openGateway(ctx context.Context) (serve func() error, err error) {
	if !s.cfg.Gateway.On() {
		return nil, nil
	}
	g, err := s.newGateway()
	if err != nil {
		why := err.Error()
		s.front.failure.Store(&why)
		return nil, err
	}
	s.front.gateway.Store(g)
	s.front.failure.Store(nil)
	s.gate.Store(g.Stats())
	if s.options.Gateway != nil {
		s.options.Gateway(g.Addresses())
	}
	return func() error { return g.Serve(ctx) }, nil
}

// newGateway makes the gateway, which listens and does not answer yet.
func (s *session) newGateway() (*gateway.Gateway, error) {
	cfg := s.cfg.Gateway
	o := gateway.Options{Ask: s.ask, Tell: s.passed, Content: func() int64 { return s.checks.Load().Limit() }, Logger: s.options.Logger, Now: time.Now}
	if cfg.Hold == gateway.HoldExim {
		if err := s.openRewriter(); err != nil {
			return nil, err
		}
		s.mu.Lock()
		o.Rewriter = s.engine.Rewriter
		s.mu.Unlock()
	}
	g, err := gateway.New(cfg, o)
	if err != nil {
		return nil, fmt.Errorf("open the gateway: %w", err)
	}
	return g, g.Listen()
}

// passed takes what became of a message at the gateway.
func (s *session) passed(p *gateway.Passage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.Passed(p, s.cfg.Gateway.UpstreamLog)
}

// Passed notes what became of a message that the gateway has asked about. Where the upstream's log is followed (logged) it
// tells of what was accepted, and the verdict waits for it. Everything else is history as the gateway tells it: what was
// refused or discarded, what a quarantine took, and what an upstream without a log here has answered. A message that broke off
// is none: the client has it still, and comes again.
func (e *Engine) Passed(p *gateway.Passage, logged bool) {
	logged = logged && !p.Quarantined
	switch m := p.Message; {
	case p.Stage == gateway.Stopped:
		if p.Asked && m.Verdict.Action != osm.Discard {
			return // the answer to the question has put it there
		}
		e.asked.take(m.ID)
		e.asked.refuse(m)
	case !logged && (p.Stage == gateway.Accepted || p.Stage == gateway.Refused && p.Code != 0):
		m.Verdict, _ = e.asked.take(m.ID)
		e.asked.deliver(m, p)
	case !logged:
	case p.Stage == gateway.Sending:
		v, _ := e.asked.take(m.ID)
		e.asked.expected.expect(p, v)
	case p.Stage == gateway.Accepted:
		if one, due := e.asked.expected.settle(p); due {
			e.asked.keep(p.QueueID, one.verdict)
			e.asked.know(p.QueueID, one.message)
		}
	case p.Stage == gateway.Refused:
		e.asked.expected.forget(p)
	}
}

// answered is a message that a server whose log is not followed has answered.
type answered struct {
	message  *osm.Message
	delivery osm.Delivery // to each recipient
}

const answeredMost = 50_000 // between two flushes

func (a *asked) deliver(m *osm.Message, p *gateway.Passage) {
	if len(a.answered) >= answeredMost {
		a.Dropped++
		return
	}
	outcome := osm.Delivered
	switch p.Code / 100 {
	case 4:
		outcome = osm.Deferred
	case 5:
		outcome = osm.Failed
	}
	own := *m // the gateway goes on using its own
	a.answered = append(a.answered, answered{&own, osm.Delivery{Time: m.Time, Outcome: outcome, Router: "gateway", Transport: "gateway",
		Host: p.Host, IP: p.Addr.Addr(), Port: p.Addr.Port(), Code: p.Code, Text: p.Text}})
}

// handedOn makes history of what the gateway has handed on since the last call.
func (e *Engine) handedOn() {
	for i, one := range e.asked.answered {
		e.asked.answered[i] = answered{}
		m, taken := one.message, one.delivery.Outcome == osm.Delivered
		e.Detect.Learn(m, taken && !m.Verdict.Stops())
		e.Sink.Arrival(m)
		if taken && m.Verdict.Stops() && !m.Verdict.Passive {
			continue // it waits in the quarantine
		}
		for _, r := range m.Recipients {
			d := one.delivery
			d.Recipient, d.Original = r, r
			e.delivery(m, &d)
		}
	}
	e.asked.answered = e.asked.answered[:0]
}
