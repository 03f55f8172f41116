package web

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"osm"
)

// Config is the table web.
type Config struct {
	Listen   string       `toml:"listen" doc:"Address of the pages and of the API. Empty: there are none."`
	URL      string       `toml:"url" doc:"Address under which browsers reach the pages, such as https://mail.example.org, without the base path: for passkeys, single sign-on and links. Empty: http://localhost with the port of listen."`
	BasePath string       `toml:"base_path" doc:"Path below which a reverse proxy offers the pages, such as /osm."`
	Trusted  []string     `toml:"trusted" doc:"Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."`
	TLSCert  string       `toml:"tls_cert" doc:"File with the certificate and those that follow it (PEM); read again when it changes. With tls_key the pages are served by https."`
	TLSKey   string       `toml:"tls_key" doc:"File with the certificate's key (PEM)."`
	Frames   []string     `toml:"frames" doc:"Addresses of pages that may show osm inside of theirs, such as https://panel.example.org:2087."`
	Session  osm.Duration `toml:"session" doc:"How long a sign-in lasts."`
	Idle     osm.Duration `toml:"idle" doc:"How long a sign-in lasts while it is not used; a page of osm's that is open in a browser uses it. 0: as long as session says."`
	LinkFor  osm.Duration `toml:"link_for" doc:"How long a link lasts with which a customer sees his held mail without a password."`
	Metrics  string       `toml:"metrics" doc:"Who may read /metrics: local (programs on this server, and tokens with the scope metrics), token (only those) or off."`
	OIDC     OIDC         `toml:"oidc" doc:"Single sign-on with OpenID Connect. Users must be known here already (osm user add --oidc): nobody becomes one by it."`
}

// OIDC is the table web.oidc.
type OIDC struct {
	Issuer string     `toml:"issuer" doc:"Address of the provider. Empty: there is no single sign-on."`
	Client string     `toml:"client" doc:"Name under which osm is registered there."`
	Secret osm.Secret `toml:"secret" doc:"Its password there."`
	Claim  string     `toml:"claim" doc:"Claim of the provider's answer by which a user is known: email (which must be verified), sub or another one."`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:8025", Session: osm.Duration(12 * time.Hour), Idle: osm.Duration(2 * time.Hour), LinkFor: osm.Duration(72 * time.Hour),
		Metrics: MetricsLocal, OIDC: OIDC{Claim: "email"}}
}

// Check reports every setting that can't work, by its key in the file.
func (c *Config) Check(report func(key, problem string)) {
	if _, _, err := net.SplitHostPort(c.Listen); c.Listen != "" && err != nil {
		report("listen", "must be an address and a port, as in 127.0.0.1:8025, or empty")
	}
	if !isOrigin(c.URL) && c.URL != "" {
		report("url", "must be like https://mail.example.org, without a path")
	}
	if c.BasePath != "" && (!strings.HasPrefix(c.BasePath, "/") || strings.HasSuffix(c.BasePath, "/") || strings.ContainsAny(c.BasePath, "?#% \"<>;,")) {
		report("base_path", "must begin with a slash and not end with one, as in /osm")
	}
	for _, text := range c.Trusted {
		if _, err := network(text); err != nil {
			report("trusted", "must list addresses and networks, as in 10.0.0.0/8")
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		report("tls_key", "must be set together with tls_cert")
	}
	for _, origin := range c.Frames {
		if !isOrigin(origin) {
			report("frames", "must list addresses like https://panel.example.org:2087, without a path")
		}
	}
	if d := time.Duration(c.Session); d < 5*time.Minute || d > 90*24*time.Hour {
		report("session", "must be between 5m and 90d")
	}
	if d := time.Duration(c.Idle); d != 0 && (d < 5*time.Minute || d > 90*24*time.Hour) {
		report("idle", "must be between 5m and 90d, or 0")
	}
	if d := time.Duration(c.LinkFor); d < 5*time.Minute || d > 90*24*time.Hour {
		report("link_for", "must be between 5m and 90d")
	}
	if !slices.Contains([]string{MetricsLocal, MetricsToken, MetricsOff}, c.Metrics) {
		report("metrics", "must be local, token or off")
	}
	if c.OIDC.Issuer != "" && (c.OIDC.Client == "" || c.OIDC.Claim == "") {
		report("oidc.client", "must be set together with issuer, and claim must not be empty")
	}
}

// TicketURL is the address at which a ticket is used.
func (c *Config) TicketURL(secret string) string {
	return c.Origin() + c.BasePath + ticketPath + secret
}

// isOrigin tells whether a text is a scheme, a host and at most a port (RFC 6454).
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.String() == u.Scheme+"://"+u.Host &&
		!strings.ContainsAny(u.Host, " ;,'\"")
}

// network reads a network or a single address.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(text)
}

// Origin is where browsers reach the pages, without the base path.
func (c *Config) Origin() string {
	if c.URL != "" {
		return c.URL
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return scheme + "://localhost"
	}
	return scheme + "://localhost:" + port
}
