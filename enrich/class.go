package enrich

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"osm"
)

// class finds by which way a message came; see the package comment for the order of the reasons.
func (e *Enricher) class(m *osm.Message) osm.Class {
	switch {
	case m.Login != "":
		e.learned.login(domainOf(m.Login))
		return osm.Login
	case !m.Client.IsValid():
		return e.submitted(m)
	case e.ownAddress(m.Client):
		if listSender(m.Sender) && e.local(domainOf(m.Sender)) {
			return osm.List
		}
		return osm.Localhost
	}
	return e.fromOutside(m)
}

// submitted classifies a local submission. Exim's own messages come from no script, though they have a cwd= line.
func (e *Enricher) submitted(m *osm.Message) osm.Class {
	switch role := roleOf(m.User); {
	case role == eximUser:
		m.Script = osm.Script{}
		if m.Sender == "" {
			return osm.Bounce
		}
		return osm.System
	case role == systemUser:
		return osm.System
	case role == listUser:
		return osm.List
	case automaticReply(m):
		m.Script = osm.Script{}
		return osm.Bounce
	case e.cronReport(m):
		return osm.System
	}
	return osm.Local
}

// role is what a unix user is known for by its name.
type role uint8

const (
	noRole role = iota
	eximUser
	systemUser
	listUser
)

// roleOf knows the names that distributions, panels and list managers give: DirectAdmin's Exim runs as mail, cPanel's as
// mailnull.
func roleOf(user string) role {
	switch user {
	case "Debian-exim", "exim", "mailnull", "mail":
		return eximUser
	case "root", "cron", "crond", "crontab":
		return systemUser
	case "list", "mailman", "mailman3", "sympa", "majordomo", "majordom", "ezmlm", "mlmmj", "listserv":
		return listUser
	}
	return noRole
}

// automaticReply recognises what Exim's autoreply transport submits as the user whose filter it runs (spec 34): it
// names the message that it answers, has no sender, and Exim runs it in the spool, where no user's script can be.
func automaticReply(m *osm.Message) bool {
	return m.Sender == "" && m.Parent != "" && strings.HasPrefix(m.Script.Path, "/var/spool/exim")
}

// cronReport recognises the output of a user's cron job, which cron mails as that user to that user. The subject
// could be chosen by anybody, but then the message would go to nobody else.
func (e *Enricher) cronReport(m *osm.Message) bool {
	rest, ok := strings.CutPrefix(m.Subject, "Cron <")
	if !ok || len(m.Recipients) != 1 || m.User == "" {
		return false
	}
	rest, ok = strings.CutPrefix(rest, m.User)
	to := m.Recipients[0]
	if !ok || !strings.HasPrefix(rest, "@") {
		return false
	}
	host, ok := strings.CutPrefix(to, m.User)
	return ok && strings.HasPrefix(host, "@") && e.local(domainOf(to))
}

// listSender recognises the envelope senders of list managers: LIST-bounces@ and LIST-bounces+user=host@ (Mailman),
// LIST-owner@ and LIST-request@ (Sympa, Majordomo), owner-LIST@ (Majordomo), LIST-return-1-user=host@ (ezmlm),
// LIST+bounces-1@ (mlmmj).
func listSender(sender string) bool {
	local, _, ok := strings.Cut(sender, "@")
	if !ok {
		return false
	}
	if strings.HasPrefix(local, "owner-") {
		return true
	}
	local, _, _ = strings.Cut(local, "=")
	for _, word := range [...]string{"-bounces", "-owner", "-request", "-return-", "+bounces-"} {
		if i := strings.Index(local, word); i > 0 {
			rest := local[i+len(word):]
			return rest == "" || rest[0] == '+' || word[len(word)-1] == '-'
		}
	}
	return false
}

// fromOutside classifies unauthenticated SMTP from another host.
func (e *Enricher) fromOutside(m *osm.Message) osm.Class {
	known, foreign := 0, 0
	for _, r := range m.Recipients {
		if e.local(domainOf(r)) {
			known++
		} else {
			foreign++
		}
	}
	relays := within(e.relays, m.Client) || e.learned.relays(m.Client)
	switch {
	case relays && (foreign > 0 || known == 0):
		return osm.Relay
	case foreign > 0 && e.complete:
		return osm.Relay
	case m.Sender == "":
		return osm.Bounce
	}
	return osm.Inbound
}

// ownAddress tells whether an address is this machine's.
func (e *Enricher) ownAddress(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	_, ok := e.addresses[a]
	return ok || within(e.own, a)
}

// account finds whose a message is; see the package comment.
func (e *Enricher) account(m *osm.Message) string {
	switch m.Class {
	case osm.Login:
		if owner := e.ownerOf(domainOf(m.Login)); owner != "" {
			return owner
		}
		return m.Login
	case osm.Local:
		return e.submitter(m)
	case osm.System:
		if roleOf(m.User) == eximUser {
			return ""
		}
		return m.User
	case osm.List:
		return e.ownerOf(domainOf(m.Sender))
	case osm.Inbound:
		if len(m.Recipients) > 0 {
			return e.ownerOf(domainOf(m.Recipients[0]))
		}
	}
	return ""
}

// submitter is the account of a script: the kernel's word for the user counts where the user is a person, and the
// folder's owner where many people's scripts run as one user.
func (e *Enricher) submitter(m *osm.Message) string {
	if e.owners.Person != nil && e.owners.Person(m.User) {
		return m.User
	}
	if m.Script.Path != "" && e.owners.Path != nil {
		if owner := e.owners.Path(m.Script.Path); owner != "" {
			return owner
		}
	}
	return m.User
}

func (e *Enricher) ownerOf(domain string) string {
	if domain == "" || e.owners.Domain == nil {
		return ""
	}
	return e.owners.Domain(domain)
}

// local tells whether mail for a domain is delivered here, as far as that is known.
func (e *Enricher) local(domain string) bool {
	if domain == "" {
		return false
	}
	if len(e.configured) > 0 {
		if _, ok := e.configured[domain]; ok {
			return true
		}
	}
	return e.owners.Local != nil && e.owners.Local(domain) || e.learned.isLocal(domain)
}

// domainOf is the domain of an address in lower case, "" when it has none.
func domainOf(address string) string {
	domain := osm.Domain(address)
	for i := range len(domain) {
		if c := domain[i]; 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf { // seldom
			return strings.ToLower(domain)
		}
	}
	return domain
}
