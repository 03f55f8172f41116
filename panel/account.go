package panel

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// readCPanelUser reads /var/cpanel/users/NAME. The folder also holds files that are no accounts.
func readCPanelUser(path string) (f facts, err error) {
	name, err := account(filepath.Base(path))
	if err != nil || name == "system" || name == "nobody" || strings.ContainsAny(name, ".~") ||
		strings.HasPrefix(name, "cptkt") {
		return facts{}, nil
	}
	data, err := readFile(path)
	if err != nil {
		return facts{}, err
	}
	v, err := settings(data, "PLAN", "STARTDATE", "CONTACTEMAIL", "LOCALE", "OWNER")
	f.contact(name, Contact{v["CONTACTEMAIL"], v["LOCALE"], v["OWNER"]})
	f.homes = []pair{{"/home/virtfs/" + name, name}} // the jail of cPanel's jailshell
	f.plan(name, v["PLAN"])
	if seconds, bad := strconv.ParseInt(v["STARTDATE"], 10, 64); bad == nil && seconds > 0 {
		f.created = []birth{{name, time.Unix(seconds, 0)}}
	}
	return f, err
}

func (f *facts) plan(account, plan string) {
	if plan = strings.TrimSpace(plan); plan != "" {
		f.plans = append(f.plans, pair{account, plan})
	}
}

func (f *facts) contact(account string, c Contact) {
	c = Contact{strings.TrimSpace(c.Address), strings.TrimSpace(c.Language), strings.TrimSpace(c.Reseller)}
	if c.Reseller == account || c.Reseller == "root" {
		c.Reseller = ""
	}
	if c != (Contact{}) {
		f.contacts = append(f.contacts, reachable{account, c})
	}
}

// owner is the account that a file of DirectAdmin or HestiaCP is about: the name of its folder.
func owner(path string) (string, error) { return account(filepath.Base(filepath.Dir(path))) }

// accountFile reads a file of one account with parse.
func accountFile(path string, parse func(name string, data []byte) (facts, error)) (facts, error) {
	name, err := owner(path)
	if err != nil {
		return facts{}, err
	}
	data, err := readFile(path)
	if err != nil {
		return facts{}, err
	}
	return parse(name, data)
}

func readDirectAdminDomains(path string) (facts, error) {
	return accountFile(path, func(name string, data []byte) (f facts, err error) {
		list, err := domains(data)
		for _, d := range list {
			f.owners = append(f.owners, pair{d, name})
		}
		return f, err
	})
}

func readDirectAdminUser(path string) (facts, error) { return accountFile(path, parseDirectAdminUser) }

func parseDirectAdminUser(name string, data []byte) (f facts, err error) {
	v, err := settings(data, "package", "date_created", "email", "language", "creator")
	f.contact(name, Contact{v["email"], v["language"], v["creator"]})
	f.plan(name, v["package"])
	if at, bad := time.ParseInLocation(time.ANSIC, v["date_created"], time.Local); bad == nil {
		f.created = []birth{{name, at}}
	}
	return f, err
}

func readHestiaUser(path string) (facts, error) { return accountFile(path, parseHestiaUser) }

func parseHestiaUser(name string, data []byte) (f facts, err error) {
	var c Contact
	defer func() { f.contact(name, c) }()
	err = eachLine(data, func(line string) error {
		return eachQuoted(line, func(key, value string) {
			switch key {
			case "PACKAGE":
				f.plan(name, value)
			case "CONTACT":
				c.Address = value
			case "LANGUAGE":
				c.Language = value
			case "DATE":
				if at, bad := time.ParseInLocation(time.DateOnly, value, time.Local); bad == nil {
					f.created = []birth{{name, at}}
				}
			}
		})
	})
	return f, err
}

func readHestiaMail(path string) (facts, error) { return accountFile(path, parseHestiaMail) }

func parseHestiaMail(name string, data []byte) (f facts, err error) {
	f, err = hestiaDomains(name, data)
	for _, o := range f.owners {
		f.local = append(f.local, o.key)
	}
	return f, err
}

func readHestiaWeb(path string) (facts, error) { return accountFile(path, hestiaDomains) }

// hestiaDomains reads one domain a line: DOMAIN='example.org' IP='192.0.2.1' ALIAS='www.example.org,example.com' ...
func hestiaDomains(name string, data []byte) (f facts, err error) {
	err = eachLine(data, func(line string) (bad error) {
		err := eachQuoted(line, func(key, value string) {
			if key != "DOMAIN" && key != "ALIAS" {
				return
			}
			for text := range strings.SplitSeq(value, ",") {
				if text == "" && key == "ALIAS" {
					continue
				}
				d, err := domain(text)
				if err != nil {
					bad = err
					return
				}
				f.owners = append(f.owners, pair{d, name})
			}
		})
		return errors.Join(err, bad)
	})
	return f, err
}
