// Package panel knows who owns what on a hosting server: which account a domain, a mailbox's domain or a folder belongs
// to, and on which plan the account is, from the map files that cPanel, DirectAdmin and HestiaCP keep, or from the
// users' file on a plain server. It only reads files, and only when they have changed.
package panel

import (
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
	root string
	kind Kind
}

// Detect finds out which panel runs on the server whose file system starts at root ("/" but in tests) and reads its maps.
// It does not fail: a map that can't be read is reported by Errors and tried again by Reload.
func Detect(root string) *Panel { return &Panel{root: root} }

// Kind is the panel that was found.
func (p *Panel) Kind() Kind { return p.kind }

// Owner is the account that owns a domain (lower case), "" when none does.
func (p *Panel) Owner(domain string) string { return "" }

// OwnerOfPath is the account in whose home, site or mail folder a path lies, "" when it lies in none.
func (p *Panel) OwnerOfPath(path string) string { return "" }

// Plan is the hosting plan (package) of an account, "" when it has none.
func (p *Panel) Plan(account string) string { return "" }

// Created is when an account was made, the zero time when that is not known.
func (p *Panel) Created(account string) time.Time { return time.Time{} }

// Local tells whether mail for a domain (lower case) is delivered on this server.
func (p *Panel) Local(domain string) bool { return false }

// Complete tells whether the panel lists every local domain, so that one it does not list is not local.
func (p *Panel) Complete() bool { return p.kind != Plain }

// LocalDomains are all domains that are delivered here, sorted.
func (p *Panel) LocalDomains() []string { return nil }

// Reload reads the maps again that have changed since they were read. It tells whether anything is different now. A map
// that can't be read or is damaged keeps its old content; the error is returned and stays in Errors until it is read.
func (p *Panel) Reload(now time.Time) (changed bool, err error) { return false, nil }

// Errors are the maps that can't be read now, in words for osm doctor.
func (p *Panel) Errors() []error { return nil }
