package detect

import "osm"

// A thief brings a list of strangers. Who mails many people himself, the first newsletter or the one mailing of a year, has some
// among them to whom he or his account wrote before. Two sequential tests (CUSUMs, Page 1954) tell the one from the other; who is
// known to others here only is a stranger to a person.
type list struct {
	bought float32 // how far the last recipients are one with 1 % known by chance at most, rather than one with 10 % or more
	own    float32 // how far they are one with 25 % known or more, rather than one with 3 % at most
}

const (
	listLimit = 6 // beyond doubt

	boughtStranger = 0.095  // log(0.99/0.9)
	boughtKnown    = -2.3   // log(0.01/0.1)
	ownStranger    = -0.257 // log(0.75/0.97)
	ownKnown       = 2.12   // log(0.25/0.03)
)

// knownToAccount is how far one to whom the account has written is a stranger.
const knownToAccount = 0.1

// follow takes recipients into the tests. Of a program's mail those tell nothing to whom it always writes, as a form does to its owner;
// but whom others here know, a bought list has not.
func (l *list) follow(fresh []float32, person bool) {
	for _, f := range fresh {
		switch {
		case !person && f == 0:
			continue
		case f <= knownToAccount || !person && f < 1:
			l.bought, l.own = l.bought+boughtKnown, l.own+ownKnown
		default:
			l.bought, l.own = l.bought+boughtStranger, l.own+ownStranger
		}
		l.bought, l.own = min(max(l.bought, 0), listLimit), min(max(l.own, 0), listLimit)
	}
}

// isBought is how surely the recipients of late are a list of strangers alone, 0 to 1.
func (l *look) isBought() float32 { return l.slot.list.bought / listLimit }

// isOwn is how surely they are a list of a login's or script's own, 0 to 1.
func (l *look) isOwn() float32 {
	if l.m.Class != osm.Login && l.m.Class != osm.Local {
		return 0
	}
	return l.slot.list.own / listLimit
}
