package daemon

import (
	"sync/atomic"
	"time"

	"osm"
	"osm/exim"
)

// meter counts what passes since the start, for /metrics. What has no atomic type is guarded by the session's mutex. Counting
// is an addition to an array: the engine does not feel it.
type meter struct {
	lines    [mostOfKind]uint64 // by exim.Kind
	classes  [mostOfKind]classMeter
	outcomes [mostOfKind]uint64 // by osm.Outcome
	refusals [mostOfKind]uint64 // by osm.Refusal
	verdicts map[verdictKind]uint64

	pending   atomic.Int64 // lines, messages, deliveries and events that wait for a flush
	flushes   spans
	questions spans
}

// mostOfKind is more than there are of any kind; indices are cut to it.
const mostOfKind = 32

// classMeter is the mail of one class.
type classMeter struct {
	actions    [8]uint64 // messages by osm.Action
	recipients uint64
	bytes      uint64
}

// verdictKind is what verdicts are told apart by. There are as many as there are rules, and mostVerdicts at most.
type verdictKind struct {
	rule   string
	action osm.Action
	way    string
}

const mostVerdicts = 1000

func (m *meter) line(e *exim.Entry) { m.lines[e.Kind%mostOfKind]++ }

func (m *meter) arrival(msg *osm.Message) {
	v := &msg.Verdict
	c := &m.classes[msg.Class%mostOfKind]
	c.actions[v.Action%8]++
	c.recipients += uint64(len(msg.Recipients))
	c.bytes += uint64(max(msg.Size, 0))
	if v.Rule == "" {
		return
	}
	k := verdictKind{v.Rule, v.Action, "acted"}
	switch {
	case v.Shadow:
		k.way = "shadow"
	case v.Passive:
		k.way = "passive"
	}
	if m.verdicts == nil {
		m.verdicts = map[verdictKind]uint64{}
	}
	if _, known := m.verdicts[k]; !known && len(m.verdicts) >= mostVerdicts {
		k.rule = "other"
	}
	m.verdicts[k]++
}

func (m *meter) delivery(d *osm.Delivery) {
	m.outcomes[d.Outcome%mostOfKind]++
	if d.Refusal != osm.NotRefused {
		m.refusals[d.Refusal%mostOfKind]++
	}
}

// spans counts how long something took. Any goroutine may use it.
type spans struct {
	sum    atomic.Int64 // nanoseconds
	counts [len(spanBounds) + 1]atomic.Uint64
}

// spanBounds are the upper bounds that spans are counted by; what took longer is counted last.
var spanBounds = [...]time.Duration{50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, 2500 * time.Millisecond, 10 * time.Second}

func (s *spans) add(took time.Duration) {
	i := 0
	for i < len(spanBounds) && took > spanBounds[i] {
		i++
	}
	s.sum.Add(int64(took))
	s.counts[i].Add(1)
}
