package access

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// User is one who may come in.
type User struct {
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Accounts []string  `json:"accounts"` // whose mail a reseller or a customer sees
	OIDC     string    `json:"oidc,omitempty"`
	Password bool      `json:"password"` // he has one
	TOTP     bool      `json:"totp"`     // he needs a one-time code
	Passkeys int       `json:"passkeys"`
	Created  time.Time `json:"created"`
	Seen     time.Time `json:"seen,omitzero"` // last sign-in

	hash, key string // of the password; of one-time codes
	last      int64
	handle    []byte
}

// Scope is whose mail he sees.
func (u *User) Scope() Scope { return ScopeOf(u.Role, u.Accounts) }

// nameForm is what users may be called: harmless on every page, shell and log.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// checkName brings a name into its form.
func checkName(name string) (string, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("%q can't be a user's name: want letters, digits and . _ @ + - (at most 64)", name)
	}
	return name, nil
}

const userColumns = `name, role, accounts, password, coalesce(oidc, ''), handle, totp, totp_last, created, seen,
	(SELECT count(*) FROM passkey WHERE passkey.user = name)`

func scanUser(scan func(...any) error) (*User, error) {
	var u User
	var accounts string
	var created, seen int64
	err := scan(&u.Name, &u.Role, &accounts, &u.hash, &u.OIDC, &u.handle, &u.key, &u.last, &created, &seen, &u.Passkeys)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(accounts), &u.Accounts)
	}
	if err != nil {
		return nil, fmt.Errorf("read a user: %w", err)
	}
	u.Password, u.TOTP, u.Created = u.hash != "", u.key != "", time.UnixMilli(created)
	if seen > 0 {
		u.Seen = time.UnixMilli(seen)
	}
	return &u, nil
}

// User finds a user by his name, or is ErrNotFound.
func (a *Access) User(ctx context.Context, name string) (*User, error) {
	return a.userBy(ctx, "name = ?", strings.ToLower(name))
}

// UserByOIDC finds him by what the provider calls him, or is ErrNotFound.
func (a *Access) UserByOIDC(ctx context.Context, claim string) (*User, error) {
	return a.userBy(ctx, "oidc = ?", claim)
}

func (a *Access) userBy(ctx context.Context, where string, arg any) (*User, error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	return scanUser(db.QueryRowContext(ctx, "SELECT "+userColumns+" FROM user WHERE "+where, arg).Scan)
}

// Users lists them all by name.
func (a *Access) Users(ctx context.Context) ([]User, error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT "+userColumns+" FROM user ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("read the users: %w", err)
	}
	defer rows.Close()
	all := []User{}
	for rows.Next() {
		u, err := scanUser(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, *u)
	}
	return all, rows.Err()
}

// NewUser is what is known of a user that is to be made, or to be changed.
type NewUser struct {
	Name     string
	Role     Role
	Accounts []string
	Password string // "": none (in a change: as it is)
	OIDC     string // "": none
}

func (n *NewUser) check() (err error) {
	if n.Name, err = checkName(n.Name); err != nil {
		return err
	}
	if _, err = ParseRole(string(n.Role)); err != nil {
		return err
	}
	n.Accounts = cleanAccounts(n.Accounts)
	if n.Role.Bound() && len(n.Accounts) == 0 {
		return fmt.Errorf("a %s sees the mail of certain accounts: name them", n.Role)
	}
	if !n.Role.Bound() && len(n.Accounts) > 0 {
		return fmt.Errorf("a %s sees everybody's mail: accounts are for resellers and customers", n.Role)
	}
	if n.Password != "" {
		return checkPassword(n.Name, n.Password)
	}
	return nil
}

// Add makes a user. It fails with ErrExists when there is one of this name.
func (a *Access) Add(ctx context.Context, n NewUser, by string) error {
	if err := n.check(); err != nil {
		return err
	}
	hash := ""
	if n.Password != "" {
		var err error
		if hash, err = a.hash(ctx, n.Password); err != nil {
			return err
		}
	}
	handle := make([]byte, secretBytes)
	rand.Read(handle) // never fails (crypto/rand)
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		done, err := tx.Exec(`INSERT INTO user (name, role, accounts, password, oidc, handle, created)
			VALUES (?, ?, ?, ?, nullif(?, ''), ?, ?) ON CONFLICT (name) DO NOTHING`, n.Name, n.Role, encode(n.Accounts), hash, n.OIDC, handle,
			a.now().UnixMilli())
		if err != nil {
			return oidcTaken(err, n.OIDC)
		}
		if rows, err := done.RowsAffected(); err != nil || rows == 0 {
			return errors.Join(ErrExists, err)
		}
		return note(Change{By: by, What: "add-user", Whom: n.Name, Text: roleText(n.Role, n.Accounts)})
	})
}

