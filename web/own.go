package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"osm/access"
)

// Me is who asks, and what he may.
type Me struct {
	Name   string       `json:"name"`
	Role   access.Role  `json:"role"`
	Scope  access.Scope `json:"scope"`
	Via    Via          `json:"via"`
	Rights []Right      `json:"rights"`
}

// Account is one's own account, for whoever has one and has signed in with a browser.
type Account struct {
	access.User
	Passkeys []access.Passkey `json:"passkey_list"`
	Tokens   []access.Token   `json:"tokens"`
	Sessions []OwnSession     `json:"sessions"`
}

// OwnSession is one sign-in.
type OwnSession struct {
	ID      string    `json:"id"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"`
	From    string    `json:"from"`
	Agent   string    `json:"agent"` // the browser's own word; hostile
}

// NewTOTP is a key of one-time codes that waits for its first code.
type NewTOTP struct {
	Secret string `json:"secret"`
	URL    string `json:"url"` // for the phone: otpauth://
}

// Recovery are the codes for a lost phone, shown this once.
type Recovery struct {
	Codes []string `json:"codes"`
}

// me is who asks.
func (s *Server) me(ctx context.Context) *Me {
	v := ViewerOf(ctx)
	m := &Me{Name: v.Name, Role: v.Role, Scope: v.Scope, Via: v.Via, Rights: []Right{}}
	for _, need := range rights() {
		if v.May(need) {
			m.Rights = append(m.Rights, need)
		}
	}
	return m
}

// account is one's own account.
func (s *Server) account(ctx context.Context) (*Account, error) {
	name := self(ctx)
	u, err := s.o.Access.User(ctx, name)
	if err != nil {
		return nil, err
	}
	a := &Account{User: *u, Sessions: []OwnSession{}}
	if a.Passkeys, err = s.o.Access.PasskeysOf(ctx, name); err != nil {
		return nil, err
	}
	if a.Tokens, err = s.o.Access.Tokens(ctx, name); err != nil {
		return nil, err
	}
	sessions, err := s.o.Access.Sessions().Of(ctx, name)
	for _, one := range sessions {
		since, _ := time.Parse(time.RFC3339, one.Values[sinceValue]) // ours
		a.Sessions = append(a.Sessions, OwnSession{ID: one.ID, Since: since, Expires: one.Expires, From: one.Values[fromValue], Agent: one.Values[agentValue]})
	}
	return a, err
}

// confirm asks for the password again before one's own sign-in is changed: a browser that was left open is not enough. Whoever
// has none has come in another way.
func (s *Server) confirm(ctx context.Context, password string) error {
	u, err := s.o.Access.User(ctx, self(ctx))
	if err != nil || !u.Password {
		return err
	}
	_, err = s.o.Access.SignIn(ctx, u.Name, password, fromOf(ctx).addr)
	return err
}

// addOwn registers the operations about one's own account.
func (s *Server) addOwn() error {
	api(s, operation{"me", http.MethodGet, "/me", SignedIn, "Who asks, and what he may."},
		func(ctx context.Context, _ *none) (*Me, error) { return s.me(ctx), nil })
	api(s, operation{"own-account", http.MethodGet, "/me/account", OwnAccount, "One's own account: second factors, tokens, sign-ins."},
		func(ctx context.Context, _ *none) (*Account, error) { return s.account(ctx) })
	type password struct {
		Body struct {
			Old string `json:"old" maxLength:"1000"`
			New string `json:"new" maxLength:"1000"`
		}
	}
	api(s, operation{"own-password", http.MethodPost, "/me/password", OwnAccount, "Changes one's own password; all sign-ins end, this one too."},
		func(ctx context.Context, in *password) (none, error) {
			if err := s.confirm(ctx, in.Body.Old); err != nil {
				return none{}, err
			}
			return none{}, s.o.Access.SetPassword(ctx, self(ctx), in.Body.New, self(ctx))
		})
	api(s, operation{"end-session", http.MethodDelete, "/me/sessions/{id}", OwnAccount, "Ends one of one's own sign-ins."},
		func(ctx context.Context, in *IDInput) (none, error) {
			return none{}, s.o.Access.Sessions().End(ctx, self(ctx), in.ID)
		})
	type made struct{ Body NewToken }
	api(s, operation{"make-token", http.MethodPost, "/me/tokens", OwnAccount, "Makes a token that may do what one may oneself, or less."},
		func(ctx context.Context, in *made) (*MadeToken, error) { return s.makeToken(ctx, self(ctx), in.Body) })
	api(s, operation{"remove-own-token", http.MethodDelete, "/me/tokens/{id}", OwnAccount, "Makes one of one's own tokens invalid."},
		func(ctx context.Context, in *IDInput) (none, error) {
			return none{}, s.o.Access.RemoveToken(ctx, in.ID, self(ctx), self(ctx))
		})
	s.addFactors()
	return nil
}

