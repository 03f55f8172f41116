package panel

import (
	"os"
	"path/filepath"
	"slices"
	"time"
)

// marks are the paths by which a panel is known. The first kind that has one of its marks counts.
var marks = []struct {
	kind  Kind
	paths []string
}{
	{CPanel, []string{"usr/local/cpanel", "var/cpanel/users", "etc/userdomains"}},
	{DirectAdmin, []string{"usr/local/directadmin", "etc/virtual/domainowners"}},
	{Hestia, []string{"usr/local/hestia"}},
}

// sourcesOf are the maps of each kind, the most trusted first. The owner of a home counts for every kind.
var sourcesOf = [kinds][]source{
	Plain: {
		{pattern: "etc/passwd", needed: true, read: mapFile(parsePasswd)},
		{pattern: "etc/mailname", read: mapFile(parseDomains)},
		{pattern: "etc/exim4/update-exim4.conf.conf", read: mapFile(parseDebian)},
		{pattern: "var/www", read: readSites},
		{pattern: "var/www/vhosts", read: readSites},
		{pattern: "srv/www", read: readSites},
	},
	CPanel: {
		{pattern: "etc/passwd", needed: true, read: mapFile(parsePasswd)},
		{pattern: "etc/userdomains", needed: true, read: mapFile(parseOwners)},
		{pattern: "etc/trueuserdomains", read: mapFile(parseOwners)},
		{pattern: "etc/localdomains", needed: true, read: mapFile(parseDomains)},
		{pattern: "etc/remotedomains", read: mapFile(parseRemote)},
		{pattern: "var/cpanel/users/*", read: readCPanelUser},
	},
	DirectAdmin: {
		{pattern: "etc/passwd", needed: true, read: mapFile(parsePasswd)},
		{pattern: "etc/virtual/domainowners", needed: true, read: mapFile(parseOwners)},
		{pattern: "etc/virtual/domains", needed: true, read: mapFile(parseDomains)},
		{pattern: "usr/local/directadmin/data/users/*/domains.list", read: readDirectAdminDomains},
		{pattern: "usr/local/directadmin/data/users/*/user.conf", read: readDirectAdminUser},
	},
	Hestia: {
		{pattern: "etc/passwd", needed: true, read: mapFile(parsePasswd)},
		{pattern: "usr/local/hestia/data/users/*/mail.conf", read: readHestiaMail},
		{pattern: "usr/local/hestia/data/users/*/web.conf", read: readHestiaWeb},
		{pattern: "usr/local/hestia/data/users/*/user.conf", read: readHestiaUser},
		{pattern: "etc/exim4/domains", read: readNames},
		{pattern: "etc/exim/domains", read: readNames},
	},
}

// Detect finds out which panel runs on the server whose file system starts at root ("/" but in tests).
func Detect(root string) Kind {
	for _, m := range marks {
		for _, path := range m.paths {
			if _, err := os.Stat(filepath.Join(root, path)); err == nil {
				return m.kind
			}
		}
	}
	return Plain
}

// Open reads the maps of the panel that the configuration names, on the server whose file system starts at root. It
// does not fail: a map that can't be read is told by Errors and tried again by Reload.
func Open(c Config, root string, now time.Time) *Panel {
	kind := Kind(max(slices.Index(kindNames[:], c.Kind), 0))
	if c.Kind == auto {
		kind = Detect(root)
	}
	p := &Panel{root: root, kind: kind, sources: sourcesOf[kind], files: map[string]*file{}}
	_, _ = p.Reload(now) // what failed is in Errors
	return p
}
