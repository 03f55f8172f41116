package check

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// canonical is a domain name as it is asked for: small letters, no final dot, internationalised labels in ASCII. What can't
// be a name is returned as it is: the resolver asks nobody for it.
func canonical(name string) string {
	plain := true
	for i := range len(name) {
		if b := name[i]; b >= 0x80 || b >= 'A' && b <= 'Z' || b == '.' && i == len(name)-1 {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii
	}
	return name
}

// registered is the domain that somebody has registered, as lists of domains have it: the public suffix and one label. "" for
// an address, a public suffix itself and a single label.
func registered(name string) string {
	name = canonical(name)
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil || !plainName(domain) {
		return ""
	}
	return domain
}

// reversed writes an address as block lists and reverse lookups want it (RFC 5782 sections 2.1 and 2.4): 192.0.2.1 is
// 1.2.0.192, an IPv6 address 32 single hexadecimal digits.
func reversed(ip netip.Addr) string {
	const hex = "0123456789abcdef"
	ip = ip.Unmap()
	b := make([]byte, 0, 64)
	all := ip.AsSlice()
	for i := len(all) - 1; i >= 0; i-- {
		if len(b) > 0 {
			b = append(b, '.')
		}
		if ip.Is6() {
			b = append(b, hex[all[i]&15], '.', hex[all[i]>>4])
			continue
		}
		if all[i] >= 100 {
			b = append(b, '0'+all[i]/100)
		}
		if all[i] >= 10 {
			b = append(b, '0'+all[i]/10%10)
		}
		b = append(b, '0'+all[i]%10)
	}
	return string(b)
}

// public tells whether an address can be on a public list: not private, loopback, link-local or a documentation's.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}

// shared is the space of carriers' address translation (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")
