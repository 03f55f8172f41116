package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"osm/lab"
	"osm/web"
)

// untilAsked waits until osm answers Exim's questions: mail that came before would go its way unasked.
func (d *demo) untilAsked(ctx context.Context, server *lab.Exim, ended <-chan error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", server.PolicySocket()); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// held shows what is held when the mail has stopped, and lets wanted mail that was held go out, as an administrator would.
func (d *demo) held(ctx context.Context, show *picture) error {
	list, err := tell[web.Held](ctx, d.program, http.MethodGet, "held?by=key&list=1000", nil)
	if err != nil {
		return err
	}
	show.headline("the mail has stopped. What is held now (osm held):")
	admin := *d.program // whose commands write into the picture
	var said bytes.Buffer
	admin.out = &said
	if err := admin.writeHeld(&list, false); err != nil {
		return err
	}
	show.Write(said.Bytes())
	if len(list.List) == 0 {
		return nil
	}
	wanted := slices.IndexFunc(list.List, func(m web.HeldOne) bool { return show.wanted(m.ID) })
	if wanted < 0 {
		fmt.Fprintf(show, "\nAll of it is spam. On a server, osm release %s would let one go out, and\n"+
			"osm release --key %s,%s all of this sender's.\n",
			list.List[0].ID, list.List[0].Key.Kind, list.List[0].Key.Value)
		return nil
	}
	m := list.List[wanted]
	show.headline(fmt.Sprintf("%s was held and is wanted: it is let go (osm release %s)", m.ID, m.ID))
	answer, err := tell[web.HeldAnswer](ctx, d.program, http.MethodPost, "held/release",
		web.HeldOrder{What: web.Release, IDs: []string{m.ID}})
	if err != nil {
		return err
	}
	said.Reset()
	if err := admin.writeAnswer(&answer); err != nil {
		return err
	}
	show.Write(said.Bytes())
	show.await(m.ID)
	return nil
}
