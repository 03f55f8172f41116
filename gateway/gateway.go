// Package gateway is the SMTP server in front of the real one: it listens, asks what shall become of each message, and
// passes what is let through to an upstream server as it comes. It has no queue: a message is accepted when the upstream
// has accepted it, in the upstream's own words, and whatever happens before that leaves it with the client.
//
// The dialogue with clients is its own and not go-smtp's server (v0.25.1), for what that can't do: it words the
// answers to MAIL, RCPT, DATA, EHLO and the greeting itself, so the upstream's can't be told, and a message accepted by
// the upstream loses the id in its answer; the offered extensions belong to the server, not to the connection; quoted
// local parts and unknown parameters do not come through as they were written; XCLIENT and XFORWARD can't be added; bare
// line ends and NUL end commands or vanish; every line of an answer is a write of its own and content is read byte by
// byte, which leaves a plain relay at half of the sink's rate; and a BDAT chunk of more than 2,000 bytes without a
// newline is lost when it comes together with its command.
//
// What is said in place of the upstream: the greeting; the first line of EHLO and the extensions, of which only those that
// all upstreams offer are offered; NOOP, RSET and QUIT; 354, because the upstream hears of DATA only when the verdict is
// known; the answer to a BDAT chunk that is not the last; the answer to a MAIL that the upstream has accepted before in this
// session, in its words; and refusals of the gateway's own. Deciding is left to Options.Ask,
// keeping a history to Options.Tell.
package gateway

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/netip"
	"time"

	"osm"
	"osm/policy"
)

// Options are what a Gateway needs besides its settings. Ask and Now are required.
type Options struct {
	// Ask decides. It is called from many goroutines: at policy.Connect, Mail and Rcpt (about that one recipient), as far as
	// reject_at lets a refusal be spoken there or a tarpit wants to know, and once at policy.Data about the whole message,
	// with the content that is known then. It keeps neither r nor the message in it, but may keep the content.
	Ask func(ctx context.Context, r *policy.Request) osm.Verdict

	// Content tells how many bytes of a message Ask wants to see; 0: its header is enough. nil is always 0.
	Content func() int64

	// Tell is called with what becomes of a message that Ask was asked about at policy.Data; nil tells nobody. It must be
	// quick, and keeps neither the Passage nor the message in it, but may keep their texts and lists.
	Tell func(*Passage)

	// Rewriter makes the addresses of held recipients where hold = "exim".
	Rewriter *policy.Rewriter

	Roots  *x509.CertPool // whom upstream_tls = "must" believes; nil: the system's
	Logger *slog.Logger
	Now    func() time.Time
}

// Stage is how far a message has come that was asked about at policy.Data.
type Stage uint8

const (
	Sending  Stage = iota // all but the end of it goes to the upstream now: its answer is not known yet
	Accepted              // the upstream, or the quarantine, has taken it
	Refused               // the upstream has refused it, or the transfer broke off before its end: nobody has it
	Lost                  // the connection broke between the end of the message and the answer: the upstream may have it
	Stopped               // refused or discarded by the verdict, at policy.Data or before
)

// Passage tells what becomes of a message. Sending comes before the upstream can know the message whole, and is followed
// by Accepted, Refused or Lost with the same ID.
type Passage struct {
	Stage   Stage
	Message *osm.Message // as asked about, with its Verdict; ID is the gateway's own
	Seen    netip.Addr   // the client's address as the upstream sees it
	Asked   bool         // the verdict was given at policy.Data, so that Ask has counted the message
	Held    bool         // it went to the quarantine, or with rewritten recipients

	Quarantined bool // it went to the quarantine

	Host    string // upstream that got it, as configured
	Addr    netip.AddrPort
	Code    int    // of the upstream's answer
	Text    string // the answer's words, in one line
	QueueID string // the upstream's id of the message, where its answer tells it
}

// HoldExim is the setting of hold that uses Exim's rewriting way.
const HoldExim = "exim"
