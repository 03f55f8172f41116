// Package osm holds the words that all rooms of the program share: what a message, a delivery, a class, a key, a
// finding and a verdict are. It knows no file, no network, no clock and no other package of the program.
package osm

import (
	"net/netip"
	"time"
)

// Message is all that is known of one message, tied together by Exim's message id. Strings are decoded (Exim's
// octal escapes are undone) and hostile: whoever prints one escapes it.
type Message struct {
	ID   string    // Exim's message id ("queue number"), 16 or 23 characters
	Time time.Time // arrival

	Class   Class
	Account string // owner in the hosting panel, or the unix user on a plain server; "" when unknown
	Login   string // authenticated id of SMTP AUTH; for a local submission see User
	User    string // unix user of a local submission; "" over SMTP
	Script  Script

	Client     netip.Addr // the submitting host; invalid for a local submission
	ClientPort uint16
	ClientHost string // verified reverse name of the client; "" when there is none
	Helo       string
	ServerPort uint16      // port on which it was received; 0 when not logged
	Country    string      // ISO 3166 code of Client, "" when unknown
	ASN        uint32      // autonomous system of Client, 0 when unknown
	Where      Coordinates // of Client, unknown where the database has countries only
	Protocol   string      // smtp, esmtp, esmtpsa, local, ... (RFC 3848 and Exim's own)
	Auth       string      // authenticator's name (plain, login, dovecot_login); "" when not authenticated
	TLS        string      // cipher; "" when not encrypted

	Sender    string // envelope sender, "" for the null sender <>
	From      string // address in the From header; "" when not known (the log does not tell)
	Subject   string // decoded; meaningful only when HasSubject
	MessageID string // Message-ID header
	Parent    string // id of the message that this one is about (bounces)
	Queue     string // named queue; "" for the default one
	Size      int64  // bytes

	// Recipients are the envelope recipients, as far as they are known at arrival; empty where Exim does not log them.
	Recipients []string
	HasSubject bool // Exim logged the subject

	Verdict  Verdict   // what osm decided (or would have decided) at arrival
	Opinions *Opinions // what outside checks said of it; nil when none was asked
}

// Script is where a local submission came from.
type Script struct {
	Path string     // working directory of the submitting process (or the script itself where that is known)
	Sure Confidence // how certain it is that this path belongs to this message
}

// Confidence says how far an attribution can be trusted.
type Confidence uint8

const (
	Unknown  Confidence = iota // nothing was found
	Probable                   // adjacent in the log, other candidates possible
	Exact                      // tied by the process id
)

func (c Confidence) String() string { return [...]string{"unknown", "probable", "exact"}[c] }

// MarshalText writes the name, as JSON has it.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Outcome is what became of one recipient at one attempt.
type Outcome uint8

const (
	Delivered  Outcome = iota // handed on for good
	Deferred                  // will be tried again
	Failed                    // given up, a bounce is made
	Suppressed                // delivery was not attempted (Exim's -N) or the address is discarded
)

func (o Outcome) String() string {
	return [...]string{"delivered", "deferred", "failed", "suppressed"}[o]
}

// MarshalText writes the name, as JSON has it.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Delivery is the outcome of one attempt for one recipient.
type Delivery struct {
	Time      time.Time
	Outcome   Outcome
	Recipient string // the final address
	Original  string // the envelope recipient it was made from; equal to Recipient when nothing was rewritten
	Router    string
	Transport string
	Host      string     // remote host's name; "" for a local delivery
	IP        netip.Addr // remote host's address
	Port      uint16
	Remote    bool // left this server (a remote transport)
	Code      int  // SMTP reply code of the receiver, 0 when there was none
	Enhanced  string
	Text      string  // the receiver's (or Exim's) words
	Refusal   Refusal // kind of a deferral or failure; NotRefused when delivered
}

// Refusal is why a receiver did not take a message.
type Refusal uint8

const (
	NotRefused  Refusal = iota
	NoSuchUser          // the mailbox does not exist
	Spam                // the content or the sender was judged to be spam
	Listed              // our address is on a block list
	RateLimited         // too much mail from us, greylisted included only when the text says rate
	Greylisted          // asked to come again later
	Policy              // refused by a rule: authentication (SPF, DKIM, DMARC), relaying denied, attachment, size
	MailboxFull         // over quota
	Connection          // host not reached, timeout, TLS failure, DNS failure
	Other               // anything else
	refusals
)

var refusalNames = [refusals]string{"", "no-such-user", "spam", "listed", "rate-limited", "greylisted", "policy",
	"mailbox-full", "connection", "other"}

func (r Refusal) String() string { return refusalNames[r] }

// MarshalText writes the name, as JSON has it.
func (r Refusal) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Refusals lists every kind but NotRefused, in the order of their value.
func Refusals() []Refusal {
	all := make([]Refusal, 0, refusals-1)
	for r := NotRefused + 1; r < refusals; r++ {
		all = append(all, r)
	}
	return all
}
