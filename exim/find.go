package exim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config is the [exim] table: where this server's Exim and its log are.
type Config struct {
	Log string `toml:"log" doc:"Exim's main log. When empty it is looked for in the usual places of Debian and HestiaCP (/var/log/exim4/mainlog), cPanel (/var/log/exim_mainlog), DirectAdmin and plain Exim (/var/log/exim/mainlog, /var/spool/exim/log/mainlog). Rotated and compressed files beside it are found by its name."`
	// Binary is needed by osm doctor and by whatever acts on the queue, not for following the log.
	Binary string `toml:"binary" doc:"Exim's program. When empty: exim4 or exim where systems install them. Following the log does not need it."`
	Zone   string `toml:"zone" doc:"Time zone of the log's times where they do not bear one, as in Europe/Berlin. When empty: this machine's."`
}

// DefaultConfig finds everything by itself.
func DefaultConfig() Config { return Config{} }

// Check reports settings that can't work. Files that do not exist yet are no mistake: an Exim that has never run has no
// log.
func (c *Config) Check(report func(key, problem string)) {
	if c.Log != "" && !filepath.IsAbs(c.Log) {
		report("log", "must be an absolute path")
	}
	if c.Binary != "" && !filepath.IsAbs(c.Binary) {
		report("binary", "must be an absolute path")
	}
	if _, err := c.Location(); err != nil {
		report("zone", "must be a time zone such as Europe/Berlin or UTC")
	}
}

// Location is the zone of log times that do not bear one.
func (c *Config) Location() (*time.Location, error) {
	if c.Zone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(c.Zone)
}

// logPlaces are where main logs are found.
var logPlaces = [...]string{
	"var/log/exim4/mainlog",      // Debian, Ubuntu, HestiaCP
	"var/log/exim_mainlog",       // cPanel
	"var/log/exim/mainlog",       // DirectAdmin, FreeBSD
	"var/log/exim/main.log",      // Red Hat's package
	"var/spool/exim/log/mainlog", // Exim built from source
}

// binaryPlaces are where Exim's program is found.
var binaryPlaces = [...]string{
	"usr/sbin/exim4", // Debian, Ubuntu, HestiaCP
	"usr/sbin/exim",  // cPanel, DirectAdmin, Red Hat
	"usr/local/sbin/exim",
	"usr/exim/bin/exim", // Exim built from source
}

// ErrNoLog says that no main log exists in any of the usual places.
var ErrNoLog = errors.New("no Exim main log found")

// FindLog looks for Exim's main log below root ("/" but in tests). When there are several, as after a change of the
// panel, the one written last is it. The error wraps ErrNoLog, or fs.ErrPermission when a place can't be looked into.
func FindLog(root string) (string, error) {
	var newest string
	var written time.Time
	var hidden error
	for _, place := range logPlaces {
		path := filepath.Join(root, place)
		info, err := os.Stat(path)
		switch {
		case err == nil && info.Mode().IsRegular() && (newest == "" || info.ModTime().After(written)):
			newest, written = path, info.ModTime()
		case errors.Is(err, fs.ErrPermission) && hidden == nil:
			hidden = err
		}
	}
	if newest != "" {
		return newest, nil
	}
	if hidden != nil {
		return "", fmt.Errorf("look for Exim's main log: %w (the user must be in the group that may read it, adm on Debian)",
			hidden)
	}
	return "", fmt.Errorf("%w in %s: set exim.log in the configuration", ErrNoLog, placeNames(root, logPlaces[:]))
}

// FindBinary looks for Exim's program below root.
func FindBinary(root string) (string, error) {
	for _, place := range binaryPlaces {
		path := filepath.Join(root, place)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Exim in %s: set exim.binary in the configuration", placeNames(root, binaryPlaces[:]))
}

func placeNames(root string, places []string) string {
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = filepath.Join(root, p)
	}
	return strings.Join(names, ", ")
}
