package detect

import (
	"osm"
	"osm/window"
)

// Prints are the hashes of what a message bears by itself, whoever it belongs to. They can be read before the message's turn, and on another
// processor, to spare Find the work.
type Prints struct {
	id, login, sender, domain, helo uint64 // domain is that of the envelope sender
	network, wide, provider, client uint64
	to                              []uint64 // recipients
	subject
}

// Read hashes a message.
func (p *Prints) Read(m *osm.Message) {
	*p = Prints{to: p.to[:0], id: hashText(m.ID), domain: hashText(domainOf(m.Sender))}
	if m.Login != "" {
		p.login = hashText(m.Login)
	}
	if m.Sender != "" {
		p.sender = hashSender(m.Sender)
	}
	for _, r := range m.Recipients {
		p.to = append(p.to, hashText(r))
	}
	if m.HasSubject {
		p.subject.read(m.Subject)
	}
	if !m.Client.IsValid() {
		return
	}
	p.wide, p.network, p.client = hashAddr(m.Client)
	p.provider = hashProvider(m)
	if m.Helo != "" {
		p.helo = hashHelo(m.Helo, m.Client)
	}
}

// who reads what tells whose a message is. All else is left as it was.
func (p *Prints) who(m *osm.Message) {
	switch {
	case m.Login != "":
		p.login = hashText(m.Login)
	case m.Class == osm.Localhost || m.Class == osm.Relay:
		p.domain = hashText(domainOf(m.Sender))
	}
}

// key is the hash of the sender that a message is charged to.
func (p *Prints) key(m *osm.Message, kind osm.KeyKind, value string) uint64 {
	if kind == osm.KeyLogin {
		return window.Pair(p.login, uint64(kind))
	}
	return hashKey(m, kind, value)
}

// account is the hash of the owner of a message.
func (p *Prints) account(m *osm.Message) uint64 {
	h := p.login
	if m.Account != m.Login {
		h = hashText(m.Account)
	}
	return window.Pair(h, uint64(osm.KeyAccount))
}
