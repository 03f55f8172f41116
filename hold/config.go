package hold

import (
	"net/url"
	"time"

	"osm"
)

// Config is the table [hold].
type Config struct {
	Keep        osm.Duration `toml:"keep" doc:"How long a message is held before it expires. Keep it shorter than Exim's timeout_frozen_after (7d on Debian), which bounces frozen mail."`
	Expire      Expiry       `toml:"expire" doc:"What is done with a message whose time is over: delete or release."`
	Grace       osm.Duration `toml:"grace" doc:"How long osm delete waits before it deletes, so that osm undo can take it back."`
	Automatic   int          `toml:"automatic" doc:"How often a sender's held mail is released by itself, when what spoke against it turned out well, before a person must look. 0: never."`
	FastLane    int          `toml:"fast_lane" doc:"Messages to a single recipient, such as one-time passwords, that a sender known for long may send in an hour while it is suspected (never when it is stopped). 0: none."`
	Walk        osm.Duration `toml:"walk" doc:"How often Exim's spool is looked through for what the log did not tell."`
	Most        int          `toml:"most" doc:"Messages that are kept track of, about 600 bytes of memory each. More stay held, and are taken up when others have gone."`
	NoticeHeld  bool         `toml:"notice_held" doc:"Tell senders (their login's or user's mailbox, never just the address in the mail) that mail is held, at most once a day."`
	NoticeEnd   bool         `toml:"notice_end" doc:"Tell them when held mail has expired."`
	Link        string       `toml:"link" doc:"Address before the token of a link with which senders release a message themselves, such as https://mail.example.org/release?token= . Empty: no links."`
	LinkFor     osm.Duration `toml:"link_for" doc:"How long such a link works."`
	SelfRelease int          `toml:"self_release" doc:"Messages that a sender may release in a day with such links: the thief of a mailbox can read them too."`
}

// Expiry is what happens to a message that was held for too long.
type Expiry string

const (
	ExpireDelete  Expiry = "delete"
	ExpireRelease Expiry = "release"
)

const day = osm.Duration(24 * time.Hour)

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{Keep: 7 * day, Expire: ExpireDelete, Grace: osm.Duration(10 * time.Minute), Automatic: 2, FastLane: 1,
		Walk: osm.Duration(5 * time.Minute), Most: 1_000_000, NoticeEnd: true, LinkFor: 2 * day, SelfRelease: 5}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if c.Keep < osm.Duration(time.Hour) || c.Keep > 365*day {
		report("keep", "must be between 1h and 365d")
	}
	if c.Expire != ExpireDelete && c.Expire != ExpireRelease {
		report("expire", "must be delete or release")
	}
	if c.Grace < 0 || c.Grace > 7*day {
		report("grace", "must be between 0s and 7d")
	}
	if c.Walk < osm.Duration(time.Second) || c.Walk > day {
		report("walk", "must be between 1s and 24h")
	}
	if c.Most < 1000 {
		report("most", "must be at least 1000")
	}
	for key, n := range map[string]int{"automatic": c.Automatic, "fast_lane": c.FastLane, "self_release": c.SelfRelease} {
		if n < 0 || n > 1000 {
			report(key, "must be between 0 and 1000")
		}
	}
	if u, err := url.Parse(c.Link); c.Link != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" ||
		u.Host == "") {
		report("link", "must be an http or https address")
	}
	if c.LinkFor <= 0 || c.LinkFor > 30*day {
		report("link_for", "must be more than 0s and at most 30d")
	}
}