// known is an order that needs one's own password again.
type known struct {
	Password string `json:"password,omitempty" maxLength:"1000" doc:"one's own, where one has one"`
}

func (s *Server) addFactors() {
	type begin struct{ Body known }
	api(s, operation{"begin-totp", http.MethodPost, "/me/totp", OwnAccount, "Makes a key of one-time codes; it counts when a code of it has been told."},
		func(ctx context.Context, in *begin) (*NewTOTP, error) {
			if err := s.confirm(ctx, in.Body.Password); err != nil {
				return nil, err
			}
			secret, address, err := s.o.Access.BeginTOTP(ctx, self(ctx), "osm "+s.o.Host)
			return &NewTOTP{Secret: secret, URL: address}, err
		})
	type confirm struct {
		Body struct {
			Code string `json:"code" maxLength:"20"`
		}
	}
	api(s, operation{"confirm-totp", http.MethodPost, "/me/totp/confirm", OwnAccount, "Makes one-time codes needed from now on."},
		func(ctx context.Context, in *confirm) (*Recovery, error) {
			codes, err := s.o.Access.ConfirmTOTP(ctx, self(ctx), in.Body.Code, self(ctx))
			return &Recovery{Codes: codes}, err
		})
	api(s, operation{"remove-factors", http.MethodPost, "/me/reset-factors", OwnAccount, "Takes one's own second factors away, passkeys too."},
		func(ctx context.Context, in *begin) (none, error) {
			if err := s.confirm(ctx, in.Body.Password); err != nil {
				return none{}, err
			}
			return none{}, s.o.Access.ResetFactors(ctx, self(ctx), self(ctx))
		})
	api(s, operation{"remove-passkey", http.MethodDelete, "/me/passkeys/{id}", OwnAccount, "Removes one of one's own passkeys."},
		func(ctx context.Context, in *IDInput) (none, error) {
			return none{}, s.o.Access.RemovePasskey(ctx, self(ctx), in.ID)
		})
	// The ceremony keeps its state in the session, which needs the request itself.
	s.handle(http.MethodPost, "/account/passkey", OwnAccount, s.addPasskey)
	s.handle(http.MethodPost, "/account/passkey/answer", OwnAccount, s.passkeyAdded)
}

// addPasskey answers what the page's script hands to the browser (navigator.credentials.create). The body is {"password": ...}.
func (s *Server) addPasskey(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	var in known
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || s.passkeys == nil {
		s.fail(w, r, http.StatusBadRequest, "there are no passkeys here, or the order can't be read")
		return
	}
	err := s.confirm(ctx, in.Password)
	var options any
	var state string
	if err == nil {
		options, state, err = s.passkeys.BeginAdd(ctx, self(ctx))
	}
	if err == nil {
		s.sessions.Put(ctx, passkeyValue, state)
		err = s.keep(w, r)
	}
	if err != nil {
		status, text := s.problem(err)
		s.fail(w, r, status, text)
		return
	}
	s.writeJSON(w, options)
}

// passkeyAdded takes what the browser's device answered; the name of the passkey is in the address (?name=).
func (s *Server) passkeyAdded(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	err := errors.New("there are no passkeys here")
	if s.passkeys != nil {
		var answer bytes.Buffer
		if _, err = answer.ReadFrom(r.Body); err == nil {
			err = s.passkeys.FinishAdd(ctx, self(ctx), s.sessions.PopString(ctx, passkeyValue), r.URL.Query().Get("name"), &answer)
		}
	}
	if err == nil {
		err = s.keep(w, r)
	}
	if err != nil {
		status, text := s.problem(err)
		s.fail(w, r, status, text)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
