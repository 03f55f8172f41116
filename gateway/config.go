package gateway

import (
	"time"

	"osm"
)

// Config is the table [gateway].
type Config struct {
	Listen      []string `toml:"listen" doc:"Addresses and ports on which mail is taken, with STARTTLS where there is a certificate, such as 0.0.0.0:587. Empty: there is no gateway."`
	ListenTLS   []string `toml:"listen_tls" doc:"Addresses and ports where TLS begins at once, such as 0.0.0.0:465."`
	Upstream    []string `toml:"upstream" doc:"Addresses and ports of the real mail server; the first that works is used."`
	UpstreamTLS TLSMode  `toml:"upstream_tls" doc:"may: TLS where the upstream offers it, whatever its certificate. must: TLS with a certificate that is valid for the upstream's name. never: none."`
	UpstreamLog bool     `toml:"upstream_log" doc:"The upstream is the Exim whose log osm follows: the history takes its mail from there. false: what the upstream answers is the history."`
	HandOn      HandOn   `toml:"hand_on" doc:"How the upstream is told who the client is: proxy (PROXY protocol version 2; Exim: hosts_proxy), xclient (Postfix: smtpd_authorized_xclient_hosts) or none: then the gateway itself sees to it that strangers can't relay."`
	Name        string   `toml:"name" doc:"Name in the greeting; this machine's when empty."`

	Certificate    string       `toml:"certificate" doc:"PEM file with the certificate and its chain; read again when it changes. Without one there is no TLS."`
	Key            string       `toml:"key" doc:"PEM file with the certificate's key."`
	AuthWithoutTLS bool         `toml:"auth_without_tls" doc:"Let clients log in without TLS."`
	RejectAt       Point        `toml:"reject_at" doc:"Where the dialogue may be refused at the earliest: connect, mail, rcpt or data. Later shows more of what a client was up to."`
	Hold           string       `toml:"hold" doc:"Where held mail goes: HOST:PORT of a quarantine server, which gets it with its envelope; exim: to the upstream with rewritten recipients, which its hold router keeps (osm exim install --way rewrite). Empty: held mail is deferred."`
	ProxyFrom      []string     `toml:"proxy_from" doc:"Networks of balancers that begin every connection with a PROXY protocol version 2 header."`
	XclientFrom    []string     `toml:"xclient_from" doc:"Networks of servers that may tell the client's address by XCLIENT or XFORWARD."`
	RelayFrom      []string     `toml:"relay_from" doc:"Networks whose mail may go anywhere without a login, where hand_on is none."`
	RelayTo        []string     `toml:"relay_to" doc:"Domains that everybody may write to, where hand_on is none."`
	Tarpit         osm.Duration `toml:"tarpit" doc:"How long each answer to a client that is or would be refused takes; 0s is not at all."`
	TarpitMost     int          `toml:"tarpit_most" doc:"Connections in the tarpit at once; more are not slowed down."`
	Limit          Limits       `toml:"limit" doc:"What one client, and all together, may take."`
}

// Limits is the table [gateway.limit].
type Limits struct {
	Connections int          `toml:"connections" doc:"Connections at once."`
	PerNetwork  int          `toml:"per_network" doc:"Connections at once from one IPv4 /24 or IPv6 /64; loopback and relay_from are not counted."`
	Rate        int          `toml:"rate" doc:"New connections a minute from one such network."`
	Errors      int          `toml:"errors" doc:"Refused or wrong commands before a connection is ended."`
	Commands    int          `toml:"commands" doc:"Commands in a row without a message before a connection is ended."`
	Recipients  int          `toml:"recipients" doc:"Recipients of one message (RFC 5321 section 4.5.3.1.8: at least 100)."`
	Size        osm.Size     `toml:"size" doc:"Largest message; the upstream's own limit counts besides."`
	Line        osm.Size     `toml:"line" doc:"Longest command line (RFC 5321 section 4.5.3.1.4: at least 512); AUTH may have 12 KB."`
	TextLine    osm.Size     `toml:"text_line" doc:"Longest line of a message (RFC 5321 section 4.5.3.1.6: at least 1000)."`
	Idle        osm.Duration `toml:"idle" doc:"How long a client may be silent (RFC 5321 section 4.5.3.2.7: 5 minutes)."`
	Data        osm.Duration `toml:"data" doc:"How long the transfer of one message may take in all."`
	Upstream    osm.Duration `toml:"upstream" doc:"How long the upstream may take for an answer."`
	Connect     osm.Duration `toml:"connect" doc:"How long a connection to the upstream may take, up to its greeting."`
	Check       osm.Duration `toml:"check" doc:"Time between looks at whether an upstream works."`
	Memory      osm.Size     `toml:"memory" doc:"Content of messages that is kept in memory for the verdict, of all connections together."`
}

// TLSMode says whether the upstream is spoken to by TLS.
type TLSMode string

const (
	TLSMay   TLSMode = "may"
	TLSMust  TLSMode = "must"
	TLSNever TLSMode = "never"
)

// HandOn is how the upstream is told who the client is.
type HandOn string

const (
	ByProxy   HandOn = "proxy"
	ByXclient HandOn = "xclient"
	NotAtAll  HandOn = "none"
)

// Point is a point of the dialogue.
type Point string

const (
	AtConnect Point = "connect"
	AtMail    Point = "mail"
	AtRcpt    Point = "rcpt"
	AtData    Point = "data"
)

// points are in the order of the dialogue.
var points = []Point{AtConnect, AtMail, AtRcpt, AtData}

// DefaultConfig listens to nothing.
func DefaultConfig() Config {
	return Config{
		Upstream: []string{"127.0.0.1:25"}, UpstreamTLS: TLSMay, UpstreamLog: true, HandOn: ByProxy, RejectAt: AtRcpt,
		RelayFrom: []string{"127.0.0.0/8", "::1/128"}, TarpitMost: 100,
		Limit: Limits{Connections: 1000, PerNetwork: 50, Rate: 300, Errors: 10, Commands: 200, Recipients: 1000, Size: 100 << 20,
			Line: 2 << 10, TextLine: 64 << 10, Idle: minutes(5), Data: minutes(30), Upstream: minutes(5), Connect: minutes(1) / 6,
			Check: minutes(1) / 6, Memory: 256 << 20},
	}
}

func minutes(n int) osm.Duration { return osm.Duration(time.Duration(n) * time.Minute) }

// On tells whether there is a gateway at all.
func (c *Config) On() bool { return len(c.Listen)+len(c.ListenTLS) > 0 }
