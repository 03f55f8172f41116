package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"osm"
	"osm/access"
	"osm/config"
	"osm/web"
)

func (p *program) user() *cobra.Command {
	return family("user", "Say who may come into the pages and the API", p.userAdd(), p.userPasswd(), p.userRemove(), p.userList(), p.userToken(),
		p.userTicket(), p.userResetFactor())
}

// withUsers opens the file of users, whether the daemon runs or not.
func (p *program) withUsers(do func(a *access.Access, loaded *config.Loaded, by string) error) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	a := access.New(access.Options{Path: access.Path(loaded.Store.Path), Now: p.now})
	by := "root"
	if u, err := osuser.Current(); err == nil {
		by = u.Username
	}
	return errors.Join(do(a, loaded, by), a.Close())
}

// secret reads a password: twice from a terminal, otherwise one line.
func (p *program) secret(name string) (string, error) {
	f, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(p.in).ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.Join(errors.New("there is no password on the standard input"), err)
		}
		return line, nil
	}
	var said [2]string
	for i, prompt := range []string{"Password for " + name + ": ", "Again: "} {
		fmt.Fprint(p.err, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		said[i] = string(text)
	}
	if said[0] != said[1] {
		return "", errors.New("the passwords are not the same")
	}
	return said[0], nil
}

func (p *program) userAdd() *cobra.Command {
	var n access.NewUser
	var role string
	var without bool
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a user of the pages",
		Long: "Makes a user of the pages and of the API. The password is asked for, or read from the standard input.\n" +
			"Roles: viewer sees everything; support releases mail and changes the lists besides; admin may do everything; reseller\n" +
			"and customer see the mail of the hosting accounts that are named with --account.",
		Example: "  osm user add alice --role admin\n  osm user add shop --role customer --account shop",
		Args:    wants(1, 1, "name the user"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			n.Name = args[0]
			if n.Role, err = access.ParseRole(role); err != nil {
				return usageError{err}
			}
			if !without {
				if n.Password, err = p.secret(n.Name); err != nil {
					return err
				}
			}
			return p.withUsers(func(a *access.Access, loaded *config.Loaded, by string) error {
				if err := a.Add(c.Context(), n, by); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "%s may come in at %s%s/\n", osm.Printable(n.Name), loaded.Web.Origin(), loaded.Web.BasePath)
				return err
			})
		},
	}
	p.configFlag(c)
	f := c.Flags()
	f.StringVar(&role, "role", string(access.Viewer), "viewer, support, admin, reseller or customer")
	f.StringSliceVar(&n.Accounts, "account", nil, "hosting account whose mail a reseller or a customer sees; may be given several times")
	f.StringVar(&n.OIDC, "oidc", "", "what the sign-on provider calls the user (web.oidc.claim)")
	f.BoolVar(&without, "no-password", false, "no password: the user comes in by single sign-on or with a ticket")
	return c
}

func (p *program) userPasswd() *cobra.Command {
	c := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Give a user a new password; the user's sign-ins end",
		Args:  wants(1, 1, "name the user"),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := p.secret(args[0])
			if err != nil {
				return err
			}
			return p.withUsers(func(a *access.Access, _ *config.Loaded, by string) error {
				return named(args[0], a.SetPassword(c.Context(), args[0], password, by))
			})
		},
	}
	p.configFlag(c)
	return c
}

func (p *program) userRemove() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user with the user's tokens, passkeys and sign-ins",
		Args:  wants(1, 1, "name the user"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUsers(func(a *access.Access, _ *config.Loaded, by string) error {
				return named(args[0], a.Remove(c.Context(), args[0], by))
			})
		},
	}
	p.configFlag(c)
	return c
}

func (p *program) userResetFactor() *cobra.Command {
	c := &cobra.Command{
		Use:   "reset-factor NAME",
		Short: "Take a user's second factors away: one-time codes and passkeys",
		Args:  wants(1, 1, "name the user"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUsers(func(a *access.Access, _ *config.Loaded, by string) error {
				return named(args[0], a.ResetFactors(c.Context(), args[0], by))
			})
		},
	}
	p.configFlag(c)
	return c
}

// named says whom an error is about.
func named(name string, err error) error {
	if errors.Is(err, access.ErrNotFound) {
		return fmt.Errorf("there is no user %s: osm user list shows them", name)
	}
	return err
}

