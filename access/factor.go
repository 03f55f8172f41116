package access

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// How one-time codes are made (RFC 6238), and how many codes for a lost phone there are.
const (
	codeStep      = 30 * time.Second
	codeSkew      = 1 // steps that a phone's clock may be off
	codeKey       = 20
	recoveryCodes = 10
)

// BeginTOTP makes a new key of one-time codes for a user. It is of no effect before a code of it has been told: what is
// shown to the phone is the address (otpauth:).
func (a *Access) BeginTOTP(ctx context.Context, name, issuer string) (secret, address string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: name, Period: uint(codeStep / time.Second), SecretSize: codeKey,
		Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", "", fmt.Errorf("make a key of one-time codes: %w", err)
	}
	err = a.write(ctx, func(tx *sql.Tx, _ func(Change) error) error {
		done, err := tx.Exec("UPDATE user SET totp_new = ? WHERE name = ?", key.Secret(), name)
		if err != nil {
			return err
		}
		return one(done)
	})
	return key.Secret(), key.URL(), err
}

// ConfirmTOTP makes the new key the user's second factor, when a code of it is told, and hands out the codes for a lost phone.
func (a *Access) ConfirmTOTP(ctx context.Context, name, code, by string) (recovery []string, err error) {
	now := a.now()
	err = a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		var fresh string
		if err := tx.QueryRow("SELECT totp_new FROM user WHERE name = ?", name).Scan(&fresh); err != nil {
			return errors.Join(ErrNotFound, err)
		}
		step, ok := codeOf(fresh, code, now)
		if !ok {
			return ErrFactor
		}
		if _, err := tx.Exec("UPDATE user SET totp = totp_new, totp_new = '', totp_last = ? WHERE name = ?", step, name); err != nil {
			return err
		}
		if recovery, err = makeRecovery(tx, name); err != nil {
			return err
		}
		return note(Change{By: by, What: "second-factor", Whom: name, Text: "one-time codes are needed from now on"})
	})
	return recovery, err
}

// makeRecovery replaces a user's codes for a lost phone.
func makeRecovery(tx *sql.Tx, name string) (codes []string, err error) {
	if _, err := tx.Exec("DELETE FROM recovery WHERE user = ?", name); err != nil {
		return nil, err
	}
	for range recoveryCodes {
		code := strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(randomText(12)))
		code = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:16]
		if _, err := tx.Exec("INSERT INTO recovery (user, hash) VALUES (?, ?)", name, hashOf(code)); err != nil {
			return nil, err
		}
		codes = append(codes, code)
	}
	return codes, nil
}

// ResetFactors takes a user's second factors away, all of them: one-time codes, codes for a lost phone and passkeys.
func (a *Access) ResetFactors(ctx context.Context, name, by string) error {
	name = strings.ToLower(name)
	return a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		done, err := tx.Exec("UPDATE user SET totp = '', totp_new = '', totp_last = 0 WHERE name = ?", name)
		if err != nil {
			return err
		}
		if err := one(done); err != nil {
			return err
		}
		for _, table := range []string{"recovery", "passkey"} {
			if _, err := tx.Exec("DELETE FROM "+table+" WHERE user = ?", name); err != nil {
				return err
			}
		}
		return note(Change{By: by, What: "second-factor", Whom: name, Text: "removed"})
	})
}

// SecondFactor looks at the code of a user who has told his password: a one-time code, each good for once, or one for a lost
// phone. The error is ErrFactor or ErrThrottled when it is not let through.
func (a *Access) SecondFactor(ctx context.Context, name, code string, from netip.Addr) error {
	if !a.tries.try(name, from, a.now()) {
		return ErrThrottled
	}
	now := a.now()
	err := a.write(ctx, func(tx *sql.Tx, note func(Change) error) error {
		var key string
		var last int64
		if err := tx.QueryRow("SELECT totp, totp_last FROM user WHERE name = ?", name).Scan(&key, &last); err != nil {
			return errors.Join(ErrFactor, err)
		}
		if step, ok := codeOf(key, code, now); ok && step > last {
			_, err := tx.Exec("UPDATE user SET totp_last = ? WHERE name = ?", step, name)
			return err
		}
		done, err := tx.Exec("DELETE FROM recovery WHERE user = ? AND hash = ?", name, hashOf(strings.ToLower(strings.TrimSpace(code))))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrFactor, err)
		}
		return note(Change{By: name, What: "second-factor", Whom: name, Text: "a code for a lost phone was used"})
	})
	if err == nil {
		a.tries.succeeded(name, from)
	}
	return err
}

// codeOf tells which step a one-time code is of, when it is one of the present ones.
func codeOf(key, code string, now time.Time) (step int64, ok bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if key == "" || len(code) != otp.DigitsSix.Length() {
		return 0, false
	}
	for skew := -codeSkew; skew <= codeSkew; skew++ {
		at := now.Add(time.Duration(skew) * codeStep)
		want, err := totp.GenerateCode(key, at)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = at.Unix()/int64(codeStep/time.Second), true
		}
	}
	return step, ok
}
