package exim

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Queued is a message that waits, as its -H file tells (specification 56, "Format of spool files"). All of it but the
// place is hostile.
type Queued struct {
	Place
	User       string // unix login of who submitted it; Exim's own user over SMTP
	UID, GID   int
	Sender     string // "" for the null sender
	Received   time.Time
	Frozen     time.Time // zero when it is not frozen
	Protocol   string
	Client     netip.Addr // invalid for a local submission
	Helo       string
	Login      string            // authenticated id; of a local submission the login name
	Variables  map[string]string // ACL variables by their whole name: acl_m_osm, acl_c0
	Recipients []string
	Delivered  []string // recipients that need nothing more: delivered, failed, or removed by an administrator
	Headers    []Header // those that are in force, in their order
}

// Header is one header line of a message.
type Header struct {
	Name string
	Text string // what follows the colon: raw, folded as it came, without the last line end
}

// ErrSpoolFile says that a -H file is not as Exim writes it: torn, or of a version that is not known.
var ErrSpoolFile = errors.New("not a spool file of Exim's")

// Header returns the first header of a name (in any case) unfolded and decoded (RFC 2047), "" when there is none.
func (m *Queued) Header(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			text := strings.TrimSpace(strings.NewReplacer("\n", "", "\r", "").Replace(h.Text))
			if decoded, err := new(mime.WordDecoder).DecodeHeader(text); err == nil {
				return decoded
			}
			return text
		}
	}
	return ""
}

// heldVariable is the ACL variable in which osm's snippets leave why they held a message.
const heldVariable = "acl_m_osm_held"

// Verdict is what osm said when the message was held: the words, and the verdict's id. Of a recipient held by rewriting
// only the id is known. ok is false where osm did not hold the message, as when Exim or an administrator froze it. A message
// keeps its verdict when it is released.
func (m *Queued) Verdict() (id, text string, ok bool) {
	if text = m.Variables[heldVariable]; text != "" {
		return verdictID(text), text, true
	}
	for _, r := range m.Recipients {
		if local, ok := rewritten(r); ok {
			part := strings.Split(local, ".")
			if len(part) == 4 { // as policy.Rewriter writes them
				return strings.ToUpper(part[1]), "", true
			}
			return "", NoVerdict, true
		}
	}
	return "", "", false
}

// rewritten returns the local part of an address in the hold domain.
func rewritten(address string) (local string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || !strings.EqualFold(address[at+1:], HoldDomain) {
		return "", false
	}
	return address[:at], true
}

// Rewritten tells whether a recipient is held by rewriting: such a message goes when osm answers so, and is neither frozen
// nor in another queue.
func (m *Queued) Rewritten() bool {
	return slices.ContainsFunc(m.Recipients, func(r string) bool {
		_, ok := rewritten(r)
		return ok && !slices.Contains(m.Delivered, r)
	})
}

// Held tells whether Exim's queue runners pass the message by, or its recipients by.
func (m *Queued) Held() bool { return !m.Frozen.IsZero() || m.Queue != "" || m.Rewritten() }

// verdictID takes the id from the end of an answer's text, "... (V0ABC123)".
func verdictID(text string) string {
	inner, closed := strings.CutSuffix(text, ")")
	open := strings.LastIndexByte(inner, '(')
	if !closed || open < 0 || strings.ContainsRune(inner[open:], ' ') {
		return ""
	}
	return inner[open+1:]
}

// spoolFile reads a -H file from its beginning to its end.
type spoolFile struct {
	rest []byte
	m    *Queued
}

// ParseSpoolHeader reads a -H file. What it does not know it passes over; the error wraps ErrSpoolFile.
func ParseSpoolHeader(data []byte) (*Queued, error) {
	f := spoolFile{rest: data, m: &Queued{}}
	for _, part := range []func() error{f.envelope, f.options, f.nonRecipients, f.recipients, f.headers} {
		if err := part(); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrSpoolFile, err)
		}
	}
	return f.m, nil
}

// line takes the next line, without its end.
func (f *spoolFile) line() (string, error) {
	i := bytes.IndexByte(f.rest, '\n')
	if i < 0 {
		return "", errors.New("it ends too early")
	}
	line := string(f.rest[:i])
	f.rest = f.rest[i+1:]
	return line, nil
}

func (f *spoolFile) envelope() error {
	var lines [4]string
	for i := range lines {
		var err error
		if lines[i], err = f.line(); err != nil {
			return err
		}
	}
	m := f.m
	id, ok := strings.CutSuffix(lines[0], "-H")
	if !ok || !ValidID(id) {
		return fmt.Errorf("it begins with %q", lines[0])
	}
	m.ID = id
	// The login may hold spaces: the numbers are read from the end.
	owner := strings.Split(lines[1], " ")
	if len(owner) < 3 {
		return fmt.Errorf("%q is not a user", lines[1])
	}
	var err error
	if m.UID, err = strconv.Atoi(owner[len(owner)-2]); err != nil {
		return err
	}
	if m.GID, err = strconv.Atoi(owner[len(owner)-1]); err != nil {
		return err
	}
	m.User = strings.Join(owner[:len(owner)-2], " ")
	sender, open := strings.CutPrefix(lines[2], "<")
	if m.Sender, ok = strings.CutSuffix(sender, ">"); !ok || !open {
		return fmt.Errorf("%q is not a sender", lines[2])
	}
	seconds, _, _ := strings.Cut(lines[3], " ")
	m.Received, err = unixTime(seconds)
	return err
}

// latest keeps times within what the time package and JSON can write.
const latest = math.MaxUint32

