// Package enrich adds to a message what its log lines do not say: by which way it came (its class), whose it is (the
// account), where its client stands (country, autonomous system), and, for each attempt at delivery, whether it left
// this server and why it was refused. It reads local files only and decides nothing. It leaves to others who owns
// what (panel) and what a class or a refusal is worth (detect, policy).
//
// # Classes
//
// The first reason that holds gives the class. What a sender may choose himself (an empty sender, a subject, a sender
// that looks like a list's) never takes a message out of the classes login, script and relay.
//
//	login      it has an authenticated id, whatever its sender
//	bounce     submitted by Exim's own user with an empty sender; or by anybody's automatic reply that Exim itself ran
//	system     submitted by Exim's own user, root or cron; or cron's report to the user whose job it was
//	list       submitted by a list manager's user
//	script     any other local submission
//	list       unauthenticated from this machine, with a list's envelope sender (LIST-bounces@) in a domain of ours
//	localhost  unauthenticated from this machine: loopback, an interface's address, [enrich] own
//	relay      unauthenticated from a host of [enrich] relays, or one that has relayed before, and not only for local
//	           domains; or from anywhere for a domain that the panel does not list as local
//	bounce     from outside with an empty sender
//	inbound    from outside
//
// A delivery may refine an inbound message: it becomes forward when a recipient was redirected and the result left
// this server, and relay when the envelope's recipient itself did. Mail handed on to a private address, or for a
// domain known as local, is still inbound: that is a gateway in front of another server.
//
// Local domains are those of the panel, of [enrich] domains, and those learned from deliveries of mail from outside
// and, until one is seen to be delivered elsewhere, from the logins' own domains.
//
// # Accounts
//
//	login              the owner of the login's domain, else the login itself
//	script             the unix user where it is a person's; else (a web server's user) the owner of the script's
//	                   folder, else the user
//	system             the unix user; Exim's own mail has no account
//	list               the owner of the list's domain
//	inbound, forward   the owner of the recipient's domain: whom it is for, not who is to blame
//	localhost, relay   none: nothing but the sender's word says who it was
package enrich

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"osm"
)

// Owners answers whose a domain or a path is: the panel room's answers. A nil function answers nothing.
type Owners struct {
	Domain   func(domain string) string // account that owns a domain (lower case); "" when unknown
	Path     func(path string) string   // account that owns a file or folder; "" when unknown
	Local    func(domain string) bool   // mail for the domain (lower case) is delivered here
	Complete func() bool                // what Local does not know is not local
	Person   func(user string) bool     // a unix user is a person's, not a service's
}

// Options are what an Enricher needs from outside.
type Options struct {
	Config    Config
	Owners    Owners
	Addresses []netip.Addr // this server's own addresses, besides the loopback ones
	Logger    *slog.Logger // nil is silence
}

// Enricher holds what is learned and the databases that are asked. It must not be shared between goroutines.
type Enricher struct {
	owners     Owners
	complete   bool // Owners.Complete as of the last Reload
	addresses  map[netip.Addr]struct{}
	own        []netip.Prefix
	relays     []netip.Prefix
	configured map[string]struct{} // domains
	learned    learned
	places     *places
	refusals   *classifier
}

// New opens what the configuration names. A database that is missing or damaged is reported by Notices and tried again
// at every Reload: it is never a reason not to run.
func New(o Options) *Enricher {
	e := &Enricher{
		owners:     o.Owners,
		addresses:  make(map[netip.Addr]struct{}, len(o.Addresses)),
		own:        prefixes(o.Config.Own),
		relays:     prefixes(o.Config.Relays),
		configured: make(map[string]struct{}, len(o.Config.Domains)),
		learned:    newLearned(),
		places:     newPlaces(o.Config, o.Logger),
		refusals:   newClassifier(),
	}
	for _, a := range o.Addresses {
		e.addresses[a.Unmap().WithZone("")] = struct{}{}
	}
	for _, d := range o.Config.Domains {
		e.configured[strings.ToLower(d)] = struct{}{}
	}
	e.Reload(time.Time{})()
	return e
}

