package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/check"
	"osm/exim"
	"osm/policy"
	"osm/web"
)

// openChecks makes the configured checks ready. They ask nobody yet. What the ones before remember goes on being known.
func (s *session) openChecks(cfg check.Config) {
	checks := check.New(cfg, check.Options{Now: time.Now, Logger: s.options.Logger, Addresses: ownAddresses(), Known: s.familiar})
	before := s.checks.Load()
	if before != nil {
		checks.Inherit(before)
	}
	s.checks.Store(checks)
	if before == nil {
		return
	}
	select {
	case s.rechecked <- struct{}{}:
	default: // it is known already
	}
}

// Keys of the store's state begin with it where they are the checks'.
const checkState = "check/"

func (s *session) restoreChecks(key string, blob []byte) error {
	return s.checks.Load().Restore(key, blob)
}

// saveChecks puts what the checks keep into the store's batch.
func (s *session) saveChecks() error {
	return s.checks.Load().Dirty(func(key string, blob []byte) { s.store.SaveState(checkState+key, blob) })
}

// opinions is nil when no check is enabled.
func (s *session) opinions() *web.Opinions {
	checks := s.checks.Load()
	if !checks.Used() {
		return nil
	}
	return &web.Opinions{Stats: checks.Stats(), Listings: checks.Listings()}
}

// ofCheck tells whether a check asked for a verdict.
func ofCheck(v *osm.Verdict) bool { return strings.HasPrefix(v.Rule, check.RulePrefix) }

// passing tells whether a verdict says nothing about its sender: it is asked to come again.
func passing(v *osm.Verdict) bool { return ofCheck(v) && v.Action == osm.Defer }

// familiar tells whether whoever submits a message has a history as a login.
func (s *session) familiar(m *osm.Message) bool {
	if m.Login == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine.Detect.HasSent(m.Login)
}

// eximWaits is how long all checks together may take when Exim asks: it must have its answer before it gives up.
const eximWaits = exim.Patience * 7 / 10

// consult asks the configured checks about a question before the engine does, without the mutex: they may take their time.
// What they said is in the message's Opinions then; without checks it costs one comparison, and asked is false.
func (s *session) consult(ctx context.Context, r *policy.Request) (asked bool) {
	checks := s.checks.Load()
	if !checks.Any() {
		return false
	}
	stage, ok := stageOf(r.State)
	if !ok || r.State == policy.Rewrite && policy.IsRewritten(r.Recipient) {
		return false
	}
	s.mu.Lock()
	asked = s.engine.present(r, stage, time.Now())
	s.mu.Unlock()
	if !asked || !checks.Wants(stage, r.Message.Class) {
		return false
	}
	if r.UID >= 0 { // only Exim tells it
		within, cancel := context.WithTimeout(ctx, eximWaits)
		defer cancel()
		ctx = within
	}
	m := r.Message // a copy: a check that is late reads on when the question is over
	question := check.Request{Stage: stage, Message: &m, Recipient: r.Recipient, Content: r.Content, Whole: r.Whole,
		Taken: r.State == policy.NotSMTP || r.State == policy.Rewrite}
	opinions := &osm.Opinions{}
	checks.Look(ctx, &question, opinions)
	r.Message.Opinions = opinions
	return true
}

func stageOf(state policy.State) (check.Stage, bool) {
	switch state {
	case policy.Connect:
		return check.AtConnect, true
	case policy.Mail:
		return check.AtMail, true
	case policy.Rcpt:
		return check.AtRcpt, true
	case policy.Data, policy.EndOfMessage, policy.NotSMTP, policy.Rewrite:
		return check.AtData, true
	}
	return 0, false
}

// present finds out what class of mail a question is about; false: the message has its verdict already.
func (e *Engine) present(r *policy.Request, stage check.Stage, now time.Time) bool {
	m := &r.Message
	m.Time = now
	if stage == check.AtData {
		if _, before := e.asked.find(m.ID); before {
			return false
		}
		e.identify(r)
		return true
	}
	if stage == check.AtRcpt {
		m.Recipients = []string{r.Recipient}
	}
	e.Enrich.Message(m)
	if stage == check.AtConnect && m.Class == osm.Bounce {
		m.Class = osm.Inbound // there is no sender yet
	}
	return true
}

// worse puts what the checks ask for in the place of what the detection found, where that is more severe.
func worse(m *osm.Message, v *osm.Verdict) {
	if m.Opinions == nil || m.Opinions.Verdict.Shadow || m.Opinions.Verdict.Action.Severity() <= v.Action.Severity() {
		return
	}
	score := v.Score
	*v = demand(m, v.Key)
	v.Score = score // a fact of rules
}

// demand is what the checks ask for. Where they name nobody it is charged to whom the detection charges the message to, or to
// the client when that is nobody here. A check that failed says nothing about anybody.
func demand(m *osm.Message, charged osm.Key) osm.Verdict {
	v := m.Opinions.Verdict
	if v.Key != (osm.Key{}) || v.Reason == check.Failed {
		return v
	}
	if v.Key = charged; v.Key == (osm.Key{}) {
		v.Key = osm.Key{Kind: osm.KeyClient, Value: policy.Value(m, osm.KeyClient)}
	}
	return v
}

// tried puts what a check on trial would have done in the place of a verdict that does nothing.
func tried(m *osm.Message, v *osm.Verdict, charged osm.Key) {
	if m.Opinions == nil || v.Action != osm.Accept || v.Rule != "" || !m.Opinions.Verdict.Shadow || m.Opinions.Verdict.Action == osm.Accept {
		return
	}
	*v = demand(m, charged)
	v.ID = policy.ID(m, v.Rule)
}

// withOpinions is the evidence of a verdict, and after it what the checks said beside.
func withOpinions(findings []osm.Finding, o *osm.Opinions) []osm.Finding {
	all := slices.Clip(findings)
	for _, f := range check.Evidence(o) {
		if !slices.ContainsFunc(findings, func(said osm.Finding) bool { return said.Fact == f.Fact }) {
			all = append(all, f)
		}
	}
	return all
}

// peek answers before a message is complete: what the lists (and, for the gateway, the rules) say, then what the checks
// refuse, unless a rule accepts the message or may yet. What they would hold is held when the message is there.
func (e *Engine) peek(r *policy.Request) osm.Verdict {
	m, say := &r.Message, e.Policy.Peek
	if r.Early {
		say = func(m *osm.Message) osm.Verdict { return e.Policy.Early(m, r.State) }
	}
	v := say(m)
	if v.Rule != "" || m.Opinions == nil {
		return v
	}
	asked := m.Opinions.Verdict
	if asked.Shadow || asked.Action != osm.Defer && asked.Action != osm.Reject || e.Policy.Excepted(m, r.State) {
		return v
	}
	asked.ID = policy.ID(m, asked.Rule)
	return asked
}
