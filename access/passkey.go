package access

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Passkey is a key that a user's device keeps for him.
type Passkey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// mostPasskeys is how many one user may have.
const mostPasskeys = 20

// Passkeys is the ceremony of passkeys (WebAuthn level 3) for pages of one origin.
type Passkeys struct {
	access *Access
	rp     *webauthn.WebAuthn
}

// Passkeys begins nothing yet. The origin is where browsers reach the pages; an address without a name has no passkeys.
func (a *Access) Passkeys(origin string) (*Passkeys, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("passkeys for %q: %w", origin, err)
	}
	rp, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "osm", RPOrigins: []string{origin},
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil, fmt.Errorf("passkeys for %q: %w", origin, err)
	}
	return &Passkeys{access: a, rp: rp}, nil
}

// keyUser is a user as the library wants him.
type keyUser struct {
	*User
	credentials []webauthn.Credential
}

func (u *keyUser) WebAuthnID() []byte                         { return u.handle }
func (u *keyUser) WebAuthnName() string                       { return u.Name }
func (u *keyUser) WebAuthnDisplayName() string                { return u.Name }
func (u *keyUser) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

func (p *Passkeys) user(ctx context.Context, where string, arg any) (*keyUser, error) {
	u, err := p.access.userBy(ctx, where, arg)
	if err != nil {
		return nil, err
	}
	db, err := p.access.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT credential FROM passkey WHERE user = ?", u.Name)
	if err != nil {
		return nil, fmt.Errorf("read the passkeys: %w", err)
	}
	defer rows.Close()
	k := &keyUser{User: u}
	for rows.Next() {
		var text string
		var c webauthn.Credential
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return nil, fmt.Errorf("read a passkey: %w", err)
		}
		k.credentials = append(k.credentials, c)
	}
	return k, rows.Err()
}

// BeginAdd begins to add a passkey: options are for the browser's navigator.credentials.create, state is for FinishAdd and
// stays here.
func (p *Passkeys) BeginAdd(ctx context.Context, name string) (options any, state string, err error) {
	u, err := p.user(ctx, "name = ?", name)
	if err != nil {
		return nil, "", err
	}
	if len(u.credentials) >= mostPasskeys {
		return nil, "", fmt.Errorf("%s has %d passkeys already: remove one first", name, len(u.credentials))
	}
	var have []protocol.CredentialDescriptor
	for i := range u.credentials {
		have = append(have, u.credentials[i].Descriptor())
	}
	creation, session, err := p.rp.BeginRegistration(u, webauthn.WithExclusions(have))
	if err != nil {
		return nil, "", fmt.Errorf("begin to add a passkey: %w", err)
	}
	return creation.Response, encode(session), nil
}

// FinishAdd looks at what the browser answered and keeps the passkey.
func (p *Passkeys) FinishAdd(ctx context.Context, name, state, label string, answer io.Reader) error {
	session, err := readState(state)
	if err != nil {
		return err
	}
	u, err := p.user(ctx, "name = ?", name)
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBody(answer)
	if err != nil {
		return fmt.Errorf("add a passkey: %w", ErrFactor)
	}
	credential, err := p.rp.CreateCredential(u, session, parsed)
	if err != nil {
		p.access.options.Logger.Info("a passkey was refused", "user", name, "error", err)
		return fmt.Errorf("add a passkey: %w", ErrFactor)
	}
	if label = strings.TrimSpace(label); label == "" || len(label) > mostTokenName {
		label = "passkey"
	}
	return p.access.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		if _, err := tx.Exec("INSERT INTO passkey (id, user, name, credential, created) VALUES (?, ?, ?, ?, ?)", keyID(credential.ID), name, label,
			encode(credential), p.access.now().UnixMilli()); err != nil {
			return err
		}
		return note(Change{By: name, What: "second-factor", Whom: name, Text: "passkey added: " + label})
	})
}

// BeginSignIn begins a sign-in: options are for the browser's navigator.credentials.get.
func (p *Passkeys) BeginSignIn() (options any, state string, err error) {
	assertion, session, err := p.rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", fmt.Errorf("begin a sign-in by passkey: %w", err)
	}
	return assertion.Response, encode(session), nil
}

// FinishSignIn looks at what the browser answered, and tells who it is. A passkey is two factors at once: the device, and
// what opens it. The error is ErrFactor when it is not let through.
func (p *Passkeys) FinishSignIn(ctx context.Context, state string, answer io.Reader) (*User, error) {
	session, err := readState(state)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBody(answer)
	if err != nil {
		return nil, ErrFactor
	}
	var found *keyUser
	credential, err := p.rp.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		var err error
		found, err = p.user(ctx, "handle = ?", handle)
		return found, err
	}, session, parsed)
	if err != nil {
		p.access.options.Logger.Info("a passkey was refused", "error", err)
		return nil, ErrFactor
	}
	if credential.Authenticator.CloneWarning {
		p.access.options.Logger.Warn("a passkey was refused: it seems that there are two of it", "user", found.Name)
		return nil, ErrFactor
	}
	return found.User, p.access.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		_, err := tx.Exec("UPDATE passkey SET credential = ?, used = ? WHERE id = ?", encode(credential), p.access.now().UnixMilli(), keyID(credential.ID))
		return err
	})
}

func readState(state string) (s webauthn.SessionData, err error) {
	if state == "" {
		return s, ErrOver
	}
	if err := json.Unmarshal([]byte(state), &s); err != nil {
		return s, errors.Join(ErrOver, err)
	}
	return s, nil
}

func keyID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// PasskeysOf lists a user's passkeys, the oldest first.
func (a *Access) PasskeysOf(ctx context.Context, name string) ([]Passkey, error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT id, name, created, used FROM passkey WHERE user = ? ORDER BY created, id", name)
	if err != nil {
		return nil, fmt.Errorf("read the passkeys: %w", err)
	}
	defer rows.Close()
	all := []Passkey{}
	for rows.Next() {
		var k Passkey
		var created, used int64
		if err := rows.Scan(&k.ID, &k.Name, &created, &used); err != nil {
			return nil, err
		}
		k.Created = time.UnixMilli(created)
		if used > 0 {
			k.Used = time.UnixMilli(used)
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// RemovePasskey removes one of a user's passkeys.
func (a *Access) RemovePasskey(ctx context.Context, name, id string) error {
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		done, err := tx.Exec("DELETE FROM passkey WHERE user = ? AND id = ?", name, id)
		if err != nil {
			return err
		}
		if err := one(done); err != nil {
			return err
		}
		return note(Change{By: name, What: "second-factor", Whom: name, Text: "passkey removed"})
	})
}
