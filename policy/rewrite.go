package policy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"osm"
)

// HoldDomain is the domain of rewritten addresses; Exim's side of it is the router that exim.Snippets makes.
const HoldDomain = "osm-hold.invalid"

// Rewriter makes and reads the addresses that stand for a recipient whose mail is not let through, when Exim asks by
// address rewriting. Such an address carries the original, the verdict's action and id, and is signed for the one message
// it is in, so that nobody else can write one that osm would let go:
//
//	ACTION.VERDICT.SIGNATURE.ORIGINAL@osm-hold.invalid
//
// all in lower case letters and digits (RFC 4648 section 7 without padding), which survive whatever a mail server does to
// a local part.
type Rewriter struct {
	key []byte
	// Released tells whether the verdict on a message no longer holds it; nil is never. Called from the goroutine that asks.
	Released func(messageID, verdict string) bool
}

// KeyPath is where the key is kept: lost, held messages can only be removed.
const KeyPath = "/var/lib/osm/rewrite.key"

const keySize = 32

// NewRewriter makes a Rewriter with a key of at least 32 bytes.
func NewRewriter(key []byte) (*Rewriter, error) {
	if len(key) < keySize {
		return nil, fmt.Errorf("the key for rewritten addresses has %d bytes, and needs %d", len(key), keySize)
	}
	return &Rewriter{key: key}, nil
}

// OpenRewriter reads the key from a file, which CreateKey has made.
func OpenRewriter(path string) (*Rewriter, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key for rewritten addresses: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read the key for rewritten addresses from %s: %w", path, err)
	}
	return NewRewriter(key)
}

// CreateKey makes a key's file where there is none, and reports whether it did. It appears whole or not at all, and is
// readable by the owner of its folder alone: root makes it, osm's own user reads it.
func CreateKey(path string) (created bool, err error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil
	}
	key := make([]byte, keySize)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(path), ".rewrite-key-") // mode 0600
	if err != nil {
		return false, fmt.Errorf("make the key for rewritten addresses: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%x\n", key)
	if err = errors.Join(err, giveToOwner(f, filepath.Dir(path)), f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path) // unlike a rename it leaves a file that is there
	}
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("make the key for rewritten addresses: %w", err)
	}
	return true, nil
}

