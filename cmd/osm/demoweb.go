package main

import (
	"context"
	"errors"
	"net"
	"time"

	"osm/access"
	"osm/config"
)

// invitation is how long the demo's address for a browser waits to be used.
const invitation = time.Hour

// freeAddress is the wanted address, or another port where something answers there.
func freeAddress(wanted string) (string, error) {
	l, err := net.Listen("tcp", wanted)
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	return l.Addr().String(), l.Close()
}

// invite is an address that signs a browser in as an administrator, once.
func (d *demo) invite(ctx context.Context, cfg config.Config) (string, error) {
	a := access.New(access.Options{Path: access.Path(cfg.Store.Path), Now: d.now})
	secret, err := a.MakeTicket(ctx, access.Guest{Name: "demo", Role: access.Admin}, invitation, "osm demo")
	return cfg.Web.TicketURL(secret), errors.Join(err, a.Close())
}
