package sim

import (
	"fmt"
	"net/netip"
	"strings"
)

// provider is somebody's network: an access provider, a mobile carrier, a hoster.
type provider struct {
	name    string // as in reverse names
	country string
	asn     uint32
	nets    []netip.Addr // first addresses of /16 blocks
}

// client is where an SMTP submission comes from.
type client struct {
	ip      netip.Addr
	host    string
	helo    string
	country string
	asn     uint32
}

// internet is the world's made-up address plan.
type internet struct {
	home    []provider // access providers of the server's country
	mobile  []provider // its carriers: many /24s, one customer in any of them
	foreign []provider // access providers elsewhere
	hosters []provider // rented servers
	mailers []provider // big mail services that submit for their users
}

var countries = [...][]string{Build: strings.Fields("DE FR NL AT CH PL ES IT CZ US BR IN CN RU UA VN TR NG"),
	Held: strings.Fields("GB IE CA AU NZ SE NO FI PT RO BG US ID PK EG ZA KR MX AR")}

// newInternet gives each family its own first octets, so that no network is in both.
func newInternet(d dice, family Family) internet {
	lo, n := 30, 60
	if family == Held {
		lo = 130
	}
	used := map[int]bool{}
	make1 := func(name, country string, blocks int) provider {
		p := provider{name: name, country: country, asn: uint32(1000 + d.IntN(60000))}
		for len(p.nets) < blocks {
			block := (lo+d.IntN(n))<<8 | d.IntN(256)
			if used[block] {
				continue
			}
			used[block] = true
			p.nets = append(p.nets, netip.AddrFrom4([4]byte{byte(block >> 8), byte(block), 0, 0}))
		}
		return p
	}
	many := func(kind string, count, blocks int, country func() string) []provider {
		all := make([]provider, count)
		for i := range all {
			all[i] = make1(fmt.Sprintf("%s%d", kind, i+1), country(), blocks)
		}
		return all
	}
	land := countries[family]
	home := func() string { return land[0] }
	abroad := func() string { return land[1+d.IntN(len(land)-1)] }
	return internet{home: many("dsl", 3+d.IntN(5), 2, home), mobile: many("mobile", 2+d.IntN(2), 1, home),
		foreign: many("cable", 60, 2, abroad), hosters: many("vps", 12, 1, abroad), mailers: many("mailer", 2, 1, abroad)}
}

// addr is any address of the provider.
func (p provider) addr(d dice) netip.Addr {
	a := pick(d, p.nets).As4()
	a[2], a[3] = byte(d.IntN(256)), byte(1+d.IntN(254))
	return netip.AddrFrom4(a)
}

// near is an address in the same /24.
func near(d dice, ip netip.Addr) netip.Addr {
	a := ip.As4()
	a[3] = byte(1 + d.IntN(254))
	return netip.AddrFrom4(a)
}

// at makes a client of an address; most access lines have a reverse name.
func (p provider) at(d dice, ip netip.Addr, helo string) *client {
	c := &client{ip: ip, helo: helo, country: p.country, asn: p.asn}
	if d.chance(0.7) {
		b := ip.As4()
		c.host = fmt.Sprintf("%d-%d-%d-%d.%s.%s.example", b[0], b[1], b[2], b[3], p.name, strings.ToLower(p.country))
	}
	return c
}

// device is one of a person's machines: how it names itself and from where it connects.
type device struct {
	helo   func(d dice, ip netip.Addr) string
	net    provider
	ip     netip.Addr
	moves  float64 // chance that it has another address of the same network when it is next used
	roams  bool    // a phone: any address of the carrier
	where  *client // current
	onlyOn bool    // stays in the same /24 when it moves
}

// connect gives the client of the next session.
func (v *device) connect(d dice) *client {
	switch {
	case v.where == nil:
	case v.roams && d.chance(0.5):
		v.ip = v.net.addr(d)
	case v.onlyOn && d.chance(v.moves):
		v.ip = near(d, v.ip)
	case d.chance(v.moves):
		v.ip = v.net.addr(d)
	default:
		return v.where
	}
	v.where = v.net.at(d, v.ip, v.helo(d, v.ip))
	return v.where
}

// desktop has one name for years.
func (b *builder) desktop(d dice, net provider, ip netip.Addr, moves float64) *device {
	pattern, name := pick(d, b.words.desktopHelos), ""
	if strings.Contains(pattern, "%s") {
		name = fmt.Sprintf(pattern, code(d, 7))
	} else {
		name = fmt.Sprintf(pattern, 2+d.IntN(250))
	}
	same := func(dice, netip.Addr) string { return name }
	return &device{net: net, ip: ip, moves: moves, onlyOn: d.chance(0.5), helo: same}
}

// phone names itself by its current address behind the carrier's translation, or as Apple's client does.
func (b *builder) phone(d dice) *device {
	net, apple := pick(d, b.net.mobile), d.chance(0.5)
	return &device{net: net, ip: net.addr(d), roams: true, helo: func(d dice, _ netip.Addr) string {
		if apple {
			return "smtpclient.apple"
		}
		return fmt.Sprintf("[10.%d.%d.%d]", d.IntN(256), d.IntN(256), d.IntN(256))
	}}
}

// webmail submits from the server itself, authenticated.
func webmail() *device {
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	c := &client{ip: ip, host: "localhost", helo: "localhost"}
	return &device{ip: ip, where: c, helo: func(dice, netip.Addr) string { return "localhost" }}
}

// bots are clients all over the world, each with a name of its own making.
func (b *builder) bots(d dice, n int, hosted float64) []*client {
	all := make([]*client, n)
	for i := range all {
		p := pick(d, b.net.foreign)
		if d.chance(hosted) {
			p = pick(d, b.net.hosters)
		}
		helo := code(d, 8)
		switch d.IntN(4) {
		case 0:
			helo = fmt.Sprintf("[%s]", p.addr(d))
		case 1:
			helo = strings.ToLower(code(d, 6)) + ".local"
		case 2:
			helo = "User"
		}
		all[i] = p.at(d, p.addr(d), helo)
	}
	return all
}
