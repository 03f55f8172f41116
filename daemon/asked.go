package daemon

import (
	"strings"

	"osm"
	"osm/policy"
)

// asked is what policy queries leave behind for the log, and for each other. It is bounded whatever is asked.
type asked struct {
	passed           passed                   // messages that were accepted, and nothing else is to be said of them
	verdicts, before map[queueID]*osm.Verdict // on others; before are those of the last turn
	known            map[queueID]*osm.Message // what the gateway knew of messages whose log lines are due
	told, toldBefore map[string][]string      // recipients told one by one (Postfix), by instance
	refused          []*osm.Message           // since the last flush: the log tells of them only in passing
	answered         []answered               // since the last flush: no log tells of them
	expected         expected                 // by the gateway, in the log
	Dropped          uint64                   // refused messages that did not fit and are not in the history
}

// queueID is a mail server's id of a message in a form that costs the garbage collector nothing: Exim's have up to 23
// characters, Postfix's fewer. Nothing is kept of a message with a longer one.
type queueID [24]byte

func idOf(id string) (k queueID, ok bool) {
	n := copy(k[:], id)
	return k, n > 0 && n == len(id)
}

const (
	knownMost    = 10_000 // messages: then it begins anew, and the log has to do
	verdictsMost = 50_000 // per turn, some 250 bytes each
	toldMost     = 10_000 // messages per turn
	toldEach     = 1_000  // recipients of one message
	refusedMost  = 10_000 // between two flushes
)

// none tells that nothing was ever asked about, as in a replay.
func (a *asked) none() bool {
	return a.passed.rows == nil && len(a.verdicts)+len(a.before)+a.expected.number == 0
}

// keep notes what was decided about a message. Of a plain acceptance nobody will ask more than that it was one.
func (a *asked) keep(id string, v osm.Verdict) {
	key, ok := idOf(id)
	if !ok {
		return
	}
	if v.Action == osm.Accept && v.ID == "" && len(v.Findings) == 0 && !v.Passive {
		delete(a.verdicts, key)
		delete(a.before, key)
		a.passed.add(id)
		return
	}
	if len(a.verdicts) >= verdictsMost || a.verdicts == nil {
		a.before, a.verdicts = a.verdicts, make(map[queueID]*osm.Verdict, len(a.verdicts))
	}
	kept := v
	kept.Key.Value = strings.Clone(v.Key.Value) // not the whole question with it
	a.verdicts[key] = &kept
}

func (a *asked) find(id string) (v osm.Verdict, found bool) {
	key, ok := idOf(id)
	if !ok {
		return v, false
	}
	kept, found := a.verdicts[key]
	if !found {
		kept, found = a.before[key]
	}
	if found {
		return *kept, true
	}
	return v, a.passed.has(id)
}

// take is find for the log's line: nothing more will be asked about this message.
func (a *asked) take(id string) (osm.Verdict, bool) {
	v, found := a.find(id)
	if found {
		key, _ := idOf(id)
		delete(a.verdicts, key)
		delete(a.before, key)
		a.passed.remove(id)
	}
	return v, found
}

// know keeps what the gateway knew of a message until the log tells of it.
func (a *asked) know(id string, m *osm.Message) {
	key, ok := idOf(id)
	if !ok || m == nil {
		return
	}
	if len(a.known) >= knownMost || a.known == nil {
		a.known = map[queueID]*osm.Message{}
	}
	a.known[key] = m
}

// knew takes what the gateway knew of a message, nil where it has not passed.
func (a *asked) knew(id string) *osm.Message {
	if len(a.known) == 0 {
		return nil
	}
	key, _ := idOf(id)
	m := a.known[key]
	delete(a.known, key)
	return m
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
		a.told[strings.Clone(instance)] = append(list, strings.Clone(address)) // not the whole question with them
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

// refuse keeps a message for the history; what it was asked in goes on being used.
func (a *asked) refuse(m *osm.Message) {
	if len(a.refused) >= refusedMost {
		a.Dropped++
		return
	}
	refused := *m
	a.refused = append(a.refused, &refused)
}

// Refused hands what was refused since the last call to the sink: it becomes part of the history like an arrival.
func (e *Engine) Refused() {
	for i, m := range e.asked.refused {
		e.Sink.Arrival(m)
		e.asked.refused[i] = nil
	}
	e.asked.refused = e.asked.refused[:0]
	e.handedOn()
}
