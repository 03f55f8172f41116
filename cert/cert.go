// Package cert keeps a server's certificate from its files, and reads it again when they change: renewals need no restart. It
// leaves to others who listens, and where the files come from.
package cert

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a server's, read again when one of its files changes.
type Certificate struct {
	certPath, keyPath string
	now               func() time.Time
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  [2]time.Time // when the files were written that it comes from
	looked time.Time
}

// lookEvery is the least time between two looks at the files.
const lookEvery = time.Second

// Open reads the certificate with those that follow it, and its key (both PEM). Now says the time; Logger is told of renewals.
func Open(certPath, keyPath string, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certPath: certPath, keyPath: keyPath, now: now, log: log}
	return c, c.load()
}

func (c *Certificate) load() error {
	stamp := c.written()
	loaded, err := tls.LoadX509KeyPair(c.certPath, c.keyPath)
	if err != nil {
		return fmt.Errorf("read the certificate %s with the key %s: %w", c.certPath, c.keyPath, err)
	}
	c.loaded, c.stamp = &loaded, stamp
	return nil
}

func (c *Certificate) written() (stamp [2]time.Time) {
	for i, path := range []string{c.certPath, c.keyPath} {
		if info, err := os.Stat(path); err == nil {
			stamp[i] = info.ModTime()
		}
	}
	return stamp
}

// get is for tls.Config. While the files do not fit together, as between the writing of one and the other, the old
// certificate is used on.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if c.written() != c.stamp {
			if err := c.load(); err != nil {
				c.log.Error("the certificate has changed and can't be used; the old one is used on", "error", err)
			} else {
				c.log.Info("the certificate was read again", "certificate", c.certPath)
			}
		}
	}
	return c.loaded, nil
}

// Config is for a server: TLS 1.2 and later (RFC 8996).
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
}
