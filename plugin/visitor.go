package plugin

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Level is what somebody may do in his panel.
type Level string

const (
	Admin    Level = "admin"
	Reseller Level = "reseller"
	Customer Level = "customer"
)

// Visitor is who stands at a panel's shell.
type Visitor struct {
	Name     string
	Level    Level
	Accounts []string // that he owns, without his own
}

// Door is where somebody comes in.
type Door struct {
	Panel  string   // name of a row of Panels
	Args   []string // what the shell was told
	Getenv func(string) string
	Root   string                      // below which the server's files are; "" is /
	Resold func(owner string) []string // accounts that belong to a reseller
}

// Visitor finds out who it is. The panel tells the name; what he may do stands in its own records, which only root can write.
func (d *Door) Visitor() (Visitor, error) {
	switch d.Panel {
	case "whm":
		return d.whm()
	case "directadmin":
		return d.directAdmin()
	case "hestiacp":
		return d.hestia()
	}
	return Visitor{}, fmt.Errorf("there is no panel called %q", d.Panel)
}

// whm: cpsrvd tells who has signed in. Root, and a reseller with the right "all", may do everything; who is in the file of
// resellers is one; nobody else has a business in WHM.
func (d *Door) whm() (Visitor, error) {
	name, err := clean(d.Getenv("REMOTE_USER"))
	if err != nil {
		return Visitor{}, fmt.Errorf("WHM does not say who has signed in (REMOTE_USER): %w", err)
	}
	if name == "root" {
		return Visitor{Name: name, Level: Admin}, nil
	}
	rights, found, err := d.setting("/var/cpanel/resellers", name, ":")
	if err != nil || !found {
		return Visitor{}, refused(name, err)
	}
	if slices.Contains(strings.Split(rights, ","), "all") {
		return Visitor{Name: name, Level: Admin}, nil
	}
	return d.reseller(name), nil
}

// directAdmin: the shell of each level tells it, and the user's own file must agree: a reseller is a user as well, and an
// administrator a reseller.
func (d *Door) directAdmin() (Visitor, error) {
	told := d.Getenv("USERNAME")
	name, err := clean(told[strings.LastIndexByte(told, '|')+1:]) // admin|bob: an administrator who looks as bob
	if err != nil {
		return Visitor{}, fmt.Errorf("DirectAdmin does not say who has signed in (USERNAME): %w", err)
	}
	kind, found, err := d.setting("/usr/local/directadmin/data/users/"+name+"/user.conf", "usertype", "=")
	if err != nil || !found {
		return Visitor{}, refused(name, err)
	}
	level := ""
	if len(d.Args) == 1 {
		level = d.Args[0]
	}
	switch {
	case level == "admin" && kind == "admin":
		return Visitor{Name: name, Level: Admin}, nil
	case level == "reseller" && (kind == "admin" || kind == "reseller"):
		return d.reseller(name), nil
	case level == "user":
		return Visitor{Name: name, Level: Customer}, nil
	}
	return Visitor{}, refused(name, nil)
}

// hestia: the panel's own page tells the user of its session.
func (d *Door) hestia() (Visitor, error) {
	told := ""
	if len(d.Args) == 1 {
		told = d.Args[0]
	}
	name, err := clean(told)
	if err != nil {
		return Visitor{}, fmt.Errorf("the panel does not say who has signed in: %w", err)
	}
	role, found, err := d.setting("/usr/local/hestia/data/users/"+name+"/user.conf", "ROLE", "=")
	switch {
	case err != nil:
		return Visitor{}, refused(name, err)
	case found && strings.Trim(role, `'"`) == "admin":
		return Visitor{Name: name, Level: Admin}, nil
	}
	return Visitor{Name: name, Level: Customer}, nil
}

func (d *Door) reseller(name string) Visitor {
	return Visitor{Name: name, Level: Reseller, Accounts: d.Resold(name)}
}

func refused(name string, err error) error {
	if err != nil {
		return fmt.Errorf("find out what %q may do: %w", name, err)
	}
	return fmt.Errorf("%q may not come in here", name)
}

// clean is a user's name, which becomes a part of paths.
func clean(name string) (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
	if name == "" || len(name) > 64 || strings.Trim(name, letters) != "" || name[0] == '.' || name[0] == '-' {
		return "", fmt.Errorf("%q is not the name of a user", name)
	}
	return name, nil
}

// setting reads one line, as in key=value, of a file of the panel's.
func (d *Door) setting(path, key, between string) (value string, found bool, err error) {
	f, err := os.Open(filepath.Join("/", d.Root, path))
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), between)
		if ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value), true, nil
		}
	}
	return "", false, lines.Err()
}

// Answer is what a shell prints to send the visitor's browser to an address, or to tell why it does not.
func (d *Door) Answer(address string, err error) string {
	text := ""
	if err != nil {
		text = "osm's page can't be opened: " + err.Error() + "\n"
	}
	switch {
	case d.Panel == "hestiacp" && err == nil:
		return address + "\n"
	case d.Panel == "hestiacp":
		return text
	}
	head := "" // WHM's server makes the first line itself
	if d.Panel == "directadmin" {
		head = "HTTP/1.1 200 OK\r\n"
	}
	head += "Content-Type: text/plain; charset=utf-8\r\n"
	if err == nil {
		head = strings.NewReplacer("200 OK", "303 See Other", "text/plain", "text/html").Replace(head) + "Location: " + address + "\r\n"
		if d.Panel == "whm" {
			head = "Status: 303 See Other\r\n" + head
		}
		text = "<!DOCTYPE html><meta http-equiv=\"refresh\" content=\"0;url=" + address + "\"><a href=\"" + address + "\">osm</a>\n"
	}
	return head + "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n" + text
}

// Link is what WHM's page shows before anybody is signed in: the page behind it opens in a window of its own, as no page may
// show osm inside of itself. It is "" when the visitor is to go on.
func (d *Door) Link() string {
	if d.Panel != "whm" || d.Getenv("QUERY_STRING") == "enter" {
		return ""
	}
	return "Content-Type: text/html; charset=utf-8\r\n\r\n<!DOCTYPE html><title>osm</title>" +
		"<p><a href=\"?enter\" target=\"_blank\" rel=\"noopener\">Open osm: outgoing mail, held mail and what was stopped</a></p>\n"
}
