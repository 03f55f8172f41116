package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Guest is somebody who comes in without an account of osm's: a panel's user, or a customer with a link. User names one of
// osm's users instead, and then the rest is his.
type Guest struct {
	User     string   `json:"user,omitempty"`
	Name     string   `json:"name,omitempty"` // what the panel calls him; hostile
	Role     Role     `json:"role,omitempty"`
	Accounts []string `json:"accounts,omitempty"`
	Page     string   `json:"page,omitempty"` // where he wants to go: a path below the base path
}

// Check reports what can't be.
func (g *Guest) Check() error {
	if g.User != "" {
		return nil
	}
	if _, err := ParseRole(string(g.Role)); err != nil {
		return err
	}
	if g.Accounts = cleanAccounts(g.Accounts); g.Role.Bound() && len(g.Accounts) == 0 {
		return fmt.Errorf("a %s sees the mail of certain accounts: name them", g.Role)
	}
	if g.Name == "" || len(g.Name) > mostLetters {
		return errors.New("a guest needs a name")
	}
	return nil
}

// TicketFor is how long a panel's ticket waits to be used.
const TicketFor = time.Minute

// mostTickets bounds those that wait.
const mostTickets = 10_000

// MakeTicket makes a secret with which somebody comes in once, within a time: a panel asks for one and sends its user's browser
// here.
func (a *Access) MakeTicket(ctx context.Context, g Guest, span time.Duration, by string) (string, error) {
	if err := g.Check(); err != nil {
		return "", err
	}
	whom := g.Name
	if g.User != "" {
		u, err := a.User(ctx, g.User)
		if err != nil {
			return "", err
		}
		g.User, whom = u.Name, u.Name
	}
	secret := randomText(secretBytes)
	now := a.now()
	return secret, a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		if _, err := tx.Exec(`DELETE FROM ticket WHERE expires <= ? OR hash IN
			(SELECT hash FROM ticket ORDER BY expires DESC LIMIT -1 OFFSET ?)`, now.UnixMilli(), mostTickets-1); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO ticket (hash, guest, expires) VALUES (?, ?, ?)", hashOf(secret), encode(g), now.Add(span).UnixMilli()); err != nil {
			return err
		}
		return note(Change{By: by, What: "ticket", Whom: whom, Text: strings.TrimSpace(roleText(g.Role, g.Accounts))})
	})
}

// UseTicket takes a ticket. It is good for once: ErrOver afterwards.
func (a *Access) UseTicket(ctx context.Context, secret string) (g Guest, err error) {
	err = a.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		var blob string
		err := tx.QueryRow("DELETE FROM ticket WHERE hash = ? AND expires > ? RETURNING guest", hashOf(secret), a.now().UnixMilli()).Scan(&blob)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrOver
		}
		if err != nil {
			return fmt.Errorf("read a ticket: %w", err)
		}
		return json.Unmarshal([]byte(blob), &g)
	})
	return g, err
}

// linkKey is the name of the key of links among the secrets.
const linkKey = "link"

// key reads a secret key, or makes it.
func (a *Access) key(ctx context.Context, name string) (key []byte, err error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	err = db.QueryRowContext(ctx, "SELECT value FROM secret WHERE name = ?", name).Scan(&key)
	if !errors.Is(err, sql.ErrNoRows) {
		return key, err
	}
	err = a.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		fresh := make([]byte, secretBytes)
		rand.Read(fresh) // never fails (crypto/rand)
		if _, err := tx.Exec("INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", name, fresh); err != nil {
			return err
		}
		return tx.QueryRow("SELECT value FROM secret WHERE name = ?", name).Scan(&key)
	})
	return key, err
}

// link is what a link says, in JSON, before its signature.
type link struct {
	Guest Guest `json:"g"`
	Until int64 `json:"u"` // Unix seconds
}

// mostLink is the length of a link's token.
const mostLink = 2000

// MakeLink makes a token with which a customer comes in until a time, as often as he likes. Nothing of it is stored: it is
// signed (HMAC-SHA256). Only a customer's or reseller's view can be given away so.
func (a *Access) MakeLink(ctx context.Context, g Guest, until time.Time, by string) (string, error) {
	if g.User != "" || !g.Role.Bound() {
		return "", errors.New("a link is for a customer or a reseller, not for a user or a role that sees everything")
	}
	if err := g.Check(); err != nil {
		return "", err
	}
	key, err := a.key(ctx, linkKey)
	if err != nil {
		return "", err
	}
	body := []byte(encode(link{Guest: g, Until: until.Unix()}))
	text := base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString(sign(key, body))
	if len(text) > mostLink {
		return "", errors.New("a link for so many accounts would be too long: make a user")
	}
	return text, a.write(ctx, func(_ *sql.Tx, note func(Change) error) error {
		return note(Change{By: by, What: "link", Whom: g.Name, Text: roleText(g.Role, g.Accounts) + " until " + until.UTC().Format(time.RFC3339)})
	})
}

func sign(key, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("osm link\n"))
	mac.Write(body)
	return mac.Sum(nil)
}

// UseLink reads what MakeLink has made, or is ErrOver.
func (a *Access) UseLink(ctx context.Context, token string) (Guest, time.Time, error) {
	if len(token) > mostLink || strings.Count(token, ".") != 1 {
		return Guest{}, time.Time{}, ErrOver
	}
	key, err := a.key(ctx, linkKey)
	if err != nil {
		return Guest{}, time.Time{}, err
	}
	l, ok := readLink(key, token)
	until := time.Unix(l.Until, 0)
	if !ok || !until.After(a.now()) {
		return Guest{}, time.Time{}, ErrOver
	}
	return l.Guest, until, nil
}

// readLink takes a link's token apart and looks at its signature.
func readLink(key []byte, token string) (l link, ok bool) {
	left, right, _ := strings.Cut(token, ".")
	body, err := base64.RawURLEncoding.Strict().DecodeString(left)
	if err != nil {
		return link{}, false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(right)
	if err != nil || !hmac.Equal(mac, sign(key, body)) {
		return link{}, false
	}
	if json.Unmarshal(body, &l) != nil || l.Guest.User != "" || l.Guest.Check() != nil || !l.Guest.Role.Bound() {
		return link{}, false
	}
	return l, true
}
