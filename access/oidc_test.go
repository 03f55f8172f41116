package access

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// provider is a small OpenID Connect provider: whoever comes is who claims say.
type provider struct {
	*httptest.Server
	t         *testing.T
	key       *rsa.PrivateKey
	signer    *rsa.PrivateKey // nil: key
	claims    map[string]any
	challenge string // of the last authorization
	nonce     string
	down      bool
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.down {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}}
	case "/keys":
		answer = map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": raw(p.key.N.Bytes()), "e": raw(big.NewInt(int64(p.key.E)).Bytes())}}}
	case "/token":
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if name, secret, _ := r.BasicAuth(); raw(sum[:]) != p.challenge || r.PostFormValue("code") != "the code" || name != "osm" || secret != "pw" {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		answer = map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token()}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// token is a signed JWT (RFC 7515).
func (p *provider) token() string {
	claims := map[string]any{"iss": p.URL, "aud": "osm", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": p.nonce}
	for k, v := range p.claims {
		claims[k] = v
	}
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + raw(body)
	key := p.key
	if p.signer != nil {
		key = p.signer
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return text + "." + raw(signature)
}

// browser goes to the provider and comes back.
func (p *provider) browser(address string) (state string) {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, p.URL+"/authorize?") {
		p.t.Fatalf("%s, %v", address, err)
	}
	q := u.Query()
	p.challenge, p.nonce = q.Get("code_challenge"), q.Get("nonce")
	if q.Get("redirect_uri") != site+"/login/oidc/back" || q.Get("code_challenge_method") != "S256" || p.nonce == "" {
		p.t.Errorf("the provider is asked %v", q)
	}
	return q.Get("state")
}

func TestSingleSignOn(t *testing.T) {
	a, _ := open(t)
	a.options.Now = time.Now // the provider's tokens are of now
	p := newProvider(t)
	ctx := t.Context()
	wrongKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	alice := map[string]any{"sub": "1", "email": "alice@example.org", "email_verified": true}
	with := func(name string, v any) map[string]any {
		c := map[string]any{}
		for k, v := range alice {
			c[k] = v
		}
		c[name] = v
		return c
	}
	for name, c := range map[string]struct {
		claims map[string]any
		claim  string
		signer *rsa.PrivateKey
		state  func(string) string
		want   error // nil and no user: any error
		user   string
	}{
		"known":                     {claims: alice, user: "alice"},
		"known by another claim":    {claims: with("login", "alice@example.org"), claim: "login", user: "alice"},
		"not known":                 {claims: with("email", "admin@example.org"), want: ErrDenied},
		"a name of ours":            {claims: with("email", "alice"), want: ErrDenied},
		"address not verified":      {claims: with("email_verified", false), want: ErrDenied},
		"no address":                {claims: with("email", 7), want: ErrDenied},
		"signed by somebody else":   {claims: alice, signer: wrongKey},
		"for another program":       {claims: with("aud", "other")},
		"over":                      {claims: with("exp", time.Now().Add(-time.Hour).Unix())},
		"of another provider":       {claims: with("iss", "https://evil.example")},
		"an answer to another one":  {claims: with("nonce", "other"), want: ErrOver},
		"a state that is not ours":  {claims: alice, state: func(string) string { return "other" }, want: ErrOver},
		"no state":                  {claims: alice, state: func(string) string { return "" }, want: ErrOver},
		"the provider says roles":   {claims: with("role", "admin"), user: "alice"},
		"an empty claim of a user":  {claims: with("email", ""), want: ErrDenied},
		"many addresses in a claim": {claims: with("email", []string{"alice@example.org"}), want: ErrDenied},
	} {
		claim := c.claim
		if claim == "" {
			claim = "email"
		}
		s := a.SSO(SSOOptions{Issuer: p.URL, Client: "osm", Secret: "pw", Claim: claim, Redirect: site + "/login/oidc/back"})
		p.claims, p.signer = c.claims, c.signer
		address, on, err := s.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		state := p.browser(address)
		if c.state != nil {
			state = c.state(state)
		}
		u, err := s.Finish(ctx, on, state, "the code")
		switch {
		case c.user != "" && (err != nil || u.Name != c.user):
			t.Errorf("%s: %+v, %v", name, u, err)
		case c.user == "" && (err == nil || c.want != nil && !errors.Is(err, c.want)):
			t.Errorf("%s: %+v, %v; want %v", name, u, err, c.want)
		}
	}
}

// TestProviderDown: single sign-on begins to work when the provider is back.
func TestProviderDown(t *testing.T) {
	a, _ := open(t)
	p := newProvider(t)
	p.down = true
	s := a.SSO(SSOOptions{Issuer: p.URL, Client: "osm", Secret: "pw", Claim: "email", Redirect: site + "/login/oidc/back"})
	if _, _, err := s.Begin(t.Context()); err == nil || !strings.Contains(err.Error(), p.URL) {
		t.Errorf("while it is down: %v", err)
	}
	p.down = false
	if _, _, err := s.Begin(t.Context()); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}
