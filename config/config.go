// Package config reads /etc/osm/osm.toml and /etc/osm/rules.d/*.toml into the rooms' own settings. It is strict: a key
// that no room knows is a mistake, and all mistakes of all files are reported at once, in the files' own spelling and
// with their place. What a setting means, its default and its limits are the room's: each has a Config struct whose
// field tags are the documentation, and this package writes the defaults file, the doc page and the explanations from
// them.
package config

import (
	"osm/action"
	"osm/check"
	"osm/detect"
	"osm/enrich"
	"osm/exim"
	"osm/gateway"
	"osm/hold"
	"osm/incident"
	"osm/panel"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/track"
	"osm/web"
)

// DefaultPath is the file that is read when none is named. It need not exist: an empty file is a working one.
const DefaultPath = "/etc/osm/osm.toml"

// Config is the whole configuration: one table per room. Adding a room is one line here and one in Defaults.
type Config struct {
	Exim     exim.Config          `toml:"exim" doc:"The mail server that is watched."`
	Tail     tail.Config          `toml:"tail" doc:"How the log is followed."`
	Track    track.Config         `toml:"track" doc:"What is remembered of messages on their way."`
	Enrich   enrich.Config        `toml:"enrich" doc:"What is looked up about a message."`
	Panel    panel.Config         `toml:"panel" doc:"Who owns what on this server."`
	Detect   detect.Config        `toml:"detect" doc:"How much evidence it takes to call a sender a spammer."`
	Policy   policy.Config        `toml:"policy" doc:"How mail servers ask osm, and whether its verdicts are carried out."`
	Rules    []policy.Rule        `toml:"rule" doc:"Limits and conditions of your own, asked in the order of the file."`
	Incident incident.Config      `toml:"incident" doc:"How findings about one sender become one incident."`
	Alert    action.Config        `toml:"alert" doc:"Who is told about incidents, and how."`
	Hold     hold.Config          `toml:"hold" doc:"What becomes of mail that is held."`
	Action   action.SuspendConfig `toml:"action" doc:"What is done to senders besides refusing their mail."`
	Check    check.Config         `toml:"check" doc:"Outside opinions about mail: DNS block lists, SPF, greylisting, content scanners. All are off by default."`
	Store    store.Config         `toml:"store" doc:"Where the history is kept, and for how long."`
	Gateway  gateway.Config       `toml:"gateway" doc:"The SMTP server in front of the real one: it lets through what matches."`
	Web      web.Config           `toml:"web" doc:"The pages and the API."`
	Control  Control              `toml:"control" doc:"How the osm command talks to the running daemon."`
}

// Defaults is the configuration of an empty file.
func Defaults() Config {
	return Config{
		Exim:     exim.DefaultConfig(),
		Tail:     tail.DefaultConfig(),
		Track:    track.DefaultConfig(),
		Enrich:   enrich.DefaultConfig(),
		Panel:    panel.DefaultConfig(),
		Detect:   detect.DefaultConfig(),
		Incident: incident.DefaultConfig(),
		Alert:    action.DefaultConfig(),
		Policy:   policy.DefaultConfig(),
		Hold:     hold.DefaultConfig(),
		Action:   action.DefaultSuspendConfig(),
		Check:    check.DefaultConfig(),
		Store:    store.DefaultConfig(),
		Gateway:  gateway.DefaultConfig(),
		Web:      web.DefaultConfig(),
		Control:  Control{Socket: "/run/osm/control.sock"},
	}
}

// Control is the [control] table: the unix socket of the running daemon.
type Control struct {
	Socket string `toml:"socket" doc:"Unix socket on which the running daemon answers osm's other commands."`
}

// Check reports settings that can't work.
func (c *Control) Check(report func(key, problem string)) {
	if len(c.Socket) == 0 || c.Socket[0] != '/' {
		report("socket", "must be an absolute path")
	}
	if len(c.Socket) > 107 {
		report("socket", "must be at most 107 bytes long: the kernel's limit for unix sockets")
	}
}
