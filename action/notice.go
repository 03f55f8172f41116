package action

import (
	"context"
	"fmt"
	"time"
)

// Tellable tells whether a login or unix user is the name of a mailbox that can be told something.
func Tellable(owner string) bool { return owner != "" && plainAddress(owner) }

// Notice mails one person something about his own mail, through the local mail server. Its envelope sender is empty, so that nobody
// answers it and no bounce comes of it (RFC 3834 section 3.3).
func (c *Config) Notice(ctx context.Context, to, id string, at time.Time, subject, text string) error {
	if !Tellable(to) {
		return fmt.Errorf("tell %q about held mail: this is no mailbox", to)
	}
	host := c.HostName()
	from := c.From
	if from == "" {
		from = "osm@" + host
	}
	letter, err := compose(from, []string{to}, host, id, at, subject, text)
	if err != nil {
		return err
	}
	return program(ctx, letter, c.Sendmail, "-i", "-f", "<>", "--", to)
}