// giveToOwner gives an open file to the owner of a folder. By its name it could be another one meanwhile.
func giveToOwner(f *os.File, folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the owner of %s is not known", folder)
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// AnyMessage is encoded in place of a message id that is not known yet: by the gateway, before Exim has given one. Such an
// address is good in any message, and let go like others only when the message that it is in is released.
const AnyMessage = ""

// Rewritten is what a rewritten address tells.
type Rewritten struct {
	Action   osm.Action // Hold, Reject or Discard
	Verdict  string     // its id
	Original string     // the recipient
	Signed   bool       // by this server for this message; without, Exim wrote it because osm did not answer
}

// ErrNotOurs says that an address in the hold domain was not made here for this message.
var ErrNotOurs = errors.New("not an address that osm made for this message")

// The letters that begin a rewritten address; "u" is for the unsigned ones that Exim itself writes.
const (
	letterHold    = "h"
	letterReject  = "r"
	letterDiscard = "d"
)

// letter is how an address tells its action. A deferral is a hold: Exim has taken the message.
func letter(a osm.Action) string {
	switch a {
	case osm.Reject:
		return letterReject
	case osm.Discard:
		return letterDiscard
	}
	return letterHold
}

func actionOf(letter string) (a osm.Action, ok bool) {
	switch letter {
	case letterHold:
		return osm.Hold, true
	case letterReject:
		return osm.Reject, true
	case letterDiscard:
		return osm.Discard, true
	}
	return a, false
}

var lower = base32.HexEncoding.WithPadding(base32.NoPadding)

// Encode makes the address that stands for a recipient of a message.
func (w *Rewriter) Encode(messageID, recipient string, v osm.Verdict) string {
	begin := letter(v.Action) + "." + strings.ToLower(v.ID)
	address := begin + "." + w.sign(messageID, begin, recipient) + "." +
		strings.ToLower(lower.EncodeToString([]byte(recipient))) + "@" + HoldDomain
	if len(address) > addressMost {
		return tooLong + "@" + HoldDomain
	}
	return address
}

// addressMost is how long an address may be for Exim to rewrite to it: a longer one it leaves as it was, so that mail to
// a recipient of more than some 130 bytes would never be held. It is refused instead, in a bounce to its sender.
const (
	addressMost = 255
	tooLong     = "long"
)

// signatureSize is enough where each guess costs a message.
const signatureSize = 10

// sign makes a signature over everything that must not change. No part but the last can hold a line end.
func (w *Rewriter) sign(messageID, begin, recipient string) string {
	h := hmac.New(sha256.New, w.key)
	fmt.Fprintf(h, "%s\n%s\n%s", messageID, begin, recipient)
	return strings.ToLower(lower.EncodeToString(h.Sum(nil)[:signatureSize]))
}

// IsRewritten tells whether an address is in the hold domain.
func IsRewritten(address string) bool {
	_, domain, ok := cutLast(address, "@")
	return ok && strings.EqualFold(domain, HoldDomain)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Decode reads an address in the hold domain. The error is ErrNotOurs.
func (w *Rewriter) Decode(messageID, address string) (Rewritten, error) {
	if !IsRewritten(address) {
		return Rewritten{}, ErrNotOurs
	}
	local, _, _ := cutLast(address, "@")
	if local == tooLong {
		return Rewritten{Action: osm.Reject}, nil
	}
	if text, ok := strings.CutPrefix(local, "u."); ok {
		original, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(original) == 0 || IsRewritten(string(original)) {
			return Rewritten{}, ErrNotOurs
		}
		return Rewritten{Action: osm.Hold, Original: string(original)}, nil
	}
	part := strings.Split(strings.ToLower(local), ".")
	if len(part) != 4 {
		return Rewritten{}, ErrNotOurs
	}
	action, known := actionOf(part[0])
	original, err := lower.DecodeString(strings.ToUpper(part[3]))
	signed := func(id string) bool {
		return hmac.Equal([]byte(part[2]), []byte(w.sign(id, part[0]+"."+part[1], string(original))))
	}
	if !known || err != nil || !signed(messageID) && !signed(AnyMessage) {
		return Rewritten{}, ErrNotOurs
	}
	return Rewritten{Action: action, Verdict: strings.ToUpper(part[1]), Original: string(original), Signed: true}, nil
}

// Answer is the verdict on a question of the state Rewrite. decide judges the message with one recipient; it is asked
// about addresses that are not held yet. A verdict that stops becomes the address that Exim is to write instead; of an
// address that is held already Exim's router is told what to do with it.
func (w *Rewriter) Answer(r *Request, decide func(recipient string) osm.Verdict) osm.Verdict {
	id := r.Message.ID
	if !IsRewritten(r.Recipient) {
		v := decide(r.Recipient)
		if v.Stops() {
			v.Action, v.Detail = osm.Divert, w.Encode(id, r.Recipient, v)
		}
		return v
	}
	held, err := w.Decode(id, r.Recipient)
	if err != nil {
		return osm.Verdict{Action: osm.Defer, Rule: "rewrite", Reason: "not-ours", Detail: err.Error()}
	}
	if held.Original == "" {
		return osm.Verdict{Action: osm.Reject, Rule: "rewrite", Reason: "too-long",
			Detail: "refused by policy, and the recipient's address is too long to be held"}
	}
	released := w.Released != nil && w.Released(id, held.Verdict)
	if !held.Signed {
		v := decide(held.Original)
		return w.route(v, v.Stops() && !released, held.Original)
	}
	return w.route(osm.Verdict{Action: held.Action, Rule: "rewrite", Reason: "held", Detail: "held", ID: held.Verdict},
		!released, held.Original)
}

// route tells the router what to do: a hold defers, and the original goes back in base64 because it may hold anything.
func (w *Rewriter) route(v osm.Verdict, stops bool, original string) osm.Verdict {
	switch {
	case !stops:
		v.Action, v.Detail = osm.Divert, base64.StdEncoding.EncodeToString([]byte(original))
	case v.Action != osm.Reject && v.Action != osm.Discard:
		v.Action = osm.Defer
	}
	return v
}
