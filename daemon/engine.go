package daemon

import (
	"osm"
	"osm/detect"
	"osm/enrich"
	"osm/exim"
	"osm/hold"
	"osm/policy"
	"osm/track"
)

// Engine is the way of a log line to a verdict: the same for live logs, replay, explain and tests. One goroutine at a
// time may use it.
type Engine struct {
	Track  *track.Tracker
	Enrich *enrich.Enricher
	Detect *detect.Detector
	Policy *policy.Policy
	Sink   Sink
	User   func(uid int) string // name of a unix user, "" when there is none
	Lane   *hold.Lane
	Shadow bool // what is decided at a question is not carried out

	Rewriter *policy.Rewriter // answers Exim's rewrite rule and its router; nil: neither is in use

	forgery exim.Forgery
	asked   asked // what policy queries have decided before the log tells of it
}

// Sink receives what the engine made out of a line, in this order. What it is given is valid until it returns.
type Sink interface {
	Line(entry *exim.Entry)                   // every line, before what it tells
	Arrival(m *osm.Message)                   // a message came in and has its verdict
	Delivery(m *osm.Message, d *osm.Delivery) // an attempt for one recipient
	Other(entry *exim.Entry, ev *track.Event) // everything else
	Forged(attempt exim.Attempt)              // somebody wrote false lines into the log
}

// Process takes one parsed line of the log through the pipeline.
func (e *Engine) Process(entry *exim.Entry) {
	if attempt, ok := e.forgery.Look(entry); ok {
		e.Sink.Forged(attempt)
	}
	e.Sink.Line(entry)
	ev := e.Track.Add(entry)
	if !e.follow(&ev, nil) {
		e.Sink.Other(entry, &ev)
	}
}

// Batch is a piece of a log that was read elsewhere. The zero value is ready to be filled.
type Batch struct {
	track.Batch
	prints []detect.Prints // of its arrivals
}

// Look finds out what needs no knowledge of other lines. Any goroutine may call it, unlike all else.
func (e *Engine) Look(b *Batch) {
	for i := range b.Deliveries() {
		e.Enrich.Refusal(&b.Deliveries()[i])
	}
	for i, m := range b.Arrivals() {
		if i == len(b.prints) {
			b.prints = append(b.prints, detect.Prints{})
		}
		b.prints[i].Read(m)
	}
}

// ProcessBatch takes a piece of a log whose lines were read elsewhere, and of which nobody has forged one. The sink gets to
// know only of messages and deliveries.
func (e *Engine) ProcessBatch(b *Batch) {
	events := e.Track.Tie(&b.Batch)
	for i := range events {
		e.follow(&events[i], b)
	}
}

// follow takes a line that was tied to its message further; b is the batch that it was read in, if any. It is false where the
// line is about no message and no delivery.
func (e *Engine) follow(ev *track.Event, b *Batch) bool {
	switch {
	case ev.New:
		if b == nil {
			e.arrival(ev.Message, nil)
		} else {
			e.arrival(ev.Message, &b.prints[ev.Arrival])
		}
		for i := range ev.Early {
			e.delivery(ev.Message, &ev.Early[i])
		}
	case ev.Delivery != nil:
		e.delivery(ev.Message, ev.Delivery)
	default:
		if entry := ev.Entry; entry != nil && entry.Kind == exim.AuthFailure {
			client, _ := exim.ParseIP(entry.IP) // an invalid address is no client
			e.Detect.AuthFailure(entry.Time, entry.Login, client)
		}
		return false
	}
	return true
}

// arrival decides about a message with what is known now, unless a policy query has decided about it before, and learns
// from it what may be learned. p is what was read of it before, nil where nothing was.
func (e *Engine) arrival(m *osm.Message, p *detect.Prints) {
	e.Enrich.Message(m)
	rewritten := e.originals(m)
	if rewritten {
		p = nil // they are of other recipients
	}
	if !e.answered(m) {
		e.judge(m, p)
		m.Verdict.Passive = true
		if rewritten { // it waits because nobody answered, and Exim will ask again
			e.asked.keep(m.ID, m.Verdict)
		}
	}
	e.Detect.Learn(m, !m.Verdict.Stops())
	e.Sink.Arrival(m)
}

// answered gives a message the verdict that a question about it was answered with. It is false where nobody has asked.
func (e *Engine) answered(m *osm.Message) bool {
	if e.asked.none() {
		return false
	}
	ask := e.asked.take
	if e.Rewriter != nil {
		ask = e.asked.find // Exim rewrites the children of aliases when it delivers
	}
	if v, ok := ask(m.ID); ok {
		m.Verdict = v
		e.complete(m, e.asked.knew(m.ID))
		return true
	}
	if x, ok := e.expects(m, true); ok {
		m.Verdict = x.verdict
		e.complete(m, x.message)
		if e.Rewriter != nil {
			e.asked.keep(m.ID, x.verdict) // Exim will ask again
		}
		return true
	}
	return false
}

// originals puts the recipients that a message was written to in the place of those that stand for them, and tells
// whether there were any.
func (e *Engine) originals(m *osm.Message) (rewritten bool) {
	if e.Rewriter == nil {
		return false
	}
	for i, r := range m.Recipients {
		if held, err := e.Rewriter.Decode(m.ID, r); err == nil && held.Original != "" {
			m.Recipients[i], rewritten = held.Original, true
		}
	}
	return rewritten
}

// judge counts a message, weighs it and gives it its verdict. What the detection alone holds may go by the fast lane.
func (e *Engine) judge(m *osm.Message, p *detect.Prints) {
	v, found := &m.Verdict, e.Detect.FindRead(m, p)
	*v = verdict(&found)
	worse(m, v)
	e.Policy.Decide(m, v)
	tried(m, v, found.Key)
	if ofCheck(v) {
		v.Score = 0 // the detection has not stopped anybody: nobody is suspended, and nothing is released when it changes its mind
	}
	if m.Opinions != nil && v.Action != osm.Accept {
		v.Findings = withOpinions(v.Findings, m.Opinions)
	}
	if found.Action == osm.Hold && v.Rule == found.Rule &&
		e.Lane.Open(m, verdict(&found), func(key osm.Key) bool { return e.ordinary(key, m.Time) }) {
		*v = fastLane(&found)
	}
}

// delivery takes a receiver's answer as evidence, except for a message that would have been stopped: in active mode it would not have
// been tried.
func (e *Engine) delivery(m *osm.Message, d *osm.Delivery) {
	e.Enrich.Delivery(m, d)
	if !m.Verdict.Stops() {
		e.Detect.Delivery(m, d)
		e.Policy.Delivery(m, d)
	}
	e.Sink.Delivery(m, d)
}

func verdict(a *detect.Assessment) osm.Verdict {
	return osm.Verdict{Action: a.Action, Rule: a.Rule, Reason: a.Reason, Detail: a.Detail, Key: a.Key, Score: a.Score,
		Findings: a.Findings}
}