// Change gives a user another role, other accounts and another name at the provider. His sessions end: they rest on what he
// was before. The last administrator stays one.
func (a *Access) Change(ctx context.Context, n NewUser, by string) error {
	n.Password = ""
	if err := n.check(); err != nil {
		return err
	}
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		if n.Role != Admin {
			if err := keepAdmin(tx, n.Name); err != nil {
				return err
			}
		}
		done, err := tx.Exec("UPDATE user SET role = ?, accounts = ?, oidc = nullif(?, '') WHERE name = ?", n.Role, encode(n.Accounts), n.OIDC, n.Name)
		if err != nil {
			return oidcTaken(err, n.OIDC)
		}
		if err := one(done); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM session WHERE user = ?", n.Name); err != nil {
			return err
		}
		return note(Change{By: by, What: "change-user", Whom: n.Name, Text: roleText(n.Role, n.Accounts)})
	})
}

// Remove removes a user with all that is his. The last administrator stays.
func (a *Access) Remove(ctx context.Context, name, by string) error {
	name = strings.ToLower(name)
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		if err := keepAdmin(tx, name); err != nil {
			return err
		}
		done, err := tx.Exec("DELETE FROM user WHERE name = ?", name)
		if err != nil {
			return err
		}
		if err := one(done); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM session WHERE user = ?", name); err != nil {
			return err
		}
		return note(Change{By: by, What: "remove-user", Whom: name})
	})
}

// keepAdmin fails when this is the last administrator.
func keepAdmin(tx *sql.Tx, name string) error {
	var others, is int
	err := tx.QueryRow("SELECT count(*) FILTER (WHERE name <> ?1), count(*) FILTER (WHERE name = ?1) FROM user WHERE role = ?2",
		name, Admin).Scan(&others, &is)
	if err == nil && is > 0 && others == 0 {
		err = fmt.Errorf("%s is the last administrator: make another one first", name)
	}
	return err
}

// SetPassword gives a user a new password. His sessions end.
func (a *Access) SetPassword(ctx context.Context, name, password, by string) error {
	name = strings.ToLower(name)
	if err := checkPassword(name, password); err != nil {
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		done, err := tx.Exec("UPDATE user SET password = ? WHERE name = ?", hash, name)
		if err != nil {
			return err
		}
		if err := one(done); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM session WHERE user = ?", name); err != nil {
			return err
		}
		return note(Change{By: by, What: "password", Whom: name, Text: "changed"})
	})
}

// SignIn looks at a name and a password. ErrDenied and ErrThrottled are all that a stranger learns. A user with a second
// factor has not come in by it: see User.TOTP.
func (a *Access) SignIn(ctx context.Context, name, password string, from netip.Addr) (*User, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if len(name) > mostLetters {
		return nil, ErrDenied
	}
	if !a.tries.try(name, from, a.now()) {
		return nil, ErrThrottled
	}
	u, err := a.User(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	stored := ""
	if u != nil {
		stored = u.hash
	}
	ok, err := a.matches(ctx, password, stored)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrDenied
	}
	a.tries.succeeded(name, from)
	return u, nil
}

// CameIn notes that a user has signed in, or (where user is "") a guest.
func (a *Access) CameIn(ctx context.Context, user, guest, how string) error {
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		who := guest
		if user != "" {
			who = user
			if _, err := tx.Exec("UPDATE user SET seen = ? WHERE name = ?", a.now().UnixMilli(), user); err != nil {
				return err
			}
		}
		return note(Change{By: who, What: "sign-in", Whom: who, Text: how})
	})
}

// one fails with ErrNotFound when nothing was changed.
func one(done sql.Result) error {
	rows, err := done.RowsAffected()
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	return err
}

// oidcTaken says in words that two users can't have the same name at the provider.
func oidcTaken(err error, name string) error {
	if strings.Contains(err.Error(), "user.oidc") {
		return fmt.Errorf("another user is %q at the provider already", name)
	}
	return err
}

func roleText(r Role, accounts []string) string {
	if len(accounts) == 0 {
		return string(r)
	}
	return string(r) + " of " + strings.Join(accounts, ", ")
}

// encode writes what has only texts: it can't fail.
func encode(v any) string {
	blob, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if string(blob) == "null" {
		return "[]"
	}
	return string(blob)
}
