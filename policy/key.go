package policy

import (
	"iter"
	"net/netip"
	"strconv"
	"strings"

	"osm"
)

// Value is what a message counts under for one kind of key, in the form that lists and limits compare: "" when the
// message has none. Kinds of which a message can have several (recipients) give the first: see Values.
func Value(m *osm.Message, kind osm.KeyKind) string {
	for v := range Values(m, kind) {
		return v
	}
	return ""
}

// Values gives every value of one kind of key that a message has.
func Values(m *osm.Message, kind osm.KeyKind) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch kind {
		case osm.KeyRecipient, osm.KeyRecipientDomain:
			for _, r := range m.Recipients {
				if kind == osm.KeyRecipientDomain {
					r = osm.Domain(r)
				}
				if !yield(strings.ToLower(r)) {
					return
				}
			}
		default:
			if v := single(m, kind); v != "" {
				yield(v)
			}
		}
	}
}

func single(m *osm.Message, kind osm.KeyKind) string {
	switch kind {
	case osm.KeyAccount:
		return m.Account
	case osm.KeyLogin:
		return strings.ToLower(m.Login)
	case osm.KeyUser:
		return m.User
	case osm.KeyScript:
		return m.Script.Path
	case osm.KeySender:
		return strings.ToLower(m.Sender)
	case osm.KeySenderDomain:
		return strings.ToLower(osm.Domain(m.Sender))
	case osm.KeyClient:
		return address(m.Client)
	case osm.KeyNetwork:
		return network(m.Client)
	case osm.KeyCountry:
		return m.Country
	case osm.KeyASN:
		if m.ASN != 0 {
			return strconv.FormatUint(uint64(m.ASN), 10)
		}
	case osm.KeyHelo:
		return strings.ToLower(m.Helo)
	case osm.KeySubject:
		return m.Subject
	case osm.KeyHost:
		return strings.ToLower(m.ClientHost)
	}
	return ""
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

// network is the unit that one person or one bot usually holds: an IPv4 /24, an IPv6 /64.
func network(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap()
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
