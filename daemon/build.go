package daemon

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"osm"
	"osm/config"
	"osm/detect"
	"osm/enrich"
	"osm/hold"
	"osm/panel"
	"osm/policy"
	"osm/track"
)

// engineOptions are what differs between the engines of serve, replay and tests.
type engineOptions struct {
	Sink   Sink
	Panel  *panel.Panel                 // nil: nothing is known of accounts but what the log tells
	Lookup func(id string) *osm.Message // where the tracker looks for what it forgot; nil: nowhere
	Logger *slog.Logger
	Keep   bool // what the rules count is saved and restored
}

// newEngine puts the rooms of the pipeline together.
func newEngine(cfg config.Config, o engineOptions) (*Engine, error) {
	var owners enrich.Owners
	var plan func(string) string
	user := func(int) string { return "" }
	if o.Panel != nil {
		owners = enrich.Owners{Domain: o.Panel.Owner, Path: o.Panel.OwnerOfPath, Local: o.Panel.Local, Complete: o.Panel.Complete, Person: o.Panel.Person}
		plan, user = o.Panel.Plan, o.Panel.User
	}
	rules, err := policy.New(policy.Options{Rules: cfg.Rules, Plan: plan, Keep: o.Keep})
	if err != nil {
		return nil, fmt.Errorf("make the rules ready: %w", err)
	}
	return &Engine{
		Track: track.New(track.Options{Config: cfg.Track, Lookup: o.Lookup}),
		Enrich: enrich.New(enrich.Options{Config: cfg.Enrich, Owners: owners, Addresses: ownAddresses(),
			Logger: o.Logger}),
		Detect: detect.New(cfg.Detect),
		Policy: rules,
		Lane:   hold.NewLane(cfg.Hold.FastLane),
		Sink:   o.Sink,
		User:   user,
		Shadow: cfg.Policy.Mode == policy.Shadow,
	}, nil
}

// Close closes what the engine's rooms have open.
func (e *Engine) Close() error { return e.Enrich.Close() }

// ownAddresses are those of this machine's interfaces. None can be had in some containers: then only loopback is known as
// our own, and [enrich] own tells the others.
func ownAddresses() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, ip.Unmap())
			}
		}
	}
	return own
}
