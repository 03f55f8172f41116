package policy

import (
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"osm"
)

// early is what a rule needs to be judged before a message is complete.
type early struct {
	from State // the first point of the dialogue at which all its facts are known; Data: not before
	each bool  // it is about one recipient at a time
}

// knownFrom tells at which point of an SMTP dialogue a fact is known for good. Those that are missing are known when the
// message is there. Over SMTP there is no user and no script.
var knownFrom = map[string]State{
	"client": Connect, "network": Connect, "country": Connect, "asn": Connect, "host": Connect, "port": Connect, "hour": Connect,
	"weekday": Connect, "user": Connect, "script": Connect,
	"helo": Mail, "tls": Mail, "login": Mail, "auth": Mail, "protocol": Mail, "sender": Mail, "sender_domain": Mail,
	"recipient": Rcpt, "class": Rcpt,
}

// order is that of the dialogue.
var order = []State{Connect, Mail, Rcpt, Data}

func later(a, b State) State {
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// earlyOf finds out when a rule can be judged: a limit counts whole messages, and a hold is for whole messages.
func earlyOf(r *rule) early {
	e := early{from: Connect}
	if r.when != nil {
		e = factsOf(r.when)
	}
	if r.counted() || r.Action == osm.Hold || r.Action == osm.Divert {
		e.from = Data
	}
	for _, s := range r.except {
		switch s.kind {
		case "client", "network":
		case "account", "plan":
			e.from = Data
		default:
			e.from = later(e.from, Mail)
		}
	}
	return e
}

// factsOf looks through a condition for the facts that it asks about.
func factsOf(condition *vm.Program) early {
	v := &visitor{early{from: Connect}}
	node := condition.Node()
	ast.Walk(&node, v)
	return v.early
}

type visitor struct{ early }

func (v *visitor) Visit(node *ast.Node) {
	name, ok := (*node).(*ast.IdentifierNode)
	if !ok {
		return
	}
	from, known := knownFrom[name.Value]
	if !known {
		from = Data
	}
	v.from = later(v.from, from)
	v.each = v.each || name.Value == "recipient"
}

// fromOthers are the classes of mail that another host without a login may turn out to send.
var fromOthers = []osm.Class{osm.Relay, osm.Inbound, osm.Bounce, osm.Forward, osm.List}

// classAt tells whether a rule is about the class that a dialogue will have: certain is false as long as that is open. A
// login decides it; before MAIL there may be one yet. Whether others write to here or to elsewhere is known with a recipient.
func (r *rule) classAt(at State, m *osm.Message) (about, certain bool) {
	possible := fromOthers
	switch {
	case m.Login != "":
		possible = []osm.Class{osm.Login}
	case at == Rcpt:
		possible = []osm.Class{m.Class}
	case m.Class == osm.Localhost:
		possible = []osm.Class{osm.Localhost, osm.List}
	}
	if at == Connect {
		possible = append([]osm.Class{osm.Login}, possible...)
	}
	n := 0
	for _, c := range possible {
		if r.classes[c] {
			n++
		}
	}
	return n > 0, n == 0 || n == len(possible)
}

// Early is what can be said at a point of the dialogue before a message is complete, without counting anything: what the
// lists say, and those rules that can be judged for good with what is known. m has one recipient at Rcpt, and none before.
// Where a rule that accepts may still turn out to be about the message, nothing is refused.
func (p *Policy) Early(m *osm.Message, at State) osm.Verdict {
	if v := p.Peek(m); v.Rule != "" {
		return v
	}
	if !slices.Contains(order[:3], at) || len(p.rules) == 0 {
		return osm.Verdict{}
	}
	p.facts.set(m, 0)
	best := osm.Verdict{}
	for _, r := range p.rules {
		if r.Off || r.Shadow {
			continue
		}
		about, certain := r.classAt(at, m)
		switch {
		case certain && !about:
			continue
		case !certain || later(at, r.early.from) != at:
			if r.Action == osm.Accept {
				return osm.Verdict{}
			}
			continue
		}
		v, decided := p.ask(r, m)
		switch {
		case !decided:
		case v.Action == osm.Accept:
			return v
		case v.Action.Severity() > best.Action.Severity():
			best = v
		}
	}
	if best.Action != osm.Accept {
		best.ID = ID(m, best.Rule)
	}
	return best
}