// prefixes reads networks that Config.Check has accepted.
func prefixes(list []string) (all []netip.Prefix) {
	for _, text := range list {
		if p, err := parsePrefix(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Reload reads every database again that has changed, which may take a while. It changes nothing: what it returns puts
// them to use, and is called by the goroutine that owns e. One goroutine at a time may reload.
func (e *Enricher) Reload(now time.Time) (use func()) {
	places := e.places.reload(now)
	return func() {
		e.complete = e.owners.Complete != nil && e.owners.Complete()
		places()
	}
}

// Notices are what is missing or damaged now, in words for osm doctor.
func (e *Enricher) Notices() []string { return e.places.notices() }

// Close closes the databases.
func (e *Enricher) Close() error { return e.places.close() }

// Message sets the Class, Account, Country and ASN of a message that has just arrived.
func (e *Enricher) Message(m *osm.Message) {
	m.Class = e.class(m)
	m.Account = e.account(m)
	e.places.find(m)
}

// Delivery sets Remote and Refusal of one attempt, refines the Class of its message, and learns from it which domains
// are local and which hosts relay.
func (e *Enricher) Delivery(m *osm.Message, d *osm.Delivery) {
	d.Remote = e.remote(d)
	e.refusal(m, d)
	if d.Remote {
		e.leaves(m, d, domainOf(d.Original))
		return
	}
	outside := m.Client.IsValid() && m.Login == "" && !e.ownAddress(m.Client)
	if outside && d.Outcome == osm.Delivered && d.Transport != "" {
		if domain := domainOf(d.Original); domain != "" {
			e.learned.delivered(domain)
		}
	}
}

// Refusal sets the Refusal of an attempt as far as its text and its recipient tell. Any goroutine may call it, to spare
// Delivery the work.
func (e *Enricher) Refusal(d *osm.Delivery) {
	if d.Outcome == osm.Deferred || d.Outcome == osm.Failed {
		d.Refusal = e.refusals.kind(d.Text, [2]string{domainOf(d.Recipient), ""})
	}
}

// refusal sets the Refusal of an attempt, anew where the sender's own domain is among the words.
func (e *Enricher) refusal(m *osm.Message, d *osm.Delivery) {
	if d.Outcome != osm.Deferred && d.Outcome != osm.Failed {
		d.Refusal = osm.NotRefused
		return
	}
	if own := osm.Domain(m.Sender); d.Refusal == osm.NotRefused || own != "" && mentions(d.Text, own) {
		d.Refusal = e.refusals.kind(d.Text, [2]string{domainOf(d.Recipient), domainOf(m.Sender)})
	}
}

// leaves refines the class of a message of which one recipient is delivered elsewhere.
func (e *Enricher) leaves(m *osm.Message, d *osm.Delivery, domain string) {
	redirected := domain != "" && d.Original != d.Recipient && !strings.EqualFold(d.Original, d.Recipient)
	if redirected {
		if m.Class == osm.Inbound {
			m.Class = osm.Forward
			m.Account = e.ownerOf(domain)
		}
		return
	}
	if domain == "" || d.IP.IsPrivate() { // a system filter's copy; a gateway in front of another server of the same place
		return
	}
	e.learned.elsewhere(domain)
	if m.Class == osm.Inbound && !e.local(domain) {
		m.Class, m.Account = osm.Relay, ""
		e.learned.relayed(m.Client)
	}
}

// remote tells whether an attempt was to leave this server: by a transport that speaks to a host and is none of
// delivery. Where it did not come to a conversation, the transport is known from attempts before.
func (e *Enricher) remote(d *osm.Delivery) bool {
	if d.Transport == "" {
		return false
	}
	if !d.IP.IsValid() {
		return e.learned.isRemote(d.Transport)
	}
	if e.learned.isRemote(d.Transport) {
		return true
	}
	if deliversHere(d.Transport) {
		return false
	}
	e.learned.remoteTransport(d.Transport)
	return true
}

// deliversHere tells from the name of a transport that it hands mail to a mailbox of this server though it connects
// to an address: LMTP to the IMAP server, or SMTP to another process here.
func deliversHere(transport string) bool {
	t := strings.ToLower(transport)
	for _, word := range [...]string{"lmtp", "autoreply", "address_pipe", "address_file", "local"} {
		if strings.Contains(t, word) {
			return word != "local" || !strings.Contains(t, "nonlocal") && !strings.Contains(t, "non_local")
		}
	}
	return false
}
