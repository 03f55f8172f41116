package check

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message"

	"osm"
)

// ARFConfig is the table [check.arf].
type ARFConfig struct {
	Mailbox string       `toml:"mailbox" doc:"Maildir folder or mbox file in which complaints arrive; empty: they only come by osm complaint."`
	Every   osm.Duration `toml:"every" doc:"How often the mailbox is looked at."`
	Within  osm.Duration `toml:"within" doc:"How old a message may be that somebody complains about."`
}

func defaultARF() ARFConfig {
	return ARFConfig{Every: osm.Duration(time.Minute), Within: osm.Duration(14 * 24 * time.Hour)}
}

func (c *ARFConfig) check(report func(key, problem string)) {
	if c.Mailbox != "" && c.Mailbox[0] != '/' {
		report("mailbox", "must be an absolute path")
	}
	between(report, "every", c.Every, time.Second, time.Hour)
	between(report, "within", c.Within, time.Hour, 90*24*time.Hour)
}

// Complaint is what a receiver's report tells (RFC 5965). All of it is a stranger's word: only what the history knows of the
// message may be believed.
type Complaint struct {
	Type       string    // Feedback-Type: abuse, fraud, not-spam, ...
	Agent      string    // User-Agent: the program that reports
	Reporter   string    // From address of the report
	Recipients []string  // Original-Rcpt-To, where the report does not keep it to itself
	MessageID  string    // of the message complained about, without the angle brackets
	IDs        []string  // what servers call it in its Received headers, as far as an Exim may have, the topmost first
	Date       time.Time // when it was written, as it says itself; zero when it does not
}

// MaxComplaint is the largest report that is read, in bytes: it holds the message complained about.
const MaxComplaint = 4 << 20

// ErrNoComplaint says that a message is no abuse report.
var ErrNoComplaint = errors.New("this is no report of the Abuse Reporting Format (RFC 5965)")

// ErrNoMessage says that a report does not tell which message it is about.
var ErrNoMessage = errors.New("the report has neither the Message-ID nor a Received header of the message complained about")

// What is taken of one report at most.
const (
	maxComplaintParts = 20
	maxReceived       = 50
	maxLine           = 998 // RFC 5322's longest line
	maxFeedback       = 64 << 10
)

// ReadComplaint reads a report: multipart/report with a part message/feedback-report and the message, or its header, in
// another. It may begin with the line "From " that mail servers put before what they write into files and pipes.
func ReadComplaint(text []byte) (*Complaint, error) {
	if bytes.HasPrefix(text, []byte("From ")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	c := &Complaint{Reporter: FromAddress(text)}
	feedback, original, err := reportParts(text)
	if err != nil {
		return nil, err
	}
	c.Type = strings.ToLower(first(feedback, "Feedback-Type"))
	c.Agent = first(feedback, "User-Agent")
	for value := range headerFields(feedback, "Original-Rcpt-To") {
		if address := address(value); address != "" && len(c.Recipients) < maxTold {
			c.Recipients = append(c.Recipients, address)
		}
	}
	if c.Type == "" {
		return nil, ErrNoComplaint
	}
	c.MessageID = strings.Trim(first(original, "Message-ID"), "<> \t")
	c.Date, _ = mail.ParseDate(first(original, "Date")) // zero where it can't be read
	c.received(original)
	if c.MessageID == "" && len(c.IDs) == 0 {
		return nil, ErrNoMessage
	}
	return c, nil
}

// Accuses tells whether the report is one against the sender: a receiver may also report that mail was no spam after all, or
// that its authentication failed.
func (c *Complaint) Accuses() bool {
	return !slices.Contains([]string{"not-spam", "auth-failure", "dmarc"}, c.Type)
}

// reportParts finds the two parts of a report that are read by programs.
func reportParts(text []byte) (feedback, original []byte, err error) {
	e, err := message.ReadWithOptions(bytes.NewReader(text), &message.ReadOptions{MaxHeaderBytes: maxHeader})
	if e == nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoComplaint, err)
	}
	parts := e.MultipartReader()
	if parts == nil {
		return nil, nil, ErrNoComplaint
	}
	for range maxComplaintParts {
		part, _ := parts.NextPart() // an error comes without a part: the report ends here
		if part == nil {
			break
		}
		kind, _, _ := part.Header.ContentType() // "" where it can't be read
		switch strings.ToLower(kind) {
		case "message/feedback-report":
			feedback, _ = io.ReadAll(io.LimitReader(part.Body, maxFeedback)) // what came before an error counts
		case "message/rfc822", "text/rfc822-headers", "message/rfc822-headers":
			original, _ = io.ReadAll(io.LimitReader(part.Body, maxHeader))
		}
	}
	if feedback == nil {
		return nil, nil, ErrNoComplaint
	}
	return feedback, original, nil
}

// receivedID finds what a server calls a message in its Received header (RFC 5321 section 4.4).
var receivedID = regexp.MustCompile(`(?i)\sid\s+<?([0-9a-z-]{16,23})\b`)

// received notes the ids of Received headers.
func (c *Complaint) received(original []byte) {
	n := 0
	for value := range headerFields(original, "Received") {
		if n++; n > maxReceived {
			return
		}
		if m := receivedID.FindStringSubmatch(value); m != nil && !slices.Contains(c.IDs, m[1]) {
			c.IDs = append(c.IDs, m[1])
		}
	}
}

// first is the first value of a field, "" where there is none.
func first(text []byte, name string) string {
	for value := range headerFields(text, name) {
		return value[:min(len(value), maxLine)]
	}
	return ""
}

// address reads "<a@b.example>" or "rfc822;a@b.example".
func address(value string) string {
	if _, after, ok := strings.Cut(value, ";"); ok {
		value = after
	}
	if a, err := mail.ParseAddress(strings.TrimSpace(value)); err == nil {
		return a.Address
	}
	return ""
}
