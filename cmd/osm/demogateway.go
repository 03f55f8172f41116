package main

import (
	"context"
	"net/netip"

	"osm/gateway"
	"osm/lab"
)

// stand puts the gateway in front of the private Exim: it has Exim's certificate, and is told by the PROXY protocol who its
// clients are, as Exim is by it.
func stand(cfg *gateway.Config, server *lab.Exim) {
	cfg.Listen, cfg.Upstream, cfg.Name = []string{"127.0.0.1:0"}, []string{server.SMTP().String()}, lab.Host
	cfg.HandOn, cfg.ProxyFrom = gateway.ByProxy, []string{lab.Proxied}
	cfg.Certificate, cfg.Key = server.Certificate()
	cfg.Hold = gateway.HoldExim
}

// entrance tells where the gateway listens.
type entrance chan netip.AddrPort

func newEntrance() entrance { return make(entrance, 1) }

// open is told the gateway's addresses. It must not wait.
func (e entrance) open(at []netip.AddrPort) {
	select {
	case e <- at[0]:
	default: // it was opened before
	}
}

// use lets the town send by the gateway, as soon as it listens.
func (e entrance) use(ctx context.Context, server *lab.Exim, ended <-chan error) error {
	select {
	case at := <-e:
		server.Behind(at)
		return nil
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}
