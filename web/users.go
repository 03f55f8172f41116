package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"osm"
	"osm/access"
)

// UserChange is what a user is to be.
type UserChange struct {
	Role     access.Role `json:"role" enum:"viewer,support,admin,reseller,customer"`
	Accounts []string    `json:"accounts,omitempty" maxItems:"10000" doc:"hosting accounts whose mail a reseller or a customer sees"`
	OIDC     string      `json:"oidc,omitempty" maxLength:"1000" doc:"what the sign-on provider calls him"`
}

// NewToken is a token that is to be made.
type NewToken struct {
	Name   string       `json:"name" maxLength:"100" doc:"what it is for"`
	Scopes []string     `json:"scopes,omitempty" maxItems:"100" doc:"read, or rights as in x-right; none: whatever the user may"`
	For    osm.Duration `json:"for,omitzero" doc:"as in 90d; 0: until it is removed"`
}

// MadeToken is a new token with its secret, which is shown this once.
type MadeToken struct {
	access.Token
	Secret string `json:"secret"`
}

// MadeLink is the address of a link for a customer.
type MadeLink struct {
	URL   string    `json:"url"`
	Until time.Time `json:"until"`
}

// NameInput names a user.
type NameInput struct {
	Name string `path:"name" maxLength:"64"`
}

// addUsers registers the operations about users, for administrators.
func (s *Server) addUsers() error {
	api(s, operation{"list-users", http.MethodGet, "/users", SeeUsers, "Who may come in."},
		func(ctx context.Context, _ *none) ([]access.User, error) { return s.o.Access.Users(ctx) })
	type added struct {
		Body struct {
			Name     string `json:"name" maxLength:"64"`
			Password string `json:"password,omitempty" maxLength:"1000" doc:"none: he comes in by single sign-on or with a ticket"`
			UserChange
		}
	}
	api(s, operation{"add-user", http.MethodPost, "/users", ChangeUsers, "Makes a user."}, func(ctx context.Context, in *added) (*access.User, error) {
		b := &in.Body
		if err := s.o.Access.Add(ctx, access.NewUser{Name: b.Name, Role: b.Role, Accounts: b.Accounts, Password: b.Password, OIDC: b.OIDC}, self(ctx)); err != nil {
			return nil, err
		}
		return s.o.Access.User(ctx, strings.TrimSpace(b.Name))
	})
	type changed struct {
		NameInput
		Body UserChange
	}
	api(s, operation{"change-user", http.MethodPut, "/users/{name}", ChangeUsers, "Gives a user another role or other accounts; his sessions end."},
		func(ctx context.Context, in *changed) (*access.User, error) {
			b := &in.Body
			if err := s.o.Access.Change(ctx, access.NewUser{Name: in.Name, Role: b.Role, Accounts: b.Accounts, OIDC: b.OIDC}, self(ctx)); err != nil {
				return nil, err
			}
			return s.o.Access.User(ctx, in.Name)
		})
	type otherPassword struct {
		NameInput
		Body struct {
			Password string `json:"password" maxLength:"1000"`
		}
	}
	api(s, operation{"set-password", http.MethodPost, "/users/{name}/password", ChangeUsers, "Gives a user a new password; his sessions end."},
		func(ctx context.Context, in *otherPassword) (none, error) {
			return none{}, s.o.Access.SetPassword(ctx, in.Name, in.Body.Password, self(ctx))
		})
	api(s, operation{"reset-factors", http.MethodPost, "/users/{name}/reset-factors", ChangeUsers, "Takes a user's second factors away."},
		func(ctx context.Context, in *NameInput) (none, error) {
			return none{}, s.o.Access.ResetFactors(ctx, in.Name, self(ctx))
		})
	api(s, operation{"remove-user", http.MethodDelete, "/users/{name}", ChangeUsers, "Removes a user with all that is his."},
		func(ctx context.Context, in *NameInput) (none, error) {
			return none{}, s.o.Access.Remove(ctx, in.Name, self(ctx))
		})
	api(s, operation{"list-tokens", http.MethodGet, "/tokens", SeeUsers, "Everybody's tokens, without their secrets."},
		func(ctx context.Context, _ *none) ([]access.Token, error) { return s.o.Access.Tokens(ctx, "") })
	api(s, operation{"remove-token", http.MethodDelete, "/tokens/{id}", ChangeUsers, "Makes a token invalid."},
		func(ctx context.Context, in *IDInput) (none, error) {
			return none{}, s.o.Access.RemoveToken(ctx, in.ID, "", self(ctx))
		})
	type linked struct {
		Body struct {
			Account string       `json:"account" minLength:"1" maxLength:"200" doc:"hosting account whose mail is shown"`
			Page    string       `json:"page,omitempty" maxLength:"500" doc:"where the link leads; /held when there is none"`
			For     osm.Duration `json:"for,omitzero" doc:"web.link_for when there is none, and at most that"`
		}
	}
	api(s, operation{"make-link", http.MethodPost, "/links", MakeLinks, "Makes a link with which a customer sees his mail without a password, for a while."},
		func(ctx context.Context, in *linked) (*MadeLink, error) {
			return s.makeLink(ctx, in.Body.Account, in.Body.Page, time.Duration(in.Body.For))
		})
	return nil
}

// makeLink makes an address with which an account's owner comes in.
func (s *Server) makeLink(ctx context.Context, account, page string, span time.Duration) (*MadeLink, error) {
	if !ViewerOf(ctx).Scope.Has(account) {
		return nil, ErrNotFound
	}
	if page = local(page); page == "/" {
		page = "/held"
	}
	if most := time.Duration(s.o.Config.LinkFor); span <= 0 || span > most {
		span = most
	}
	until := s.o.Now().Add(span).Truncate(time.Second)
	token, err := s.o.Access.MakeLink(ctx, access.Guest{Name: account, Role: access.Customer, Accounts: []string{account}, Page: page}, until, self(ctx))
	if err != nil {
		return nil, err
	}
	return &MadeLink{URL: s.o.Config.Origin() + s.path(linkPath) + token, Until: until}, nil
}

// makeToken makes a token of a user.
func (s *Server) makeToken(ctx context.Context, user string, n NewToken) (*MadeToken, error) {
	if err := CheckScopes(n.Scopes); err != nil {
		return nil, err
	}
	t := access.Token{User: user, Name: n.Name, Scopes: append([]string{}, n.Scopes...)}
	if n.For > 0 {
		t.Expires = s.o.Now().Add(time.Duration(n.For))
	}
	made, secret, err := s.o.Access.AddToken(ctx, t, self(ctx))
	if err != nil {
		return nil, err
	}
	return &MadeToken{Token: made, Secret: secret}, nil
}
