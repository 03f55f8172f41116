package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"osm"
)

// PanelWay is what a panel does with a suspended sender's mail.
type PanelWay string

const (
	PanelSuspends PanelWay = "suspend" // refuses it
	PanelHolds    PanelWay = "hold"    // keeps it in the queue
)

// panelCommand is what one panel offers for one kind of sender. In arguments, {account} is the panel's account,
// {address} a mailbox and {local} and {domain} its parts, {value} the key's value.
type panelCommand struct {
	panel    string
	way      PanelWay
	kind     osm.KeyKind
	do, undo []string // program and arguments; of a file, its path alone: a line "{line}:TIME" is added and removed
	line     string
	reply    replyForm
}

// replyForm says how a program tells that it did not work, besides its exit status.
type replyForm string

const (
	statusOnly replyForm = ""
	whmReply   replyForm = "whm"  // {"metadata":{"result":1,"reason":"OK"}}
	uapiReply  replyForm = "uapi" // {"result":{"status":1,"errors":null}}
)

const (
	whmapi1 = "/usr/local/cpanel/bin/whmapi1"
	uapi    = "/usr/local/cpanel/bin/uapi"
	hestia  = "/usr/local/hestia/bin/"
	virtual = "/etc/virtual/"
)

// panelCommands is the table of all of them. cPanel: WHM API 1 "Suspend cPanel account outgoing email", UAPI
// "Email::suspend_outgoing" and their likes. DirectAdmin: the files with which its exim.conf refuses senders, whose
// lines are a user name (or, for SMTP, an address) and a unix time. HestiaCP: its command line, where a suspended
// mailbox can't be read either.
var panelCommands = [...]panelCommand{
	{"cpanel", PanelSuspends, osm.KeyAccount, whm("suspend_outgoing_email"), whm("unsuspend_outgoing_email"), "", whmReply},
	{"cpanel", PanelHolds, osm.KeyAccount, whm("hold_outgoing_email"), whm("release_outgoing_email"), "", whmReply},
	{"cpanel", PanelSuspends, osm.KeyLogin, mailbox("suspend_outgoing"), mailbox("unsuspend_outgoing"), "", uapiReply},
	{"cpanel", PanelHolds, osm.KeyLogin, mailbox("hold_outgoing"), mailbox("release_outgoing"), "", uapiReply},
	{"directadmin", PanelSuspends, osm.KeyAccount, []string{virtual + "blacklist_usernames"}, nil, "{account}", statusOnly},
	{"directadmin", PanelSuspends, osm.KeyLogin, []string{virtual + "blacklist_smtp_usernames"}, nil, "{address}",
		statusOnly},
	{"directadmin", PanelSuspends, osm.KeyUser, []string{virtual + "blacklist_script_usernames"}, nil, "{account}",
		statusOnly},
	{"hestia", PanelSuspends, osm.KeyLogin, []string{hestia + "v-suspend-mail-account", "{account}", "{domain}", "{local}"},
		[]string{hestia + "v-unsuspend-mail-account", "{account}", "{domain}", "{local}"}, "", statusOnly},
	{"hestia", PanelSuspends, osm.KeySenderDomain, []string{hestia + "v-suspend-mail-domain", "{account}", "{value}"},
		[]string{hestia + "v-unsuspend-mail-domain", "{account}", "{value}"}, "", statusOnly},
}

func whm(function string) []string {
	return []string{whmapi1, "--output=json", function, "user={account}"}
}

func mailbox(function string) []string {
	return []string{uapi, "--output=json", "--user={account}", "Email", function, "email={address}"}
}

// What may be put into a command. Accounts are unix users of people: never root, never something that looks like an
// option.
var (
	accountName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	localPart   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$`)
	domainName  = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// planPanel finds the command for a sender.
func planPanel(panel string, way PanelWay, s Subject) (Plan, error) {
	account := s.Account
	if s.Key.Kind == osm.KeyAccount || s.Key.Kind == osm.KeyUser {
		account = s.Key.Value
	}
	for _, c := range panelCommands {
		if c.panel == panel && c.way == way && c.kind == s.Key.Kind {
			if !accountName.MatchString(account) || account == "root" {
				return Plan{},
					fmt.Errorf("suspend %s in %s: the account %q it belongs to is not known, or is none of a customer", s.Key, panel, account)
			}
			return c.plan(account, s.Key)
		}
	}
	return Plan{}, fmt.Errorf("%s has no command to %s a %s: suspend it by list", panel, way, s.Key.Kind)
}

func (c *panelCommand) plan(account string, key osm.Key) (Plan, error) {
	fields := []string{"{account}", account}
	switch key.Kind {
	case osm.KeyLogin:
		at := strings.LastIndexByte(key.Value, '@')
		if at < 0 || !localPart.MatchString(key.Value[:at]) || !domainName.MatchString(key.Value[at+1:]) {
			return Plan{}, fmt.Errorf("suspend the login %q in %s: it is no mailbox", key.Value, c.panel)
		}
		fields = append(fields, "{address}", key.Value, "{local}", key.Value[:at], "{domain}", key.Value[at+1:])
	case osm.KeySenderDomain:
		if !domainName.MatchString(key.Value) {
			return Plan{}, fmt.Errorf("suspend the domain %q in %s: it is no domain", key.Value, c.panel)
		}
		fields = append(fields, "{value}", key.Value)
	}
	fill := strings.NewReplacer(fields...)
	if c.line != "" {
		line := fill.Replace(c.line)
		return Plan{Step{File: c.do[0], Line: line}, Step{File: c.do[0], Line: line, Remove: true}}, nil
	}
	return Plan{Step{Argv: fillAll(c.do, fill), Reply: string(c.reply)}, Step{Argv: fillAll(c.undo, fill),
		Reply: string(c.reply)}}, nil
}

// failed reads what a program answered: cPanel's end with status 0 even when they did not do it.
func (form replyForm) failed(output []byte) error {
	var answer struct {
		Metadata struct {
			Result int
			Reason string
		}
		Result struct {
			Status int
			Errors []string
		}
	}
	if form == statusOnly {
		return nil
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		return fmt.Errorf("its answer can't be read: %w", err)
	}
	switch {
	case form == whmReply && answer.Metadata.Result != 1:
		return errors.New("it answered: " + osm.Printable(clip(answer.Metadata.Reason, 300)))
	case form == uapiReply && answer.Result.Status != 1:
		return errors.New("it answered: " + osm.Printable(clip(strings.Join(answer.Result.Errors, "; "), 300)))
	}
	return nil
}
