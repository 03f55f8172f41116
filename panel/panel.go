// Package panel knows who owns what on a hosting server: which account a domain or a folder belongs to, which domains'
// mail is delivered here, and on which plan an account is. It reads the map files that cPanel, DirectAdmin and HestiaCP
// keep, or the users' file and the web folders of a plain server, and reads them again only when they have changed. It
// writes nothing and leaves it to enrich to say which of a message's facts is asked.
package panel

import (
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Kind is a hosting panel.
type Kind uint8

const (
	Plain Kind = iota // no panel: accounts are unix users
	CPanel
	DirectAdmin
	Hestia
	kinds
)

var kindNames = [kinds]string{"plain", "cpanel", "directadmin", "hestia"}

func (k Kind) String() string { return kindNames[k] }

// Panel answers who owns what. Its answers may be asked from any goroutine; Reload is called by one at a time.
type Panel struct {
	root    string
	kind    Kind
	sources []source
	files   map[string]*file // what was read, by path below the root
	maps    atomic.Pointer[maps]
}

// maps is what all files together say. It is never changed, only replaced.
type maps struct {
	owners   map[string]string // domain -> account
	homes    map[string]string // folder -> account
	plans    map[string]string
	created  map[string]time.Time
	contacts map[string]Contact
	local    map[string]struct{}
	users    map[uint32]string
	persons  map[string]struct{} // users that are people's, not services'
	errors   []error
}

// Kind is the panel that was found.
func (p *Panel) Kind() Kind { return p.kind }

// Owner is the account that owns a domain (lower case) or the nearest domain above it, "" when none does.
func (p *Panel) Owner(domain string) string {
	owners := p.maps.Load().owners
	for domain != "" {
		if account, ok := owners[domain]; ok {
			return account
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return ""
}

// OwnerOfPath is the account in whose home or site an absolute path lies, "" when it lies in none.
func (p *Panel) OwnerOfPath(file string) string {
	if strings.Contains(file, "/..") {
		file = path.Clean(file)
	}
	homes := p.maps.Load().homes
	for strings.HasPrefix(file, "/") {
		if account, ok := homes[file]; ok {
			return account
		}
		file = file[:strings.LastIndexByte(file, '/')]
	}
	return ""
}

// User is the name of a unix user, "" when nobody has this number.
func (p *Panel) User(uid int) string { return p.maps.Load().users[uint32(uid)] }

// Person tells whether a unix user is a person's or an account's, not a service's.
func (p *Panel) Person(user string) bool {
	_, ok := p.maps.Load().persons[user]
	return ok
}

// Plan is the hosting plan (package) of an account, "" when it has none.
func (p *Panel) Plan(account string) string { return p.maps.Load().plans[account] }

// Created is when an account was made, the zero time when that is not known.
func (p *Panel) Created(account string) time.Time { return p.maps.Load().created[account] }

// Contact is how an account's owner wants to be told something, as he has set it in the panel: its texts are hostile. What
// is not known is "".
type Contact struct {
	Address  string // of mail; cPanel allows several, separated by commas
	Language string // as the panel names it: de, pt-br, en_us
	Reseller string // account that this one belongs to, "" when that is the administrator
}

// Contact is how to reach the owner of an account.
func (p *Panel) Contact(account string) Contact { return p.maps.Load().contacts[account] }

// Local tells whether mail for a domain (lower case) is delivered on this server.
func (p *Panel) Local(domain string) bool {
	_, ok := p.maps.Load().local[domain]
	return ok
}

// Complete tells whether every local domain is known, so that one that is not is not local: a panel lists them all, a
// plain server does not.
func (p *Panel) Complete() bool { return p.kind != Plain && len(p.maps.Load().local) > 0 }

// LocalDomains are all domains that are known to be delivered here, sorted.
func (p *Panel) LocalDomains() []string {
	local := p.maps.Load().local
	domains := make([]string, 0, len(local))
	for d := range local {
		domains = append(domains, d)
	}
	slices.Sort(domains)
	return domains
}

// Errors are the files that can't be read or are damaged, for osm doctor. What such a file said before still holds.
func (p *Panel) Errors() []error { return p.maps.Load().errors }

// Resold lists the accounts that belong to a reseller, sorted. His own is not among them.
func (p *Panel) Resold(reseller string) []string {
	all := []string{}
	for account, c := range p.maps.Load().contacts {
		if c.Reseller == reseller && reseller != "" {
			all = append(all, account)
		}
	}
	slices.Sort(all)
	return all
}
