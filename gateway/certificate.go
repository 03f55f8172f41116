package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is the server's, read again when one of its files changes.
type certificate struct {
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

func openCertificate(cfg *Config, o Options) (*certificate, error) {
	if cfg.Certificate == "" {
		return nil, nil
	}
	c := &certificate{certPath: cfg.Certificate, keyPath: cfg.Key, now: o.Now, log: o.Logger}
	return c, c.load()
}

func (c *certificate) load() error {
	stamp := c.written()
	loaded, err := tls.LoadX509KeyPair(c.certPath, c.keyPath)
	if err != nil {
		return fmt.Errorf("read the certificate %s with the key %s: %w", c.certPath, c.keyPath, err)
	}
	c.loaded, c.stamp = &loaded, stamp
	return nil
}

func (c *certificate) written() (stamp [2]time.Time) {
	for i, path := range []string{c.certPath, c.keyPath} {
		if info, err := os.Stat(path); err == nil {
			stamp[i] = info.ModTime()
		}
	}
	return stamp
}

// get is for tls.Config. While the files do not fit together, as between the writing of one and the other, the old
// certificate is used on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
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

func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
}
