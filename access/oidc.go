package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// SSO signs users in with an OpenID Connect provider: authorization code flow with PKCE (RFC 7636) and a nonce. It makes no
// users: whoever is not known here stays out.
type SSO struct {
	access *Access
	o      SSOOptions

	mu       sync.Mutex
	provider *oidc.Provider // nil until it has answered
}

// SSOOptions say which provider, and how osm is known to it.
type SSOOptions struct {
	Issuer, Client, Secret string
	Claim                  string       // by which a user is known: email, sub, preferred_username ...
	Redirect               string       // address to which the provider sends the browser back
	HTTP                   *http.Client // nil: one with a deadline
}

// providerTime is how long the provider may take to answer.
const providerTime = 10 * time.Second

// SSO prepares single sign-on; the provider is asked when the first user comes.
func (a *Access) SSO(o SSOOptions) *SSO {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: providerTime}
	}
	return &SSO{access: a, o: o}
}

// discover reads where the provider's doors are. A provider that is down is asked again the next time.
func (s *SSO) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		// Its keys are read again later: not in the context of this request.
		p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), s.o.HTTP), s.o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask the sign-on provider %s: %w", s.o.Issuer, err)
		}
		s.provider = p
	}
	scopes := []string{oidc.ScopeOpenID, "email", "profile"}
	return s.provider, &oauth2.Config{ClientID: s.o.Client, ClientSecret: s.o.Secret, Endpoint: s.provider.Endpoint(), RedirectURL: s.o.Redirect,
		Scopes: scopes}, nil
}

// SignOn is what must be remembered of a sign-in while the browser is at the provider.
type SignOn struct{ State, Nonce, Verifier string }

// Begin makes the address to which the browser goes.
func (s *SSO) Begin(ctx context.Context) (address string, on SignOn, err error) {
	_, cfg, err := s.discover(ctx)
	if err != nil {
		return "", on, err
	}
	on = SignOn{State: randomText(secretBytes), Nonce: randomText(secretBytes), Verifier: oauth2.GenerateVerifier()}
	return cfg.AuthCodeURL(on.State, oidc.Nonce(on.Nonce), oauth2.S256ChallengeOption(on.Verifier)), on, nil
}

// Finish looks at what the browser brought back, and tells who it is. ErrDenied says that the provider knows him and we do
// not, ErrOver that this is no answer to our question.
func (s *SSO) Finish(ctx context.Context, on SignOn, state, code string) (*User, error) {
	if on.State == "" || subtle.ConstantTimeCompare([]byte(on.State), []byte(state)) != 1 {
		return nil, ErrOver
	}
	provider, cfg, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, s.o.HTTP)
	got, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(on.Verifier))
	if err != nil {
		return nil, fmt.Errorf("ask the sign-on provider: %w", err)
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the sign-on provider sent no id_token")
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: s.o.Client, Now: s.access.now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("the sign-on provider's answer is not valid: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(on.Nonce)) != 1 {
		return nil, ErrOver
	}
	name, err := claimOf(token, s.o.Claim)
	if err != nil {
		return nil, err
	}
	u, err := s.access.UserByOIDC(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrDenied
	}
	return u, err
}

// claimOf is what the provider calls the user. An address counts only when the provider has verified it: elsewhere anybody can
// write in what he likes.
func claimOf(token *oidc.IDToken, claim string) (string, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return "", fmt.Errorf("read the sign-on provider's answer: %w", err)
	}
	if verified, _ := claims["email_verified"].(bool); claim == "email" && !verified {
		return "", ErrDenied
	}
	name, _ := claims[claim].(string)
	if name == "" {
		return "", ErrDenied
	}
	return name, nil
}
