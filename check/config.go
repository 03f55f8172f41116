package check

import (
	"fmt"
	"slices"
	"time"

	"osm"
)

// Config is the table [check]. Everything in it is off unless it is enabled.
type Config struct {
	DNS      DNSConfig      `toml:"dns" doc:"The name servers that the checks ask."`
	DNSBL    DNSBLConfig    `toml:"dnsbl" doc:"DNS block lists of addresses and domains."`
	SPF      SPFConfig      `toml:"spf" doc:"SPF of the hosts that submit mail without a login: whether they may send for the sender's domain (RFC 7208)."`
	OwnSPF   OwnSPFConfig   `toml:"own_spf" doc:"SPF of what leaves from here: whether the sender's domain allows this server to send its mail."`
	DMARC    DMARCConfig    `toml:"dmarc" doc:"DKIM signatures and DMARC alignment of the From domain (RFC 7489), where the content is seen."`
	Greylist GreylistConfig `toml:"greylist" doc:"Strangers are asked to come again in a while."`
	Own      OwnConfig      `toml:"own" doc:"This server's own addresses are looked up in block lists from time to time."`

	Content      ContentConfig      `toml:"content" doc:"What the content itself tells: attachments and links."`
	Rspamd       RspamdConfig       `toml:"rspamd" doc:"The content scanner rspamd."`
	SpamAssassin SpamAssassinConfig `toml:"spamassassin" doc:"The content scanner SpamAssassin."`
	ARF          ARFConfig          `toml:"arf" doc:"Complaints of receivers about mail from here (RFC 5965)."`
}

// DefaultConfig asks nobody.
func DefaultConfig() Config {
	return Config{DNS: defaultDNS(), DNSBL: defaultDNSBL(), SPF: defaultSPF(), OwnSPF: defaultOwnSPF(), DMARC: defaultDMARC(),
		Greylist: defaultGreylist(), Own: defaultOwn(),
		Content: defaultContent(), Rspamd: defaultRspamd(), SpamAssassin: defaultSpamAssassin(), ARF: defaultARF()}
}

// Check reports settings that can't work.
func (c *Config) Check(report func(key, problem string)) {
	c.DNS.check(under(report, "dns"))
	c.DNSBL.check(under(report, "dnsbl"))
	c.SPF.check(under(report, "spf"))
	c.OwnSPF.check(under(report, "own_spf"))
	c.DMARC.check(under(report, "dmarc"))
	c.Greylist.check(under(report, "greylist"))
	c.Own.check(under(report, "own"))
	c.Content.check(under(report, "content"))
	c.Rspamd.check(under(report, "rspamd"))
	c.SpamAssassin.check(under(report, "spamassassin"))
	c.ARF.check(under(report, "arf"))
}

// under reports keys of a table inside.
func under(report func(key, problem string), table string) func(key, problem string) {
	return func(key, problem string) { report(table+"."+key, problem) }
}

// Common are the settings that every check has.
type Common struct {
	Enabled   bool         `toml:"enabled" doc:"Ask it."`
	Classes   []osm.Class  `toml:"classes" doc:"Classes of mail it is asked about."`
	Action    osm.Action   `toml:"action" doc:"What is done with mail that it speaks against: accept (only rules use what it says), defer, hold or reject."`
	OnFailure osm.Action   `toml:"on_failure" doc:"What is done with mail when it gives no answer: accept, defer or hold."`
	Deadline  osm.Duration `toml:"deadline" doc:"The longest that a message waits for its answer, 10ms to 60s."`
	Shadow    bool         `toml:"shadow" doc:"Only report what its action would have done."`
}

func (c *Common) check(report func(key, problem string)) {
	if !slices.Contains([]osm.Action{osm.Accept, osm.Defer, osm.Hold, osm.Reject}, c.Action) {
		report("action", "must be accept, defer, hold or reject")
	}
	if !slices.Contains([]osm.Action{osm.Accept, osm.Defer, osm.Hold}, c.OnFailure) {
		report("on_failure", "must be accept, defer or hold")
	}
	between(report, "deadline", c.Deadline, 10*time.Millisecond, time.Minute)
	if c.Enabled && len(c.Classes) == 0 {
		report("classes", "must name at least one class")
	}
}

func between(report func(key, problem string), key string, d osm.Duration, least, most time.Duration) {
	if t := time.Duration(d); t < least || t > most {
		report(key, fmt.Sprintf("must be between %s and %s", osm.Duration(least), osm.Duration(most)))
	}
}

// common are the defaults of a check about some classes.
func common(deadline time.Duration, classes ...osm.Class) Common {
	return Common{Classes: classes, Action: osm.Accept, OnFailure: osm.Accept, Deadline: osm.Duration(deadline)}
}
