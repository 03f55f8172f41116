package check

import (
	"context"
	"net"
	"net/netip"

	"github.com/miekg/dns"
)

// The methods below have the names and errors of net.Resolver, for the libraries that take one: no such name is a
// *net.DNSError with IsNotFound, no answer one with IsTemporary.

// records asks for one type at a name.
func (r *Resolver) records(ctx context.Context, name string, kind uint16) (*reply, error) {
	a, err := r.ask(ctx, question{canonical(name), kind}, nil)
	if err != nil {
		return nil, err
	}
	if a.missing {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return a, nil
}

// LookupTXT is like net.Resolver's.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.records(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	return a.texts, nil
}

// LookupMX is like net.Resolver's; Pref tells no more than the order.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := r.records(ctx, name, dns.TypeMX)
	if err != nil {
		return nil, err
	}
	all := make([]*net.MX, len(a.hosts))
	for i, host := range a.hosts {
		all[i] = &net.MX{Host: host, Pref: uint16(i)}
	}
	return all, nil
}

// LookupIPAddr is like net.Resolver's: IPv4 and IPv6. One of them is enough.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	four, err := r.records(ctx, host, dns.TypeA)
	six, err6 := r.records(ctx, host, dns.TypeAAAA)
	if err != nil && err6 != nil {
		return nil, err
	}
	var all []net.IPAddr
	for _, a := range []*reply{four, six} {
		if a != nil {
			for _, ip := range a.addresses {
				all = append(all, net.IPAddr{IP: ip.AsSlice()})
			}
		}
	}
	return all, nil
}

// LookupAddr is like net.Resolver's: the names that an address claims.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, errNoName
	}
	name, err := dns.ReverseAddr(ip.Unmap().String())
	if err != nil {
		return nil, errNoName
	}
	a, err := r.records(ctx, name, dns.TypePTR)
	if err != nil {
		return nil, err
	}
	return a.hosts, nil
}