func unixTime(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n > latest {
		return time.Time{}, fmt.Errorf("%q is not a time", seconds)
	}
	return time.Unix(n, 0), nil
}

// options reads lines that begin with a minus. Two, and a word in brackets after them, mean that the value is tainted.
func (f *spoolFile) options() error {
	for len(f.rest) > 0 && f.rest[0] == '-' {
		line, err := f.line()
		if err != nil {
			return err
		}
		line = strings.TrimPrefix(line[1:], "-")
		if strings.HasPrefix(line, "(") {
			_, line, _ = strings.Cut(line, ")")
		}
		name, value, _ := strings.Cut(line, " ")
		if name == "acl" || name == "aclm" || name == "aclc" {
			err = f.variable(name, value)
		} else {
			err = f.option(name, value)
		}
		if err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	return nil
}

func (f *spoolFile) option(name, value string) (err error) {
	m := f.m
	switch name {
	case "received_time_usec":
		if fraction, err := strconv.ParseFloat(value, 64); err == nil && fraction >= 0 && fraction < 1 {
			m.Received = m.Received.Add(time.Duration(fraction * float64(time.Second)).Round(time.Microsecond))
		}
	case "frozen":
		m.Frozen, err = unixTime(value)
	case "received_protocol":
		m.Protocol = value
	case "helo_name":
		m.Helo = value
	case "auth_id":
		m.Login = value
	case "host_address":
		// [127.0.0.1]:54376, and older Exims 127.0.0.1.54376
		inner, _, ok := strings.Cut(strings.TrimPrefix(value, "["), "]")
		if ok {
			m.Client, _ = netip.ParseAddr(inner)
		}
	}
	return err
}

// variable reads an ACL variable: "_osm 22", and 22 bytes and a line end after the line. The form "acl N LEN" is of Exims
// before 4.64, and of no use.
func (f *spoolFile) variable(kind, value string) error {
	name, length, ok := strings.Cut(value, " ")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n >= len(f.rest) || f.rest[n] != '\n' {
		return fmt.Errorf("%q is not a name and the length of what follows", value)
	}
	if kind != "acl" {
		if f.m.Variables == nil {
			f.m.Variables = make(map[string]string)
		}
		f.m.Variables["acl_"+kind[3:]+name] = string(f.rest[:n])
	}
	f.rest = f.rest[n+1:]
	return nil
}

// nonRecipients reads the tree of finished addresses: a line a node, which says with Y or N whether it has a left and a
// right branch; XX is an empty tree.
func (f *spoolFile) nonRecipients() error {
	for missing := 1; missing > 0; missing-- {
		line, err := f.line()
		if err != nil {
			return err
		}
		if line == "XX" && len(f.m.Delivered) == 0 {
			return nil
		}
		if len(line) < 3 || line[2] != ' ' || strings.Trim(line[:2], "YN") != "" {
			return fmt.Errorf("%q is no node of the finished addresses", line)
		}
		missing += strings.Count(line[:2], "Y")
		f.m.Delivered = append(f.m.Delivered, line[3:])
	}
	return nil
}

func (f *spoolFile) recipients() error {
	line, err := f.line()
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(line)
	if err != nil || count < 0 || count > len(f.rest) {
		return fmt.Errorf("%q is not a number of recipients", line)
	}
	f.m.Recipients = make([]string, 0, count)
	for range count {
		if line, err = f.line(); err != nil {
			return err
		}
		f.m.Recipients = append(f.m.Recipients, recipient(line))
	}
	if line, err = f.line(); err == nil && line != "" {
		err = fmt.Errorf("%q follows the recipients", line)
	}
	return err
}

// recipient takes what may follow an address away, from the end: "#" and flags; before that, as the flags say, the
// parent's number with an address for errors, and DSN's with the original recipient, each with its length before it
// (spool_in.c: "ADDRESS ORCPT LEN,FLAGS ERRORS LEN,PARENT#3").
func recipient(line string) string {
	at := numbersAt(line)
	if at < 0 || line[at] != '#' {
		return line
	}
	flags, err := strconv.Atoi(line[at+1:])
	if err != nil {
		return line
	}
	address := line[:at]
	for _, flag := range []int{1, 2} {
		if flags&flag == 0 {
			continue
		}
		at := numbersAt(address)
		if at < 0 {
			return line
		}
		length, _, _ := strings.Cut(address[at+1:], ",")
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > at {
			return line
		}
		address = strings.TrimSuffix(address[:at-n], " ")
	}
	return address
}

// numbersAt is the place before the digits, commas and signs that a text ends in; -1 when it has nothing else.
func numbersAt(s string) int {
	return strings.LastIndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != ',' && r != '-' })
}

// headers reads the header lines: a length of three digits or more, a letter for the kind ("*" for one that is no longer
// in force), a space, and so many bytes.
func (f *spoolFile) headers() error {
	for len(f.rest) > 0 {
		digits := 0
		for digits < len(f.rest) && f.rest[digits] >= '0' && f.rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(string(f.rest[:digits]))
		start := digits + 2
		if err != nil || start > len(f.rest) || f.rest[digits+1] != ' ' || n > len(f.rest)-start {
			return errors.New("a header's length is not what follows")
		}
		kind := f.rest[digits]
		text := strings.TrimSuffix(string(f.rest[start:start+n]), "\n")
		f.rest = f.rest[start+n:]
		if name, value, ok := strings.Cut(text, ":"); ok && kind != '*' {
			f.m.Headers = append(f.m.Headers, Header{Name: strings.TrimRight(name, " \t"), Text: value})
		}
	}
	return nil
}
