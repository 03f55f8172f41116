package detect

import (
	"net/netip"
	"strings"

	"osm"
	"osm/window"
)

// look is one message as the detector sees it: hashed, compared with its sender's past, and weighed. Find fills it and
// Learn uses it again.
type look struct {
	*Prints
	m       *osm.Message
	id      string
	now     window.Seconds
	s       *sender
	slot    *evidence
	account uint64
	owner   *account // the account's record; nil where there is no account

	network, wide, provider, client, helo, from, subject, country *attr // nil where the message has none

	newNetwork bool // this very message is the first with it
	newFrom    bool
	newClient  bool
	newHelo    bool
	newSubject bool
	own        bool    // the device names itself as one the sender has used before
	private    *attr   // its private address, when that is its name and not a habit yet
	again      bool    // its subject is new to the sender and was seen just before
	fresh      float32 // recipients never mailed before, weighed
	unknown    int     // of these, how many nobody here ever mailed
	weights    [facts]float32
	strange    bool
	odd        bool    // it comes from a network or under a HELO name that is not a habit
	confident  float32 // how much of the sender's past is known, 0 to 1
	calm       bool    // nothing is suspicious with this message
	charged    bool
}

// What the set of known pairs holds beside recipients, each under a hash of its own.
const (
	knownDomain  = 1 + iota // envelope sender domains of a sender or an account
	knownSubject            // templates of an account
	knownNetwork            // networks of an account
	knownSender             // envelope senders of a sender
	knownDead               // recipients of a sender that do not exist
	anyDomain               // envelope sender domains of all accounts
	sharedDomain            // those in which several accounts write
)

const seed = 0x6f736d // "osm": hashes are the same after a restart

func hashText(s string) uint64 { return window.Hash(seed, s) }

// hashAddr hashes an address and what it is part of: the neighbourhood from which a provider gives out changing addresses (IPv4
// /16, IPv6 /32), the network (/24, /48) and the client (the address; IPv6 /64, since privacy addresses change within it).
func hashAddr(a netip.Addr) (wide, network, client uint64) {
	ends, b, i := [...]int{32, 48, 64}, a.As16(), 0
	if a.Unmap().Is4() {
		ends = [...]int{16 + 96, 24 + 96, 32 + 96}
	}
	var h uint64 = seed
	var hashes [len(ends)]uint64
	for n, end := range ends {
		for ; i < end/8; i++ {
			h = h<<8 ^ h>>56 ^ uint64(b[i])*0x9e3779b97f4a7c15
		}
		hashes[n] = window.Pair(h, uint64(end))
	}
	return hashes[0], hashes[1], hashes[2]
}

// hashProvider names the owner of the network: by its number, or else by the end of the client's verified reverse name. 0
// when neither is known.
func hashProvider(m *osm.Message) uint64 {
	if m.ASN != 0 {
		return window.Pair(uint64(m.ASN), 9)
	}
	name := strings.TrimSuffix(m.ClientHost, ".")
	at := strings.LastIndexByte(name, '.')
	if at <= 0 {
		return 0
	}
	at = strings.LastIndexByte(name[:at], '.')
	if len(name)-at-1 <= 6 && at > 0 { // co.uk and the like
		at = strings.LastIndexByte(name[:at], '.')
	}
	return window.Pair(hashText(name[at+1:]), 9)
}

func hashClient(a netip.Addr) uint64 {
	_, _, client := hashAddr(a)
	return client
}

// hashHelo treats names that hold an address as a few kinds: they follow the network, which is weighed by itself.
func hashHelo(s string, client netip.Addr) uint64 {
	if s == "" {
		return 1
	}
	if s[0] == '[' {
		return heloLiteral(s, client)
	}
	digits := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			digits++
		}
	}
	if digits >= 6 && digits*3 >= len(s) {
		return 2
	}
	return hashText(s) | 8
}

const heloPrivate = 4

// heloLiteral tells apart what a device behind a router says (a private address), what one without says (its own), and
// what neither says.
func heloLiteral(s string, client netip.Addr) uint64 {
	s = strings.TrimPrefix(strings.Trim(s, "[]"), "IPv6:")
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return 3
	case a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is6():
		return heloPrivate
	case a == client.Unmap():
		return 5
	}
	return 6
}

// charge says whose message it is. Mail without a login from this machine or a relayed host is charged to the domain in
// whose name it is written, where that is one of ours, else to the host. What came from outside, bounces and what is forwarded is nobody's here.
func charge(m *osm.Message, ours bool) (kind osm.KeyKind, value string, ok bool) {
	switch m.Class {
	case osm.Login:
		if m.Login != "" {
			return osm.KeyLogin, m.Login, true
		}
	case osm.Local, osm.System:
		return chargeLocal(m)
	case osm.Localhost, osm.Relay:
		if ours {
			return osm.KeySenderDomain, domainOf(m.Sender), true
		}
		return osm.KeyClient, "", m.Client.IsValid()
	case osm.List:
		if m.Sender != "" {
			return osm.KeySender, m.Sender, true
		}
	default:
		return osm.NoKey, "", false
	}
	if m.Account != "" {
		return osm.KeyAccount, m.Account, true
	}
	return osm.NoKey, "", false
}

func chargeLocal(m *osm.Message) (osm.KeyKind, string, bool) {
	switch {
	case m.Script.Path != "" && m.Script.Path != "/":
		return osm.KeyScript, m.Script.Path, true
	case m.User != "":
		return osm.KeyUser, m.User, true
	case m.Account != "":
		return osm.KeyAccount, m.Account, true
	}
	return osm.NoKey, "", false
}

func hashKey(m *osm.Message, kind osm.KeyKind, value string) uint64 {
	if kind == osm.KeySenderDomain { // apart for each host
		return window.Pair(window.Pair(hashText(value), hashClient(m.Client)), uint64(kind))
	}
	if kind == osm.KeyClient {
		return window.Pair(hashClient(m.Client), uint64(kind))
	}
	h := window.Pair(hashText(value), uint64(kind))
	if kind == osm.KeyScript && !strings.HasPrefix(value, "/home") { // a shared folder: apart for each user
		h = window.Pair(h, hashText(m.User))
	}
	return h
}

// hashSender is the envelope sender without what programs write into it for every recipient or message: VERP
// (bounce+user=example.org@list.example) and BATV (prvs=0123abcdef=user@example.org).
func hashSender(address string) uint64 {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || strings.IndexByte(address[:at], '=') < 0 {
		return hashText(address)
	}
	local := address[:at]
	if strings.HasPrefix(local, "prvs=") {
		local = local[strings.LastIndexByte(local, '=')+1:]
	} else if i := strings.IndexAny(local, "+=-"); i > 0 {
		local = local[:i]
	}
	return window.Pair(hashText(local), hashText(address[at+1:]))
}

func domainOf(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}

// uploadPath is how surely a folder is one in which intruders can write and nothing should run, 0 to 1. Programs do keep
// compiled pages of their own in caches.
func uploadPath(path string) (sure float32) {
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "uploads", "upload", "tmp", "temp", "images", "img", "files", "media", "fonts", "css", "shm", "sess", "sessions",
			"pictures", "photos", "thumbs":
			return 1
		case "cache", "assets", "logs", "backup", "backups":
			sure = 0.4
		}
		if len(part) > 1 && part[0] == '.' && part != ".." {
			return 1
		}
	}
	return sure
}
