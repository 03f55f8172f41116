package hold

import (
	"strings"
	"testing"
	"time"
)

func TestToken(t *testing.T) {
	secret, other := []byte(strings.Repeat("s", SecretSize)), []byte(strings.Repeat("t", SecretSize))
	const id = "1w0000-0000000012a-0001"
	token := Sign(secret, id, noon.Add(time.Hour))
	if got, err := Verify(secret, token, noon); err != nil || got != id {
		t.Errorf("%q, %v", got, err)
	}
	if strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		t.Errorf("%q needs escaping in a link", token)
	}
	if _, err := Verify(secret, token, noon.Add(time.Hour)); err != ErrToken {
		t.Errorf("after its time: %v", err)
	}
	if _, err := Verify(other, token, noon); err != ErrToken {
		t.Errorf("with another secret: %v", err)
	}
	if _, err := Verify(nil, Sign(nil, id, noon.Add(time.Hour)), noon); err != ErrToken {
		t.Errorf("without a secret: %v", err)
	}
	for i := range len(token) {
		forged := token[:i] + string(token[i]^1) + token[i+1:]
		if got, err := Verify(secret, forged, noon); err == nil {
			t.Errorf("%q is taken for a token of %q", forged, got)
		}
	}
	long := Sign(secret, id, noon.Add(time.Hour))
	for _, forged := range []string{"", ".", "..", id, long[:len(long)-1], long + "A", strings.Replace(long, ".",
		"..", 1)} {
		if _, err := Verify(secret, forged, noon); err != ErrToken {
			t.Errorf("%q: %v", forged, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	secret := []byte(strings.Repeat("s", SecretSize))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := Verify(secret, token, noon); err == nil {
			t.Fatalf("%q is a token of %q", token, id)
		}
	})
}
