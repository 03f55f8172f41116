package exim

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// User is the unix user that an Exim gives up root for.
type User struct {
	Name     string
	UID, GID int
}

// UserOf asks the Exim at binary for its user, which was compiled in or is configured.
func UserOf(ctx context.Context, binary string) (User, error) {
	said, err := ask(ctx, binary, "-bP", "exim_user")
	if err != nil {
		return User{}, err
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(said), "exim_user = ")
	if !ok {
		return User{}, fmt.Errorf("ask %s for its user: it says %q", binary, said)
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return User{}, fmt.Errorf("Exim's user: %w", err)
		}
	}
	found := User{Name: u.Username}
	if found.UID, err = strconv.Atoi(u.Uid); err != nil {
		return User{}, fmt.Errorf("Exim's user: %w", err)
	}
	if found.GID, err = strconv.Atoi(u.Gid); err != nil {
		return User{}, fmt.Errorf("Exim's user: %w", err)
	}
	return found, nil
}
