package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// write puts a certificate with a serial number into its two files, as a renewal does.
func write(t *testing.T, certPath, keyPath string, serial int64, at time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"mx.example"}, NotAfter: at.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certPath: {Type: "CERTIFICATE", Bytes: der}, keyPath: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := errors.Join(os.WriteFile(path, pem.EncodeToMemory(block), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
}

// shown is the serial number of the certificate that a client is shown.
func shown(t *testing.T, c *Certificate) int64 {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(far, c.Config()).Handshake() }()
	client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestRenewal(t *testing.T) {
	dir := t.TempDir()
	certPath, keyPath := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	at := time.Unix(1_800_000_000, 0)
	now := func() time.Time { return at }
	write(t, certPath, keyPath, 1, at)
	c, err := Open(certPath, keyPath, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if n := shown(t, c); n != 1 {
		t.Fatalf("the first certificate is %d", n)
	}
	at = at.Add(time.Hour)
	if err := errors.Join(os.WriteFile(keyPath, nil, 0o600), os.Chtimes(keyPath, at, at)); err != nil { // half of a renewal
		t.Fatal(err)
	}
	if n := shown(t, c); n != 1 {
		t.Errorf("while the files do not fit together the certificate is %d", n)
	}
	write(t, certPath, keyPath, 2, at.Add(time.Second))
	if n := shown(t, c); n != 1 {
		t.Errorf("it looked again within a second: %d", n)
	}
	at = at.Add(lookEvery)
	if n := shown(t, c); n != 2 {
		t.Errorf("after the renewal the certificate is %d", n)
	}
	if _, err := Open(certPath, filepath.Join(dir, "none"), now, slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a key: %v", err)
	}
}
