// Package enrich adds to a message what its log lines do not say: its class, whose it is, and where its client stands.
package enrich

import (
	"log/slog"
	"net/netip"
	"time"

	"osm"
)

// Owners answers whose a domain or a path is: the panel room's answers. A nil function answers nothing.
type Owners struct {
	Domain   func(domain string) string // account that owns a domain (lower case); "" when unknown
	Path     func(path string) string   // account that owns a file or directory; "" when unknown
	Local    func(domain string) bool   // mail for the domain (lower case) is delivered here
	Complete func() bool                // what Local does not know is not local
}

// Options are what an Enricher needs from outside.
type Options struct {
	Config    Config
	Owners    Owners
	Addresses []netip.Addr // this server's own addresses, besides the loopback ones
	Passwd    string       // path of the users' file; "" is /etc/passwd
	Logger    *slog.Logger // nil is silence
}

// Enricher holds what is learned and the files that are asked. It must not be shared between goroutines.
type Enricher struct {
	options Options
}

// New opens what the configuration names. A file that is missing or damaged is reported by Notices and tried again at
// every Reload: it is never a reason not to run.
func New(o Options) *Enricher { return &Enricher{options: o} }

// Message sets the Class, Account, Country and ASN of a message that has just arrived.
func (e *Enricher) Message(m *osm.Message) {}

// Delivery sets Remote and Refusal of one attempt, refines the Class of its message, and learns which domains are local.
func (e *Enricher) Delivery(m *osm.Message, d *osm.Delivery) {}

// Reload reads every file again that has changed. It is called from time to time by the goroutine that owns e.
func (e *Enricher) Reload(now time.Time) {}

// Notices are what is missing or damaged now, in words for osm doctor.
func (e *Enricher) Notices() []string { return nil }

// Close closes the databases.
func (e *Enricher) Close() error { return nil }
