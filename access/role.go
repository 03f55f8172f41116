package access

import (
	"fmt"
	"slices"
	"strings"
)

// Role says what a user is here for. What each may do is web's to say (its table of rights).
type Role string

const (
	Viewer   Role = "viewer"   // sees everything, changes nothing
	Support  Role = "support"  // and releases mail, changes the lists, closes incidents
	Admin    Role = "admin"    // and everything else
	Reseller Role = "reseller" // sees the accounts that are his, and releases their mail
	Customer Role = "customer" // likewise, for his own
)

// Roles lists every role.
func Roles() []Role { return []Role{Viewer, Support, Admin, Reseller, Customer} }

// ParseRole reads a role as people write it.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("unknown role %q: want one of %v", s, Roles())
}

// Bound tells whether who has this role sees only the accounts that are named for him.
func (r Role) Bound() bool { return r != Viewer && r != Support && r != Admin }

// Scope is whose mail may be seen. The zero value is nobody's.
type Scope struct {
	All      bool     `json:"all"`
	Accounts []string `json:"accounts,omitempty"` // hosting accounts, where it is not All
}

// Has tells whether an account's mail may be seen; what belongs to no account only where all may.
func (s Scope) Has(account string) bool {
	return s.All || account != "" && slices.Contains(s.Accounts, account)
}

// ScopeOf is what a user of a role sees.
func ScopeOf(r Role, accounts []string) Scope {
	if !r.Bound() {
		return Scope{All: true}
	}
	return Scope{Accounts: cleanAccounts(accounts)}
}

// cleanAccounts sorts, and leaves out what names nobody.
func cleanAccounts(accounts []string) []string {
	var all []string
	for _, a := range accounts {
		if a = strings.TrimSpace(a); a != "" {
			all = append(all, a)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
