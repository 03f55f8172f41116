package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"osm"
)

// dnsbl looks up clients and domains in block lists.
type dnsbl struct {
	cfg   DNSBLConfig
	lists []*list
	k     *one
}

func (c *Checks) newDNSBL(cfg DNSBLConfig) *dnsbl {
	d := &dnsbl{cfg: cfg}
	for _, l := range cfg.Lists {
		d.lists = append(d.lists, c.newList(l, time.Duration(cfg.Deadline)))
	}
	return d
}

// row is its row of the table; limit is how much of a message is read for its links. Each list has a guard of its own: a dead one does not silence the others.
func (d *dnsbl) row(limit int64, g *guard) *one {
	d.k = &one{name: "dnsbl", settings: d.cfg.Common, from: AtConnect, guard: g, look: d.look, quick: d.quick}
	for _, l := range d.lists {
		if slices.Contains(l.Of, OfLink) {
			d.k.content = limit
		}
	}
	return d.k
}

// item is one thing that is looked up.
type item struct{ of, value, entry string }

// items are what is known of a message at its stage that lists have entries for, without its links.
func (d *dnsbl) items(r *Request) []item {
	m := r.Message
	all := make([]item, 0, 4)
	add := func(of, name string) {
		if !slices.ContainsFunc(d.lists, func(l *list) bool { return slices.Contains(l.Of, of) }) {
			return
		}
		if domain := registered(name); domain != "" {
			all = append(all, item{of, domain, domain})
		}
	}
	if m.Client.IsValid() && public(m.Client) {
		all = append(all, item{OfClient, m.Client.Unmap().String(), reversed(m.Client)})
	}
	add(OfHelo, m.Helo)
	if r.Stage >= AtMail {
		add(OfSender, osm.Domain(m.Sender))
	}
	return all
}

// wantsLinks tells whether the links of a message are looked up.
func (d *dnsbl) wantsLinks(r *Request) bool {
	return r.Stage >= AtData && r.Content != nil && d.k.content > 0
}

// links are the domains of a message's links.
func (d *dnsbl) links(hosts []string) (all []item) {
	for _, host := range hosts {
		if len(all) >= d.cfg.MostLinks {
			break
		}
		if domain := registered(host); domain != "" && !slices.ContainsFunc(all, func(i item) bool { return i.value == domain }) {
			all = append(all, item{OfLink, domain, domain})
		}
	}
	return all
}

// takes tells whether a list has entries of this kind. A name that is too long for a question is on no list.
func (l *list) takes(i *item) bool {
	return slices.Contains(l.Of, i.of) && len(i.entry)+1+len(l.Zone) <= longestName
}

// ignored are the meanings that say nothing about this message's client. At the connection nobody has logged in yet.
func (l *list) ignored(r *Request) []string {
	if r.Message.Login != "" || r.Stage == AtConnect {
		return l.LoginIgnores
	}
	return nil
}

// quick answers when every list's answer is in memory. Links are known when the content has been read.
func (d *dnsbl) quick(r *Request, o *osm.Opinions) bool {
	if d.wantsLinks(r) {
		return false
	}
	items := d.items(r)
	for _, l := range d.lists {
		for _, i := range items {
			if !l.takes(&i) {
				continue
			}
			found, ok := l.known(i.entry)
			if !ok {
				*o = osm.Opinions{}
				return false
			}
			if len(found) > 0 {
				o.Listings = append(o.Listings, l.listings(i.of, i.value, found, l.ignored(r))...)
			}
		}
	}
	d.conclude(o)
	return true
}

type looked struct {
	list  *list
	item  item
	found []meaning
	err   error
}

// look asks all lists about all that is known, at once. One that fails leaves what the others say.
func (d *dnsbl) look(ctx context.Context, r *Request, o *osm.Opinions) error {
	answers := make(chan looked)
	asked := 0
	ask := func(items []item) {
		for _, l := range d.lists {
			for _, i := range items {
				if l.takes(&i) {
					asked++
					go func() {
						found, err := l.look(ctx, i.entry)
						answers <- looked{l, i, found, err}
					}()
				}
			}
		}
	}
	ask(d.items(r))
	var errs []error
	if d.wantsLinks(r) {
		read, err := r.reading.wait(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("the links are not known: %w", err))
		}
		ask(d.links(read.links))
	}
	for range asked {
		a := <-answers // every one of them ends with ctx
		if a.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.list.Zone, a.err))
		}
		o.Listings = append(o.Listings, a.list.listings(a.item.of, a.item.value, a.found, a.list.ignored(r))...)
	}
	d.conclude(o)
	return errors.Join(errs...)
}

// conclude sums up what was found.
func (d *dnsbl) conclude(o *osm.Opinions) {
	if len(o.Listings) == 0 {
		return
	}
	// The heaviest first: it is what the sender is told.
	slices.SortStableFunc(o.Listings, func(a, b osm.Listing) int { return cmp.Compare(b.Weight, a.Weight) })
	for i := range o.Listings { // what one list says of one thing counts once, by its heaviest meaning
		l := &o.Listings[i]
		if !slices.ContainsFunc(o.Listings[:i], func(b osm.Listing) bool { return b.List == l.List && b.Value == l.Value }) {
			o.Weight += l.Weight
		}
	}
	if o.Weight >= d.cfg.Weight {
		evidence := make([]osm.Finding, len(o.Listings))
		for i := range o.Listings {
			evidence[i] = osm.Finding{Fact: "dnsbl", Value: text(&o.Listings[i]), Weight: o.Listings[i].Weight}
		}
		d.k.speak(o, "dnsbl", evidence[0].Value, charged(&o.Listings[0]), evidence...)
	}
}

// charged is whom a listing is about; nobody is to blame for a link but who the detection finds.
func charged(l *osm.Listing) osm.Key {
	switch l.Of {
	case OfClient:
		return osm.Key{Kind: osm.KeyClient, Value: l.Value}
	case OfHelo:
		return osm.Key{Kind: osm.KeyHelo, Value: l.Value}
	case OfSender:
		return osm.Key{Kind: osm.KeySenderDomain, Value: l.Value}
	}
	return osm.Key{}
}
