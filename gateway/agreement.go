package gateway

import "slices"

// agreement is the last MAIL that the upstream has accepted from this client, and its words. When the client says it again,
// the answer is known, and the command goes to the upstream with the one that follows it (RFC 2920): one exchange less for
// each message of a client that sends many. Should the upstream change its mind, it is the next command that is refused.
type agreement struct {
	up     *upstream
	from   path
	answer []byte
}

// foretells tells whether the upstream has accepted this sender before. SIZE, which the gateway has looked at, may differ.
func (a *agreement) foretells(l *link, from *path) bool {
	return a.up == l.up && a.from.text == from.text && l.has("PIPELINING") &&
		slices.EqualFunc(a.from.params, from.params, func(x, y param) bool { return x == y || x.key == "SIZE" && y.key == "SIZE" })
}

func (a *agreement) note(up *upstream, from path, answer []byte) {
	a.up, a.from, a.answer = up, from, append(a.answer[:0], answer...)
}

// answeredAll tells whether the client has all answers, though the upstream may not have heard of the last command.
func (s *session) answeredAll() bool {
	return len(s.queue) == 0 || len(s.queue) == 1 && s.queue[0].told
}
