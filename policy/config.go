package policy

import (
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"osm"
)

// Config is the table [policy].
type Config struct {
	Socket string     `toml:"socket" doc:"Unix socket on which Exim (osm exim install) or Postfix (check_policy_service) asks about messages. Empty: none."`
	TCP    string     `toml:"tcp" doc:"Address and port to be asked on besides, on a loopback address; whoever can connect can ask. Empty: none."`
	Mode   Mode       `toml:"mode" doc:"live: verdicts are carried out. shadow: they are kept and reported, and every question is answered as if nothing had been found."`
	Users  []string   `toml:"users" doc:"Users that may ask on the socket, besides root and osm's own; those that do not exist here are passed over."`
	Busy   osm.Action `toml:"busy" doc:"Answer when there are too many questions at once: accept or defer."`
	Most   int        `toml:"most" doc:"Connections served at once."`
}

// Mode says whether verdicts are carried out.
type Mode string

const (
	Live   Mode = "live"
	Shadow Mode = "shadow"
)

// DefaultConfig is what an empty file means. The users are those that mail servers run as on Debian, cPanel, DirectAdmin
// and HestiaCP.
func DefaultConfig() Config {
	return Config{Socket: "/run/osm/policy.sock", Mode: Live, Users: []string{"Debian-exim", "exim", "mailnull", "mail", "postfix"}, Most: 1000}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if c.Socket != "" && !strings.HasPrefix(c.Socket, "/") {
		report("socket", "must be an absolute path")
	}
	if len(c.Socket) > 107 {
		report("socket", "must be at most 107 bytes long: the kernel's limit for unix sockets")
	}
	if host, _, err := net.SplitHostPort(c.TCP); c.TCP != "" && (err != nil || !net.ParseIP(host).IsLoopback()) {
		report("tcp", "must be a loopback address and a port, such as 127.0.0.1:10040")
	}
	if c.Mode != Live && c.Mode != Shadow {
		report("mode", "must be live or shadow")
	}
	if c.Busy != osm.Accept && c.Busy != osm.Defer {
		report("busy", "must be accept or defer")
	}
	if c.Most < 1 || c.Most > 100_000 {
		report("most", "must be between 1 and 100000")
	}
}

// Allowed makes the test of who may ask: root, this program's own user, and the configured ones that exist.
func (c *Config) Allowed(own int) func(uid int) bool {
	uids := []int{0, own}
	for _, name := range c.Users {
		if u, err := user.Lookup(name); err == nil {
			if uid, err := strconv.Atoi(u.Uid); err == nil {
				uids = append(uids, uid)
			}
		}
	}
	return func(uid int) bool { return slices.Contains(uids, uid) }
}

// Fallback is the answer when there is too much to do.
func (c *Config) Fallback() osm.Verdict {
	if c.Busy == osm.Accept {
		return osm.Verdict{}
	}
	return osm.Verdict{Action: c.Busy, Rule: "busy", Detail: fmt.Sprintf("more than %d questions at once, try again later", c.Most)}
}
