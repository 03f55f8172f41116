package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

const (
	site   = "https://mx.example"
	siteID = "mx.example"
)

// device keeps one passkey, as a phone does (WebAuthn level 3, sections 6.1 and 6.5).
type device struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte
	count  uint32
	origin string
}

func newDevice(t *testing.T) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &device{t: t, key: key, id: []byte("a credential's id"), origin: site}
}

// options are what a browser is handed, as far as a device needs them.
type options struct {
	Challenge string `json:"challenge"`
	User      struct {
		ID string `json:"id"`
	} `json:"user"`
}

func (d *device) read(handed any) (o options) {
	d.t.Helper()
	text, err := json.Marshal(handed)
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return o
}

func raw(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *device) client(kind, challenge string) []byte {
	return []byte(`{"type":"` + kind + `","challenge":"` + challenge + `","origin":"` + d.origin + `","crossOrigin":false}`)
}

// authenticator data: user present and verified.
func (d *device) data(flags byte) []byte {
	d.count++
	sum := sha256.Sum256([]byte(siteID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), d.count)
}

func (d *device) create(handed any) *strings.Reader {
	d.t.Helper()
	o := d.read(handed)
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	d.handle = handle
	point, err := d.key.PublicKey.Bytes()
	if err != nil {
		d.t.Fatal(err)
	}
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		d.t.Fatal(err)
	}
	data := append(d.data(0x45), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(d.id))), d.id...)
	attestation, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": append(data, cose...)})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.answer(map[string]any{"clientDataJSON": raw(d.client("webauthn.create", o.Challenge)), "attestationObject": raw(attestation)})
}

func (d *device) get(handed any) *strings.Reader {
	d.t.Helper()
	client, data := d.client("webauthn.get", d.read(handed).Challenge), d.data(0x05)
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return d.answer(map[string]any{"clientDataJSON": raw(client), "authenticatorData": raw(data), "signature": raw(signature), "userHandle": raw(d.handle)})
}

func (d *device) answer(response map[string]any) *strings.Reader {
	text, err := json.Marshal(map[string]any{"id": raw(d.id), "rawId": raw(d.id), "type": "public-key", "response": response})
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.NewReader(string(text))
}

func TestPasskeys(t *testing.T) {
	a, _ := open(t)
	ctx := t.Context()
	p, err := a.Passkeys(site)
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t)
	handed, state, err := p.BeginAdd(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.FinishAdd(ctx, "shop", state, "theft", d.create(handed)); err == nil {
		t.Error("another user takes the passkey")
	}
	if err := p.FinishAdd(ctx, "alice", state, "phone", d.create(handed)); err != nil {
		t.Fatal(err)
	}
	keys, err := a.PasskeysOf(ctx, "alice")
	if err != nil || len(keys) != 1 || keys[0].Name != "phone" {
		t.Fatalf("%+v, %v", keys, err)
	}
	signIn := func(d *device, change func(string) string) (*User, error) {
		t.Helper()
		handed, state, err := p.BeginSignIn()
		if err != nil {
			t.Fatal(err)
		}
		return p.FinishSignIn(ctx, change(state), d.get(handed))
	}
	same := func(s string) string { return s }
	if u, err := signIn(d, same); err != nil || u.Name != "alice" {
		t.Errorf("%+v, %v", u, err)
	}
	evil := *d
	evil.origin = "https://evil.example"
	if _, err := signIn(&evil, same); !errors.Is(err, ErrFactor) {
		t.Errorf("from another site: %v", err)
	}
	other := newDevice(t)
	other.handle = d.handle
	if _, err := signIn(other, same); !errors.Is(err, ErrFactor) {
		t.Errorf("another device: %v", err)
	}
	copied := *d
	copied.count = 0
	if _, err := signIn(&copied, same); !errors.Is(err, ErrFactor) {
		t.Errorf("a copy of the device: %v", err)
	}
	for _, state := range []string{"", "{}", "x"} {
		if u, err := signIn(d, func(string) string { return state }); err == nil {
			t.Errorf("with the state %q comes %+v", state, u)
		}
	}
	if err := a.RemovePasskey(ctx, "shop", keys[0].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger removes it: %v", err)
	}
	if err := a.RemovePasskey(ctx, "alice", keys[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(d, same); !errors.Is(err, ErrFactor) {
		t.Errorf("when it is removed: %v", err)
	}
}

// FuzzPasskeyAnswer: whatever a browser sends nobody comes in, and nothing breaks.
func FuzzPasskeyAnswer(f *testing.F) {
	a, _ := open(f)
	p, err := a.Passkeys(site)
	if err != nil {
		f.Fatal(err)
	}
	_, state, err := p.BeginSignIn()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state, `{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AAAA","userHandle":"YQ"}}`)
	f.Fuzz(func(t *testing.T, state, answer string) {
		if u, err := p.FinishSignIn(t.Context(), state, strings.NewReader(answer)); err == nil {
			t.Fatalf("%+v comes in", u)
		}
	})
}
