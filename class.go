package osm

import "fmt"

// Class says by which way a message came in: every rule names the classes it counts.
type Class uint8

const (
	NoClass   Class = iota
	Login           // authenticated SMTP
	Local           // a script's local submission (class "script")
	Localhost       // unauthenticated SMTP from this machine
	Relay           // a host that may relay
	Inbound         // from outside, for here
	Forward         // from outside, leaves again
	Bounce          // empty sender
	List            // mailing list
	System          // cron, root, the mail server itself
	classes
)

var classNames = [classes]string{"unknown", "login", "script", "localhost", "relay", "inbound", "forward", "bounce",
	"list", "system"}

func (c Class) String() string { return classNames[c] }

// Classes lists every known class.
func Classes() []Class {
	all := make([]Class, 0, classes-1)
	for c := NoClass + 1; c < classes; c++ {
		all = append(all, c)
	}
	return all
}

// ParseClass is the inverse of Class.String.
func ParseClass(s string) (Class, error) {
	for i, n := range classNames {
		if n == s {
			return Class(i), nil
		}
	}
	return NoClass, fmt.Errorf("unknown class %q: want one of %v", s, classNames[1:])
}

// UnmarshalText reads a class from a config file.
func (c *Class) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClass(string(text))
	return err
}

// MarshalText writes it as String does.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Action is what is done with a message.
type Action uint8

const (
	Accept  Action = iota
	Defer          // try again later (a temporary refusal)
	Hold           // accepted, but kept until it is released
	Reject         // refused for good
	Discard        // accepted and thrown away
	Divert         // sent to another address
	actions
)

var actionNames = [actions]string{"accept", "defer", "hold", "reject", "discard", "divert"}

func (a Action) String() string { return actionNames[a] }

// Severity orders actions by how much they take away from the sender: accept is 0.
func (a Action) Severity() int {
	return [actions]int{Accept: 0, Defer: 1, Divert: 2, Hold: 3, Reject: 4, Discard: 5}[a]
}

// ParseAction is the inverse of Action.String.
func ParseAction(s string) (Action, error) {
	for i, n := range actionNames {
		if n == s {
			return Action(i), nil
		}
	}
	return Accept, fmt.Errorf("unknown action %q: want one of %v", s, actionNames)
}

// UnmarshalText reads an action from a config file.
func (a *Action) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAction(string(text))
	return err
}

// MarshalText writes it as String does.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// KeyKind names what a counter or a list entry is about.
type KeyKind uint8

const (
	NoKey KeyKind = iota
	KeyAccount
	KeyLogin
	KeyUser
	KeyScript
	KeySender
	KeySenderDomain
	KeyRecipient
	KeyRecipientDomain
	KeyClient
	KeyNetwork // IPv4 /24, IPv6 /64
	KeyCountry
	KeyASN
	KeyHelo
	KeySubject
	KeyHost
	keyKinds
)

var keyNames = [keyKinds]string{"", "account", "login", "user", "script", "sender", "sender-domain", "recipient",
	"recipient-domain", "client", "network", "country", "asn", "helo", "subject", "host"}

func (k KeyKind) String() string { return keyNames[k] }

// KeyKinds lists every kind but NoKey.
func KeyKinds() []KeyKind {
	all := make([]KeyKind, 0, keyKinds-1)
	for k := NoKey + 1; k < keyKinds; k++ {
		all = append(all, k)
	}
	return all
}

// ParseKeyKind is the inverse of KeyKind.String.
func ParseKeyKind(s string) (KeyKind, error) {
	for i, n := range keyNames {
		if n == s && i > 0 {
			return KeyKind(i), nil
		}
	}
	return NoKey, fmt.Errorf("unknown key %q: want one of %v", s, keyNames[1:])
}

// UnmarshalText reads a kind of key from a config file; none is NoKey.
func (k *KeyKind) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*k = NoKey
		return nil
	}
	*k, err = ParseKeyKind(string(text))
	return err
}

// MarshalText writes it as String does.
func (k KeyKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Key is one thing that is counted, listed or blocked: a login, a network, a script.
type Key struct {
	Kind  KeyKind `json:"kind"`
	Value string  `json:"value"`
}

func (k Key) String() string {
	if k == (Key{}) {
		return ""
	}
	return k.Kind.String() + ":" + k.Value
}
