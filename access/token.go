package access

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Token lets a program come in as a user.
type Token struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Name    string    `json:"name"`   // what it is for
	Scopes  []string  `json:"scopes"` // rights that it is limited to; none: whatever the user may
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Used    time.Time `json:"used,omitzero"` // by the hour
}

// tokenMark begins every token, so that one that got out is found by a search.
const tokenMark = "osm_"

// Limits of tokens.
const (
	mostTokens    = 100 // of a user
	mostTokenName = 100
)

// AddToken makes a token. Its secret is shown this once; only a hash is kept.
func (a *Access) AddToken(ctx context.Context, t Token, by string) (made Token, secret string, err error) {
	t.User, t.Name = strings.ToLower(t.User), strings.TrimSpace(t.Name)
	now := a.now()
	switch {
	case t.Name == "" || len(t.Name) > mostTokenName:
		return t, "", fmt.Errorf("say what the token is for, in at most %d bytes", mostTokenName)
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return t, "", errors.New("the end of the token is over already")
	}
	t.ID, t.Created, secret = "T"+randomText(5), now, tokenMark+randomText(secretBytes)
	expires := int64(0)
	if !t.Expires.IsZero() {
		expires = t.Expires.UnixMilli()
	}
	err = a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		var users, tokens int
		err := tx.QueryRow("SELECT (SELECT count(*) FROM user WHERE name = ?1), (SELECT count(*) FROM token WHERE user = ?1)", t.User).
			Scan(&users, &tokens)
		switch {
		case err != nil:
			return err
		case users == 0:
			return ErrNotFound
		case tokens >= mostTokens:
			return fmt.Errorf("%s has %d tokens already: remove one first", t.User, tokens)
		}
		if _, err := tx.Exec("INSERT INTO token (id, user, name, hash, scopes, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)", t.ID, t.User,
			t.Name, hashOf(secret), encode(t.Scopes), now.UnixMilli(), expires); err != nil {
			return err
		}
		return note(Change{By: by, What: "token", Whom: t.User, Text: "made " + t.ID + ": " + t.Name})
	})
	return t, secret, err
}

const tokenColumns = "id, user, name, scopes, created, expires, used"

func scanToken(scan func(...any) error) (t Token, err error) {
	var scopes string
	var created, expires, used int64
	if err = scan(&t.ID, &t.User, &t.Name, &scopes, &created, &expires, &used); err != nil {
		return t, err
	}
	t.Created = time.UnixMilli(created)
	if expires > 0 {
		t.Expires = time.UnixMilli(expires)
	}
	if used > 0 {
		t.Used = time.UnixMilli(used)
	}
	return t, json.Unmarshal([]byte(scopes), &t.Scopes)
}

// Tokens lists a user's tokens, all of them where the name is "".
func (a *Access) Tokens(ctx context.Context, user string) ([]Token, error) {
	db, err := a.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT "+tokenColumns+" FROM token WHERE ?1 IN ('', user) ORDER BY user, created, id", strings.ToLower(user))
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	defer rows.Close()
	all := []Token{}
	for rows.Next() {
		t, err := scanToken(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// RemoveToken makes a token invalid; user is whose it must be, "" anybody's.
func (a *Access) RemoveToken(ctx context.Context, id, user, by string) error {
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		t, err := scanToken(tx.QueryRow("DELETE FROM token WHERE id = ? AND ? IN ('', user) RETURNING "+tokenColumns, id, strings.ToLower(user)).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return note(Change{By: by, What: "token", Whom: t.User, Text: "removed " + t.ID + ": " + t.Name})
	})
}

// UseToken finds the user of a token. ErrOver says that there is no such token (any longer).
func (a *Access) UseToken(ctx context.Context, secret string) (*User, Token, error) {
	db, err := a.open()
	if err != nil {
		return nil, Token{}, err
	}
	if !strings.HasPrefix(secret, tokenMark) {
		return nil, Token{}, ErrOver
	}
	now := a.now()
	t, err := scanToken(db.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM token WHERE hash = ? AND (expires = 0 OR expires > ?)", hashOf(secret),
		now.UnixMilli()).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, Token{}, ErrOver
	}
	if err != nil {
		return nil, Token{}, fmt.Errorf("read a token: %w", err)
	}
	if now.Sub(t.Used) >= time.Hour { // a write for each request would be too many
		if _, err := db.ExecContext(ctx, "UPDATE token SET used = ? WHERE id = ?", now.UnixMilli(), t.ID); err != nil {
			a.options.Logger.Warn("the use of a token is not noted", "token", t.ID, "error", err)
		}
	}
	u, err := a.User(ctx, t.User)
	return u, t, err
}
