package access

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

// The values of a session that tell whose it is. Neither is there before a sign-in is complete.
const (
	UserValue  = "user"  // name of a user
	GuestValue = "guest" // a Guest as JSON
)

// guests stands for a user's name where a session is a guest's.
const guests = "@guest"

// SessionCodec writes sessions whose values are texts as JSON.
type SessionCodec struct{}

var _ scs.Codec = SessionCodec{}

type sessionData struct {
	Deadline time.Time         `json:"deadline"`
	Values   map[string]string `json:"values"`
}

// Encode implements scs.Codec.
func (SessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	d := sessionData{Deadline: deadline, Values: make(map[string]string, len(values))}
	for name, v := range values {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("the session's %s is no text", name)
		}
		d.Values[name] = text
	}
	return json.Marshal(d)
}

// Decode implements scs.Codec.
func (SessionCodec) Decode(blob []byte) (time.Time, map[string]any, error) {
	var d sessionData
	if err := json.Unmarshal(blob, &d); err != nil {
		return time.Time{}, nil, fmt.Errorf("read a session: %w", err)
	}
	values := make(map[string]any, len(d.Values))
	for name, v := range d.Values {
		values[name] = v
	}
	return d.Deadline, values, nil
}

// Sessions is where scs keeps sessions. Their tokens are hashed before they get here (SessionManager.HashTokenInStore).
type Sessions struct {
	Idle   time.Duration // after which one that is not used ends; 0: none does before its time
	access *Access
}

var _ scs.CtxStore = Sessions{}

// Sessions returns the store of sessions.
func (a *Access) Sessions() Sessions { return Sessions{access: a} }

// mostUnknown bounds what strangers can make: a sign-in that waits for its second step has a session too. The ones that end
// first go.
const mostUnknown = 10_000

// FindCtx implements scs.CtxStore.
func (s Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	db, err := s.access.open()
	if err != nil {
		return nil, false, err
	}
	var expires int64
	err = db.QueryRowContext(ctx, "SELECT data, expires FROM session WHERE token = ? AND expires > ?", token, s.access.now().UnixMilli()).
		Scan(&data, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil && s.Idle > 0 {
		err = s.used(ctx, token, data, time.UnixMilli(expires))
	}
	return data, err == nil, err
}

// seldom is the share of Idle that must have passed before its use is written down: not every request writes.
const seldom = 20

// used lets a session last from now on. One that was ended meanwhile stays ended.
func (s Sessions) used(ctx context.Context, token string, data []byte, expires time.Time) error {
	var d sessionData
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("read a session: %w", err)
	}
	until := s.atMost(d.Deadline)
	if until.Sub(expires) < s.Idle/seldom {
		return nil
	}
	return s.access.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		_, err := tx.Exec("UPDATE session SET expires = ? WHERE token = ?", until.UnixMilli(), token)
		return err
	})
}

// atMost is when a session ends that is not used any more.
func (s Sessions) atMost(deadline time.Time) time.Time {
	if idle := s.access.now().Add(s.Idle); s.Idle > 0 && idle.Before(deadline) {
		return idle
	}
	return deadline
}

// CommitCtx implements scs.CtxStore.
func (s Sessions) CommitCtx(ctx context.Context, token string, data []byte, expires time.Time) error {
	var d sessionData
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("write a session: %w", err)
	}
	user := d.Values[UserValue]
	if user == "" && d.Values[GuestValue] != "" {
		user = guests
	}
	return s.access.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		if _, err := tx.Exec("DELETE FROM session WHERE expires <= ?", s.access.now().UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT OR REPLACE INTO session (token, user, data, expires) VALUES (?, ?, ?, ?)", token, user, data,
			s.atMost(expires).UnixMilli())
		if err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE FROM session WHERE token IN
			(SELECT token FROM session WHERE user = '' ORDER BY expires DESC LIMIT -1 OFFSET ?)`, mostUnknown)
		return err
	})
}

// DeleteCtx implements scs.CtxStore.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.access.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		_, err := tx.Exec("DELETE FROM session WHERE token = ?", token)
		return err
	})
}

// Find, Commit and Delete are the same without a context, which scs does not call.

// Find implements scs.Store.
func (s Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s Sessions) Commit(token string, data []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expires)
}

// Delete implements scs.Store.
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// Session is one sign-in of a user, for him to end.
type Session struct {
	ID      string            `json:"id"` // the hash of its token
	Expires time.Time         `json:"expires"`
	Values  map[string]string `json:"-"`
}

// Of lists a user's sessions, the one that ends last first.
func (s Sessions) Of(ctx context.Context, user string) ([]Session, error) {
	db, err := s.access.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT token, data, expires FROM session WHERE user = ? AND expires > ? ORDER BY expires DESC, token",
		user, s.access.now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	defer rows.Close()
	all := []Session{}
	for rows.Next() {
		var one Session
		var data []byte
		var expires int64
		if err := rows.Scan(&one.ID, &data, &expires); err != nil {
			return nil, err
		}
		var d sessionData
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("read a session: %w", err)
		}
		one.Expires, one.Values = time.UnixMilli(expires), d.Values
		all = append(all, one)
	}
	return all, rows.Err()
}

// End ends one of a user's sessions.
func (s Sessions) End(ctx context.Context, user, id string) error {
	return s.access.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		done, err := tx.Exec("DELETE FROM session WHERE user = ? AND token = ?", user, id)
		if err != nil {
			return err
		}
		if err := one(done); err != nil {
			return err
		}
		return note(Change{By: user, What: "sign-out", Whom: user, Text: "another session was ended"})
	})
}
