package hold

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// SecretSize is the length of the key of tokens in bytes.
const SecretSize = 32

// ErrToken says that a token is not one of ours, or that its time is over: which of them is not told.
var ErrToken = errors.New("this link is not valid, or no longer")

// Sign makes a token that allows to release one message until a time. It is made of letters, digits, dots, dashes and
// underscores.
func Sign(secret []byte, id string, until time.Time) string {
	text := id + "." + strconv.FormatInt(until.Unix(), 36)
	return text + "." + base64.RawURLEncoding.EncodeToString(sum(secret, text))
}

// Verify gives the message that a token is for. The error is ErrToken.
func Verify(secret []byte, token string, now time.Time) (id string, err error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 || len(secret) < SecretSize {
		return "", ErrToken
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(token[end+1:])
	if err != nil || !hmac.Equal(mac, sum(secret, token[:end])) {
		return "", ErrToken
	}
	id, until, _ := strings.Cut(token[:end], ".")
	seconds, err := strconv.ParseInt(until, 36, 64)
	if err != nil || now.Unix() >= seconds {
		return "", ErrToken
	}
	return id, nil
}

// sum names its purpose, so that nothing else that may once be signed with the same key can be taken for a token.
func sum(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("osm release\x00" + text))
	return mac.Sum(nil)
}
