package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
)

// ContentConfig is the table [check.content]: what the content itself tells, without asking anybody.
type ContentConfig struct {
	Common
	Limit      osm.Size `toml:"limit" doc:"How much of a message is read: what comes after is not looked at."`
	Extensions []string `toml:"extensions" doc:"Endings of attachments' names that speak against mail, such as exe or scr, without the dot."`
	Encrypted  bool     `toml:"encrypted" doc:"Archives that need a password speak against mail: no scanner sees into them."`
	Links      int      `toml:"links" doc:"More links than this speak against mail. 0: any number is fine."`
}

func defaultContent() ContentConfig {
	c := ContentConfig{Common: common(time.Second, submitted()...), Limit: 4 << 20}
	c.Action = osm.Hold
	return c
}

// submitted are the classes of mail that somebody here wrote.
func submitted() []osm.Class { return []osm.Class{osm.Login, osm.Local, osm.Localhost, osm.Relay} }

func (c *ContentConfig) check(report func(key, problem string)) {
	c.Common.check(report)
	checkLimit(c.Limit, report)
	for i, e := range c.Extensions {
		if e == "" || e != extension("."+e) || strings.Contains(e, ".") {
			report(fmt.Sprintf("extensions[%d]", i), "must be what follows the last dot of a name, in small letters")
		}
	}
	if c.Links < 0 {
		report("links", "must not be negative")
	}
}

// mostShown bounds what is read of a message: as much is held in memory of every one that is being checked.
const mostShown = osm.Size(64 << 20)

func checkLimit(limit osm.Size, report func(key, problem string)) {
	if limit < 1<<10 || limit > mostShown {
		report("limit", "must be between 1KB and 64MB")
	}
}

const contentName = "content"

// row is the row of the table for what the content itself tells. Its failures are those of whoever wrote the message: no breaker.
func (c *ContentConfig) row(g *guard) *one {
	k := &one{name: contentName, settings: c.Common, from: AtData, content: int64(c.Limit), guard: g}
	k.quick = func(r *Request, _ *osm.Opinions) bool { return r.Content == nil }
	k.look = func(ctx context.Context, r *Request, o *osm.Opinions) error {
		read, err := r.reading.wait(ctx)
		if reason, detail := c.against(&read); err == nil && reason != "" {
			k.speak(o, reason, detail, osm.Key{})
		}
		return err
	}
	return k
}

// against tells what of the content speaks against it.
func (c *ContentConfig) against(read *content) (reason, detail string) {
	for _, e := range read.extensions {
		if slices.Contains(c.Extensions, e) {
			return "attachment", "an attachment's name ends with ." + e
		}
	}
	switch {
	case c.Encrypted && read.encrypted > 0:
		return "encrypted-archive", "an attached archive needs a password"
	case c.Links > 0 && read.linkCount > c.Links:
		return "links", fmt.Sprintf("there are %d links in it, more than %d", read.linkCount, c.Links)
	}
	return "", ""
}
