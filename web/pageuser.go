package web

import (
	"net/http"
	"strings"

	"osm/access"
)

// usersView are the users, and an empty form for a new one.
type usersView struct {
	Users []access.User
	Fresh access.User
	Roles []access.Role
}

func (s *Server) usersPage(r *http.Request) (any, error) {
	users, err := s.o.Access.Users(r.Context())
	return &usersView{Users: users, Fresh: access.User{Role: access.Support}, Roles: access.Roles()}, err
}

// userView is one user, as an administrator sees him.
type userView struct {
	User   *access.User
	Roles  []access.Role
	Tokens []access.Token
}

func (s *Server) userPage(r *http.Request) (any, error) {
	u, err := s.o.Access.User(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	tokens, err := s.o.Access.Tokens(r.Context(), u.Name)
	return &userView{User: u, Roles: access.Roles(), Tokens: tokens}, err
}

// userOf reads a user from the form.
func userOf(r *http.Request, name string) access.NewUser {
	return access.NewUser{Name: name, Role: access.Role(r.PostFormValue("role")), Accounts: strings.Fields(r.PostFormValue("accounts")),
		OIDC: strings.TrimSpace(r.PostFormValue("oidc")), Password: r.PostFormValue("password")}
}

// addUserForms registers what an administrator does about users.
func (s *Server) addUserForms() {
	a := s.o.Access
	s.form("/users", ChangeUsers, "/users", func(r *http.Request) (notice, error) {
		n := userOf(r, r.PostFormValue("name"))
		return notice{Key: "said.userAdded", Pairs: []any{"who", n.Name}}, a.Add(r.Context(), n, self(r.Context()))
	})
	s.form("/users/{name}", ChangeUsers, "/users", func(r *http.Request) (notice, error) {
		n := userOf(r, r.PathValue("name"))
		password := n.Password
		n.Password = ""
		err := a.Change(r.Context(), n, self(r.Context()))
		if err == nil && password != "" {
			err = a.SetPassword(r.Context(), n.Name, password, self(r.Context()))
		}
		return notice{Key: "said.saved"}, err
	})
	s.form("/users/{name}/factors", ChangeUsers, "/users", func(r *http.Request) (notice, error) {
		name := r.PathValue("name")
		return notice{Key: "said.factorsReset", Pairs: []any{"who", name}}, a.ResetFactors(r.Context(), name, self(r.Context()))
	})
	s.form("/users/{name}/remove", ChangeUsers, "/users", func(r *http.Request) (notice, error) {
		name := r.PathValue("name")
		return notice{Key: "said.userRemoved", Pairs: []any{"who", name}}, a.Remove(r.Context(), name, self(r.Context()))
	})
	s.form("/users/{name}/tokens/{id}/remove", ChangeUsers, "/users", func(r *http.Request) (notice, error) {
		return notice{Key: "said.removed"}, a.RemoveToken(r.Context(), r.PathValue("id"), r.PathValue("name"), self(r.Context()))
	})
}

// accountView is one's own account, and what is shown this once.
type accountView struct {
	*Account
	Scopes   []string // rights that a token can be limited to
	Secret   string   // of a new token
	Recovery []string // codes for a lost phone
	TOTP     *NewTOTP // that waits for its first code
	CanKey   bool     // passkeys are possible here
	Problem  string
}

func (s *Server) accountPage(r *http.Request) (any, error) {
	a, err := s.account(r.Context())
	if err != nil {
		return nil, err
	}
	v := &accountView{Account: a, CanKey: s.passkeys != nil, Scopes: []string{ReadScope}}
	for _, need := range rights() {
		if need != SignedIn && need != OwnAccount && ViewerOf(r.Context()).May(need) {
			v.Scopes = append(v.Scopes, string(need))
		}
	}
	return v, nil
}

// addOwnForms registers what everybody does about his own account.
func (s *Server) addOwnForms() {
	a := s.o.Access
	s.handle(http.MethodPost, "/account/password", OwnAccount, s.changePassword)
	s.shownOnce("/account/tokens", func(r *http.Request, v *accountView) error {
		n := NewToken{Name: r.PostFormValue("name"), Scopes: r.PostForm["scopes"]}
		var err error
		if n.For, err = spanOf(r); err != nil {
			return err
		}
		made, err := s.makeToken(r.Context(), self(r.Context()), n)
		if err == nil {
			v.Secret = made.Secret
		}
		return err
	})
	s.shownOnce("/account/totp", func(r *http.Request, v *accountView) error {
		if err := s.confirm(r.Context(), r.PostFormValue("password")); err != nil {
			return err
		}
		secret, address, err := a.BeginTOTP(r.Context(), self(r.Context()), "osm "+s.o.Host)
		v.TOTP = &NewTOTP{Secret: secret, URL: address}
		return err
	})
	s.shownOnce("/account/totp/confirm", func(r *http.Request, v *accountView) (err error) {
		v.Recovery, err = a.ConfirmTOTP(r.Context(), self(r.Context()), strings.TrimSpace(r.PostFormValue("code")), self(r.Context()))
		return err
	})
	s.form("/account/tokens/{id}/remove", OwnAccount, "/account", func(r *http.Request) (notice, error) {
		return notice{Key: "said.removed"}, a.RemoveToken(r.Context(), r.PathValue("id"), self(r.Context()), self(r.Context()))
	})
	s.form("/account/passkeys/{id}/remove", OwnAccount, "/account", func(r *http.Request) (notice, error) {
		return notice{Key: "said.removed"}, a.RemovePasskey(r.Context(), self(r.Context()), r.PathValue("id"))
	})
	s.form("/account/sessions/end", OwnAccount, "/account", func(r *http.Request) (notice, error) {
		return notice{Key: "said.sessionEnded"}, a.Sessions().End(r.Context(), self(r.Context()), r.PostFormValue("id"))
	})
}

// shownOnce registers an order whose answer is a secret: it is shown on the page that answers the form, and nowhere else.
func (s *Server) shownOnce(path string, do func(r *http.Request, v *accountView) error) {
	s.handle(http.MethodPost, path, OwnAccount, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			s.failPage(w, r, http.StatusBadRequest, err.Error())
			return
		}
		fresh := &accountView{}
		wrong := do(r, fresh)
		data, err := s.accountPage(r)
		if err != nil {
			status, text := s.problem(err)
			s.failPage(w, r, status, text)
			return
		}
		v := data.(*accountView)
		status := http.StatusOK
		if wrong != nil {
			status, v.Problem = s.problem(wrong)
		} else {
			v.Secret, v.Recovery, v.TOTP = fresh.Secret, fresh.Recovery, fresh.TOTP
		}
		s.draw(w, r, status, &look{template: "account", place: "account"}, v)
	})
}

// changePassword ends all sign-ins, this one too: one signs in anew with the new password.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	err := s.confirm(ctx, r.PostFormValue("old"))
	if err == nil {
		err = s.o.Access.SetPassword(ctx, self(ctx), r.PostFormValue("new"), self(ctx))
	}
	if err != nil {
		_, text := s.problem(err)
		s.pages.say(w, r, s.path("/account"), notice{Bad: true, Key: "said.failed", Pairs: []any{"why", text}})
		return
	}
	s.pages.say(w, r, s.path(loginPath), notice{Key: "said.password"})
}
