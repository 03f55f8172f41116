package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost says how dear a password's hash is.
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // rounds
	Threads uint8
}

// DefaultCost is 19 MiB and two rounds, about 30 ms of one core: OWASP's advice for argon2id (RFC 9106) where memory is
// not to be had by whoever asks.
func DefaultCost() Cost { return Cost{Memory: 19 << 10, Time: 2, Threads: 1} }

// What a stored hash may ask for at most: a damaged file must not take all memory.
const (
	mostMemory  = 1 << 20 // KiB
	mostRounds  = 100
	saltLength  = 16
	hashLength  = 32
	leastLetter = 10
	mostLetters = 1000
)

// checkPassword says what is wrong with a new password.
func checkPassword(name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < leastLetter:
		return fmt.Errorf("the password must have at least %d characters", leastLetter)
	case len(password) > mostLetters:
		return fmt.Errorf("the password must have at most %d bytes", mostLetters)
	case strings.EqualFold(name, password):
		return errors.New("the password must not be the name")
	}
	return nil
}

// hash makes what is stored of a password, in the usual form: $argon2id$v=19$m=..,t=..,p=..$salt$hash.
func (a *Access) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLength)
	rand.Read(salt) // never fails (crypto/rand)
	sum, err := a.derive(ctx, password, salt, a.options.Cost, hashLength)
	if err != nil {
		return "", err
	}
	c := a.options.Cost
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Time, c.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
}

// derive waits until no other password is being looked at: many at once would take memory that others need.
func (a *Access) derive(ctx context.Context, password string, salt []byte, c Cost, length uint32) ([]byte, error) {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, c.Time, c.Memory, c.Threads, length), nil
}

// matches tells whether a password is the one of a stored hash. Without one, or with one that can't be read, it takes as long
// and says no.
func (a *Access) matches(ctx context.Context, password, stored string) (bool, error) {
	cost, salt, sum, err := parseHash(stored)
	if err != nil {
		cost, salt, sum = a.options.Cost, make([]byte, saltLength), nil
	}
	if len(password) > mostLetters {
		password = ""
	}
	got, err := a.derive(ctx, password, salt, cost, hashLength)
	return err == nil && len(sum) == hashLength && subtle.ConstantTimeCompare(got, sum) == 1, err
}

// parseHash takes a stored hash apart.
func parseHash(stored string) (c Cost, salt, sum []byte, err error) {
	bad := errors.New("this is no argon2id hash")
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, bad
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Time, &c.Threads); n != 3 || err != nil {
		return c, nil, nil, bad
	}
	if c.Memory == 0 || c.Memory > mostMemory || c.Time == 0 || c.Time > mostRounds || c.Threads == 0 {
		return c, nil, nil, bad
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return c, nil, nil, bad
	}
	if sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(sum) != hashLength {
		return c, nil, nil, bad
	}
	return c, salt, sum, nil
}
