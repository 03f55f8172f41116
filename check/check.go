// Package check asks for outside opinions about a message before it is accepted: DNS block lists, SPF, signatures and DMARC,
// greylisting, content scanners. Every check has a deadline, a bounded memory, a breaker, counters and a configured answer
// for when it fails. What they say goes into osm.Opinions; what follows from it is left to policy, who asks is left to
// daemon and gateway.
package check

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"osm"
)

// Stage is the point of the SMTP dialogue that a question comes from. What is known at a stage is known at the later ones.
type Stage uint8

const (
	AtConnect Stage = iota // the client's address, and its HELO where it has said it
	AtMail                 // the envelope sender
	AtRcpt                 // one recipient: Request.Recipient
	AtData                 // all recipients, and the content where the asker has it
	stages
)

var stageNames = [stages]string{"connect", "mail", "rcpt", "data"}

func (s Stage) String() string { return stageNames[s] }

// Request is what is known when a question comes.
type Request struct {
	Stage     Stage
	Message   *osm.Message // only read
	Recipient string       // the one that AtRcpt is about
	Taken     bool         // Exim has the message already, so that asking the sender to come back would not reach him

	// Content is the message as it was received, headers first, lines ended by CRLF or LF, up to Checks.Limit bytes; nil where
	// the asker does not have it. Whole tells that nothing is missing at its end. Both only matter AtData.
	Content []byte
	Whole   bool

	read content // what Look reads from Content once for all checks
}

// content is what the content itself tells without asking anybody; nil slices where there is no content.
type content struct {
	links       []string // hosts of links, in small letters, once each
	linkCount   int
	attachments []string
	extensions  []string
}

// Options are what Checks need besides their settings. Only Now is required.
type Options struct {
	Now      func() time.Time
	Resolver *Resolver // nil: made from the configuration
	Logger   *slog.Logger
	// Known tells whether a submitter has a past here, so that greylisting would only hurt; nil: nobody has.
	Known func(m *osm.Message) bool
	// Addresses are the public addresses that this server sends from, for those that the configuration does not name.
	Addresses []string
}

// Checks are the configured checks. All methods may be called from any goroutine.
type Checks struct {
	cfg   Config
	o     Options
	table []*one
}

// one is a check that is configured: a row of the table in New.
type one struct {
	name     string
	settings Common
	from     Stage // the first stage at which it can say something
	content  int64 // bytes of content that it wants to see; 0: none
	// guard stands before a service that may be dead; nil for a check that asks many (every list has its own).
	guard *guard
	// quick answers from memory alone; false: look has to be asked. May be nil.
	quick func(r *Request, o *osm.Opinions) bool
	// look writes what it finds into o, which is its own: it is merged when it returns in time. An error is a check that
	// failed: what it wrote counts all the same.
	look func(ctx context.Context, r *Request, o *osm.Opinions) error
}

// Common are the settings that every check has.
type Common struct {
	Enabled   bool         `toml:"enabled" doc:"Ask it."`
	Classes   []osm.Class  `toml:"classes" doc:"Classes of mail it is asked about."`
	Action    osm.Action   `toml:"action" doc:"What is done with mail that it speaks against: accept (rules may use what it says), defer, hold or reject."`
	OnFailure osm.Action   `toml:"on_failure" doc:"What is done with mail when it gives no answer: accept, defer or hold."`
	Deadline  osm.Duration `toml:"deadline" doc:"The longest that a message waits for its answer."`
}

// guard keeps a service that does not answer from holding up everything: after some failures in a row it is not asked for a
// while, then one question tries whether it is back.
type guard struct {
	name string
	mu   sync.Mutex
	// filled in guard.go
}
