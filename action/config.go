// Package action carries out what was decided: it tells people and programs about incidents, by mail, webhook, chat and
// command. What is to be told waits in an outbox that survives a restart, is tried again until it has arrived, and is
// grouped so that a storm is one alert. It leaves to others what an incident is (incident) and when it is told (daemon).
package action

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/incident"
)

// Config is the table [alert].
type Config struct {
	Mail      []string         `toml:"mail" doc:"Addresses that alerts are mailed to, through the local sendmail. Empty: no mail."`
	From      string           `toml:"from" doc:"Sender of those mails; when empty it is osm at this host."`
	SMTP      string           `toml:"smtp" doc:"Address and port of a mail server that takes those mails instead of the sendmail program, such as 127.0.0.1:25, which is also used where osm may not run programs that change their user, as sendmail does (the packaged service)."`
	Sendmail  string           `toml:"sendmail" doc:"Program that takes mail on its standard input, as Exim's sendmail does."`
	Webhooks  []Webhook        `toml:"webhook" doc:"Addresses that alerts are posted to as JSON."`
	Chats     []osm.Secret     `toml:"chats" doc:"Chat services as shoutrrr URLs, such as slack://TOKEN@CHANNEL or telegram://TOKEN@telegram?chats=ID."`
	Run       []string         `toml:"run" doc:"Program and its arguments that is run with the alert as JSON on its standard input. No shell is involved."`
	States    []incident.State `toml:"states" doc:"Turns of an incident that are told: open, growing, stopped, closed, reopened."`
	GroupWait osm.Duration     `toml:"group_wait" doc:"How long an alert waits for others, to be told together."`
	PerHour   int              `toml:"per_hour" doc:"Most alerts in an hour; what comes beyond waits and is told together."`
	Fresh     osm.Duration     `toml:"fresh" doc:"Incidents of older log lines are not told: catching up on last week's log is no alarm."`
	Digest    string           `toml:"digest" doc:"Time of the day at which a summary of the last 24 hours is mailed, such as 07:00. Empty: none."`
	Customers bool             `toml:"customers" doc:"Write to the owner of a login or an account about its incidents as well: to the login where that is a mail address, else to the contact address that the panel has."`
	Templates string           `toml:"templates" doc:"Folder with texts of your own for those notices: LANGUAGE.txt, and RESELLER/LANGUAGE.txt for a reseller's customers. Empty: the texts that are built in, English and German."`
	Host      string           `toml:"host" doc:"Name of this server in alerts; when empty the system's."`
}

// Webhook is one [[alert.webhook]].
type Webhook struct {
	URL    string     `toml:"url" doc:"Where to post, https or http."`
	Secret osm.Secret `toml:"secret" doc:"Key of the signature in the header Osm-Signature; empty: not signed."`
}

// DefaultConfig is what an empty file means: alerts are kept and shown, and told to nobody.
func DefaultConfig() Config {
	return Config{Sendmail: "/usr/sbin/sendmail", GroupWait: osm.Duration(time.Minute), PerHour: 20, Fresh: osm.Duration(time.Hour),
		States: []incident.State{incident.Open, incident.Growing, incident.Stopped, incident.Reopened}}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	for _, a := range append(slices.Clone(c.Mail), c.From) {
		if a != "" && !plainAddress(a) {
			report("mail", fmt.Sprintf("%q is not a mail address", a))
		}
	}
	if _, _, err := net.SplitHostPort(c.SMTP); c.SMTP != "" && err != nil {
		report("smtp", "must be an address and a port such as 127.0.0.1:25")
	}
	if (len(c.Mail) > 0 || c.Customers) && c.SMTP == "" && !filepath.IsAbs(c.Sendmail) {
		report("sendmail", "must be an absolute path")
	}
	for _, w := range c.Webhooks {
		if u, err := url.Parse(w.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			report("webhook", fmt.Sprintf("%q is not an http or https address", w.URL))
		}
	}
	if len(c.Run) > 0 && !filepath.IsAbs(c.Run[0]) {
		report("run", "the program must be an absolute path")
	}
	for _, s := range c.States {
		if !slices.Contains(incident.States(), s) {
			report("states", fmt.Sprintf("%q is not one of %v", s, incident.States()))
		}
	}
	if c.GroupWait < 0 || c.GroupWait > osm.Duration(time.Hour) {
		report("group_wait", "must be between 0s and 1h")
	}
	if c.PerHour < 1 {
		report("per_hour", "must be at least 1")
	}
	if _, err := time.Parse("15:04", c.Digest); c.Digest != "" && err != nil {
		report("digest", "must be a time of the day such as 07:00")
	}
	if c.Digest != "" && len(c.Mail) == 0 {
		report("digest", "there is nobody to mail it to: set alert.mail")
	}
	if c.Templates != "" {
		checkTemplates(c.Templates, report)
	}
}

// tells tells whether an incident's turn is told to anybody now.
func (c *Config) tells(i *incident.Incident, now time.Time) bool {
	turned := i.Updated
	if i.State == incident.Closed {
		turned = i.Closed // a while after the latest message
	}
	return slices.Contains(c.States, i.State) && now.Sub(turned) <= time.Duration(c.Fresh)
}

// HostName is this server's name in alerts.
func (c *Config) HostName() string {
	if c.Host != "" {
		return c.Host
	}
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// plainAddress tells whether a is one address that is safe as an argument of a program and in a header.
func plainAddress(a string) bool {
	parsed, err := mail.ParseAddress(a)
	if err != nil {
		return !strings.Contains(a, "@") && localName(a)
	}
	return parsed.Address == a && !strings.HasPrefix(a, "-")
}

// localName tells whether a is the name of a local user, such as root.
func localName(a string) bool {
	for i, r := range a {
		if !(r >= 'a' && r <= 'z' || r == '_' || i > 0 && (r >= '0' && r <= '9' || r == '-' || r == '.')) {
			return false
		}
	}
	return a != ""
}
