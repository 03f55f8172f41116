package daemon

import (
	"time"

	"osm"
	"osm/detect"
	"osm/policy"
)

// Ask answers a policy query that comes at a time. Questions before a message is complete are answered from the lists
// and count nothing; the one about the whole message counts it, and its answer is kept by message id so that neither a
// second question nor the log's own line counts it again.
func (e *Engine) Ask(r *policy.Request, now time.Time) osm.Verdict {
	m := &r.Message
	m.Time = now
	switch r.State {
	case policy.Data, policy.EndOfMessage, policy.NotSMTP:
		return e.decide(r)
	case policy.Rewrite:
		if e.Rewriter != nil {
			return e.Rewriter.Answer(r, func(recipient string) osm.Verdict {
				m.Recipients = []string{recipient} // the others are not told: the first one decides for the message
				if v := e.decide(r); !e.Shadow {
					return v
				}
				return osm.Verdict{}
			})
		}
	case policy.Rcpt:
		e.asked.recipient(r.Instance, r.Recipient)
		m.Recipients = []string{r.Recipient}
	}
	e.Enrich.Message(m) // lists may name countries and networks
	return e.peek(r)
}

// decide gives the verdict about a whole message. In shadow nobody will carry it out, so that what is refused arrives all
// the same and the log tells of it.
func (e *Engine) decide(r *policy.Request) osm.Verdict {
	m := &r.Message
	if before, ok := e.asked.find(m.ID); ok {
		return before
	}
	if x, ok := e.expectsAsked(r); ok {
		e.asked.keep(m.ID, x.verdict)
		e.asked.know(m.ID, x.message)
		return x.verdict
	}
	e.identify(r)
	e.judge(m, nil)
	m.Verdict.Passive = e.Shadow
	if !e.Shadow && m.Verdict.Stops() && refuses(r.State, m.Verdict.Action) {
		e.Detect.Learn(m, false)
		e.asked.refuse(m) // Exim will not log an arrival
	} else {
		e.asked.keep(m.ID, m.Verdict)
	}
	return m.Verdict
}

// identify completes what a question about a whole message tells of it. Asked twice it does the same.
func (e *Engine) identify(r *policy.Request) {
	m := &r.Message
	if len(m.Recipients) == 0 {
		m.Recipients = e.asked.recipients(r)
	}
	if r.State == policy.NotSMTP || r.State == policy.Rewrite && !m.Client.IsValid() {
		m.Protocol = "local"
		m.Login, m.Auth = "", "" // Exim's $authenticated_id is the unix user's name here, who has not logged in
		if name := e.User(r.UID); name != "" {
			m.User = name // the number is the kernel's word; the name in a request is the caller's
		}
	} else {
		m.User, m.Script = "", osm.Script{} // over SMTP these are Exim's own (EXIM.md section 2)
	}
	e.Enrich.Message(m)
}

// refuses tells whether the answer to a question keeps Exim from taking the message. A local submission can't be deferred:
// it is held. Where a rewrite rule asks, Exim has taken the message already.
func refuses(at policy.State, a osm.Action) bool {
	return at != policy.Rewrite && (a == osm.Reject || a == osm.Defer && at != policy.NotSMTP)
}

// What makes a sender an ordinary one for the fast lane.
const (
	ordinaryAge  = 7 * 24 * time.Hour
	ordinaryMail = 20 // accepted messages
)

// ordinary tells whether a sender has a past: a new account or a new script has no fast lane.
func (e *Engine) ordinary(key osm.Key, now time.Time) bool {
	b, known := e.Detect.Explain(key, now)
	return known && b.Messages >= ordinaryMail && now.Sub(b.FirstSeen) >= ordinaryAge
}

// fastLane is the verdict about a message that is let through although its sender is suspected.
func fastLane(found *detect.Assessment) osm.Verdict {
	return osm.Verdict{Action: osm.Accept, Rule: "fast-lane", Reason: found.Reason, Key: found.Key, Score: found.Score, Findings: found.Findings,
		Detail: "let through, being for one recipient, while its sender is suspected: " + found.Detail}
}