func (p *program) userList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the users",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withUsers(func(a *access.Access, _ *config.Loaded, _ string) error {
				users, err := a.Users(c.Context())
				if err != nil {
					return err
				}
				if p.json {
					return writeJSON(p.out, users)
				}
				t := newTable("name", "role", "accounts", "comes in by", "second factor", "last seen")
				for _, u := range users {
					t.add(u.Name, string(u.Role), strings.Join(u.Accounts, " "), comesBy(&u), factors(&u), seenText(u.Seen))
				}
				return t.write(p.out, terminalWidth(p.out))
			})
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func comesBy(u *access.User) string {
	var ways []string
	if u.Password {
		ways = append(ways, "password")
	}
	if u.Passkeys > 0 {
		ways = append(ways, "passkey")
	}
	if u.OIDC != "" {
		ways = append(ways, "single sign-on as "+u.OIDC)
	}
	return strings.Join(ways, ", ")
}

func factors(u *access.User) string {
	if u.TOTP {
		return "one-time codes"
	}
	return ""
}

func seenText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}

func (p *program) userToken() *cobra.Command {
	var scopes []string
	var span, remove string
	c := &cobra.Command{
		Use:   "token NAME [PURPOSE]",
		Short: "Make a token with which a program uses the API as a user, or list them",
		Long: "Makes a token with which a program uses the API as a user (Authorization: Bearer osm_...), and prints it: it is shown this\n" +
			"once. Without a purpose the user's tokens are listed. With --scope it may do less than the user: read is everything that changes nothing, other scopes are the rights\n" +
			"of doc/web.md.",
		Example: "  osm user token alice \"backup of the lists\" --scope lists --for 90d\n  osm user token alice --remove T1a2b3c4d",
		Args:    wants(1, 2, "name the user, and what the token is for"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUsers(func(a *access.Access, _ *config.Loaded, by string) error {
				switch {
				case remove != "":
					return a.RemoveToken(c.Context(), remove, args[0], by)
				case len(args) == 1:
					return p.writeTokens(c.Context(), a, args[0])
				}
				t := access.Token{User: args[0], Name: args[1], Scopes: scopes}
				if err := web.CheckScopes(scopes); err != nil {
					return usageError{err}
				}
				if span != "" {
					d, err := osm.ParseDuration(span)
					if err != nil {
						return usageError{err}
					}
					t.Expires = p.now().Add(time.Duration(d))
				}
				t, secret, err := a.AddToken(c.Context(), t, by)
				if err != nil {
					return named(args[0], err)
				}
				if p.json {
					return writeJSON(p.out, web.MadeToken{Token: t, Secret: secret})
				}
				_, err = fmt.Fprintln(p.out, secret)
				return err
			})
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	f := c.Flags()
	f.StringSliceVar(&scopes, "scope", nil, "what it may do: read, or rights; may be given several times (default whatever the user may)")
	f.StringVar(&span, "for", "", "how long it is valid, as in 90d (default until it is removed)")
	f.StringVar(&remove, "remove", "", "make the token of this id invalid")
	return c
}

func (p *program) writeTokens(ctx context.Context, a *access.Access, name string) error {
	tokens, err := a.Tokens(ctx, name)
	if err != nil {
		return err
	}
	if p.json {
		return writeJSON(p.out, tokens)
	}
	t := newTable("id", "for", "may", "made", "valid until", "last used")
	for _, one := range tokens {
		until := "it is removed"
		if !one.Expires.IsZero() {
			until = one.Expires.Local().Format(time.DateTime)
		}
		t.add(one.ID, one.Name, strings.Join(one.Scopes, " "), one.Created.Local().Format(time.DateTime), until, seenText(one.Used))
	}
	return t.write(p.out, terminalWidth(p.out))
}

func (p *program) userTicket() *cobra.Command {
	var page string
	c := &cobra.Command{
		Use:   "ticket NAME",
		Short: "Print an address at which a browser is signed in, once and within a minute",
		Long: "Prints an address at which a browser is signed in as a user, once and within a minute. Panels let their own users in, who\n" +
			"need no account here: see osm panel.",
		Args: wants(1, 1, "name the user"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUsers(func(a *access.Access, loaded *config.Loaded, by string) error {
				secret, err := a.MakeTicket(c.Context(), access.Guest{User: args[0], Page: page}, access.TicketFor, by)
				if err != nil {
					return named(args[0], err)
				}
				url := loaded.Web.TicketURL(secret)
				if p.json {
					return writeJSON(p.out, map[string]any{"url": url, "path": strings.TrimPrefix(url, loaded.Web.Origin()), "seconds": access.TicketFor.Seconds()})
				}
				_, err = fmt.Fprintln(p.out, url)
				return err
			})
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	c.Flags().StringVar(&page, "page", "", "the page to open, such as /held")
	return c
}
