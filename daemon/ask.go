package daemon

import (
	"time"

	"osm"
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
	return e.Policy.Peek(m)
}

// decide gives the verdict about a whole message. In shadow nobody will carry it out, so that what is refused arrives all
// the same and the log tells of it.
func (e *Engine) decide(r *policy.Request) osm.Verdict {
	m := &r.Message
	if before, ok := e.asked.find(m.ID); ok {
		return before
	}
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
	v, found := e.judge(m)
	if v.Rule == found.Rule && e.Lane.Open(m, found, func(key osm.Key) bool { return e.ordinary(key, m.Time) }) {
		v = fastLane(found)
	}
	m.Verdict = v
	m.Verdict.Passive = e.Shadow
	if !e.Shadow && refuses(r.State, m.Verdict.Action) {
		e.Detect.Learn(m, false)
		e.asked.refuse(m) // Exim will not log an arrival
	} else {
		e.asked.keep(m.ID, m.Verdict)
	}
	return m.Verdict
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
func fastLane(found osm.Verdict) osm.Verdict {
	return osm.Verdict{Action: osm.Accept, Rule: "fast-lane", Reason: found.Reason, Key: found.Key, Score: found.Score, Findings: found.Findings,
		Detail: "let through, being for one recipient, while its sender is suspected: " + found.Detail}
}

// asked is what policy queries leave behind for the log, and for each other. It is bounded whatever is asked.
type asked struct {
	verdicts, before map[string]osm.Verdict // by message id; before are those of the last turn
	told, toldBefore map[string][]string    // recipients told one by one (Postfix), by instance
	refused          []*osm.Message         // since the last flush: the log tells of them only in passing
	Dropped          uint64                 // refused messages that did not fit and are not in the history
}

const (
	verdictsMost = 50_000 // per turn, some 300 bytes each
	toldMost     = 10_000 // messages per turn
	toldEach     = 1_000  // recipients of one message
	refusedMost  = 10_000 // between two flushes
)

func (a *asked) keep(id string, v osm.Verdict) {
	if id == "" {
		return
	}
	if len(a.verdicts) >= verdictsMost || a.verdicts == nil {
		a.before, a.verdicts = a.verdicts, map[string]osm.Verdict{}
	}
	a.verdicts[id] = v
}

func (a *asked) find(id string) (osm.Verdict, bool) {
	if v, ok := a.verdicts[id]; ok {
		return v, true
	}
	v, ok := a.before[id]
	return v, ok
}

// take is find for the log's line: nothing more will be asked about this message.
func (a *asked) take(id string) (osm.Verdict, bool) {
	if len(a.verdicts)+len(a.before) == 0 {
		return osm.Verdict{}, false
	}
	v, ok := a.find(id)
	if ok {
		delete(a.verdicts, id)
		delete(a.before, id)
	}
	return v, ok
}

// recipient notes one recipient of a message that is told recipient by recipient.
func (a *asked) recipient(instance, address string) {
	if instance == "" || address == "" {
		return
	}
	if len(a.told) >= toldMost || a.told == nil {
		a.toldBefore, a.told = a.told, map[string][]string{}
	}
	list := a.told[instance]
	if list == nil {
		list = a.toldBefore[instance]
	}
	if len(list) < toldEach {
		a.told[instance] = append(list, address)
	}
}

// recipients are those that are known of a message whose question does not name them all.
func (a *asked) recipients(r *policy.Request) []string {
	list := a.told[r.Instance]
	if list == nil {
		list = a.toldBefore[r.Instance]
	}
	delete(a.told, r.Instance)
	delete(a.toldBefore, r.Instance)
	if list == nil && r.Recipient != "" {
		list = []string{r.Recipient}
	}
	return list
}

func (a *asked) refuse(m *osm.Message) {
	if len(a.refused) >= refusedMost {
		a.Dropped++
		return
	}
	a.refused = append(a.refused, m)
}

// Refused hands what was refused since the last call to the sink: it becomes part of the history like an arrival.
func (e *Engine) Refused() {
	for i, m := range e.asked.refused {
		e.Sink.Arrival(m)
		e.asked.refused[i] = nil
	}
	e.asked.refused = e.asked.refused[:0]
}
