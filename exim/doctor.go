package exim

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Installation is what an Exim says about itself.
type Installation struct {
	Binary     string
	Version    string   // 4.96
	ConfigFile string   // the file it reads
	Spool      string   // spool_directory
	LogPaths   []string // log_file_path, taken apart: files with %s, "syslog"; empty means below the spool
	Selector   string   // log_selector as configured
}

// Inspect asks the Exim at binary with -bV and -bP, which need no privilege. It changes nothing. ctx bounds the time.
func Inspect(ctx context.Context, binary string) (*Installation, error) {
	said, err := ask(ctx, binary, "-bV")
	if err != nil {
		return nil, err
	}
	i := &Installation{Binary: binary}
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "Exim version "); ok && i.Version == "" {
			i.Version, _, _ = strings.Cut(rest, " ")
		} else if rest, ok := strings.CutPrefix(line, "Configuration file is "); ok {
			i.ConfigFile = rest
		}
	}
	if i.Version == "" {
		return nil, fmt.Errorf("%s -bV: this does not seem to be Exim", binary)
	}
	said, err = ask(ctx, binary, "-bP", "log_selector", "log_file_path", "spool_directory")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch name {
		case "log_selector":
			i.Selector = value
		case "log_file_path":
			i.LogPaths = splitPaths(value)
		case "spool_directory":
			i.Spool = value
		}
	}
	return i, nil
}

func ask(ctx context.Context, binary string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, binary, args...).Output()
	if err == nil {
		return string(out), nil
	}
	said := ""
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		said = ": " + strings.TrimSpace(string(exit.Stderr))
	}
	return "", fmt.Errorf("run %s %s: %w%s", binary, strings.Join(args, " "), err, said)
}

// splitPaths takes log_file_path apart: a list with colons, in which an empty element is the default (Exim
// specification, chapter "Log files", "Where the logs are written").
func splitPaths(value string) []string {
	var paths []string
	for path := range strings.SplitSeq(value, ":") {
		if path = strings.TrimSpace(path); path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// MainLog is the file that this Exim writes its main log to, or "" when it writes to syslog only.
func (i *Installation) MainLog() string {
	for _, path := range i.LogPaths {
		if path != "syslog" {
			return strings.Replace(path, "%s", "main", 1)
		}
	}
	if len(i.LogPaths) > 0 || i.Spool == "" {
		return ""
	}
	return filepath.Join(i.Spool, "log/mainlog")
}

// Syslog tells whether the log goes to syslog as well, or only there.
func (i *Installation) Syslog() bool { return slices.Contains(i.LogPaths, "syslog") }

// Wish is a log selector that tells osm more than Exim's default.
type Wish struct {
	Selector string
	Gain     string // what it tells
}

// Wishes are the selectors that osm likes best, the most telling first. All are optional.
func Wishes() []Wish {
	return []Wish{
		{"arguments", "the directory of the script that sends"},
		{"pid", "which directory belongs to which message for certain, and which lines are forged"},
		{"received_recipients", "the recipients of a message when it arrives"},
		{"subject", "the subject"},
		{"received_sender", "the sender when it was rewritten"},
		{"sender_on_delivery", "the sender of each delivery"},
		{"incoming_port", "the client's port"},
		{"outgoing_port", "the receiver's port"},
		{"millisec", "the order of what happens within a second"},
		{"address_rewrite", "which addresses were rewritten, and from what"},
		{"size_reject", "messages refused because they are too large"},
		{"smtp_connection", "when clients connect and leave"},
		{"all_parents", "every address between an alias and its last recipient"},
	}
}

// Missing are the wishes that this Exim's log_selector does not fulfil.
func (i *Installation) Missing() []Wish {
	// Of the wishes Exim's default has this one (specification, "Reducing or increasing what is logged").
	on := map[string]bool{"size_reject": true}
	for item := range strings.FieldsSeq(i.Selector) {
		name, value := item[1:], item[0] == '+'
		if name == "all" {
			for _, w := range Wishes() {
				on[w.Selector] = value
			}
			continue
		}
		on[name] = value
	}
	return slices.DeleteFunc(Wishes(), func(w Wish) bool { return on[w.Selector] })
}

// SelectorLine is the line of Exim's configuration that fulfils the wishes and keeps what is there.
func (i *Installation) SelectorLine() string {
	line := "log_selector ="
	if i.debian() {
		line = "MAIN_LOG_SELECTOR ="
	}
	if i.Selector != "" {
		line += " " + i.Selector
	}
	for _, w := range i.Missing() {
		line += " +" + w.Selector
	}
	return line
}

// SelectorPlace says where that line goes.
func (i *Installation) SelectorPlace() string {
	if i.debian() {
		return "in /etc/exim4/conf.d/main/00_local_osm (with split configuration) or /etc/exim4/exim4.conf.localmacros " +
			"(without), then run update-exim4.conf and reload exim4"
	}
	return "in place of the line in " + i.ConfigFile + ", or where your panel lets you set log_selector; then reload exim"
}

// debian tells whether the configuration is made by update-exim4.conf, which has a macro for the selector.
func (i *Installation) debian() bool { return i.ConfigFile == "/var/lib/exim4/config.autogenerated" }
