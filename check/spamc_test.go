package check

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spamdRules are all that a spamd of the test's own knows: it asks nobody outside and starts at once.
const spamdRules = `
required_score 5
use_bayes 0
skip_rbl_checks 1
body GTUBE /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/
score GTUBE 1000
`

func TestSpamAssassin(t *testing.T) {
	dir, err := os.MkdirTemp("", "osm") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, text := range map[string]string{"init.pre": "loadplugin Mail::SpamAssassin::Plugin::Check\n", "local.cf": spamdRules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // spamd's children are nobody
		t.Fatal(err)
	}
	common := []string{"--siteconfigpath=" + dir, "--configpath=" + dir, "--local", "--nouser-config", "--max-children=1", "--syslog=stderr"}
	port := freePort(t)
	program(t, "spamd", "server started", append(common, "--listen=127.0.0.1:"+port, "--pidfile="+dir+"/tcp.pid")...)
	program(t, "spamd", "server started", append(common, "--socketpath="+dir+"/spamd.sock", "--pidfile="+dir+"/unix.pid")...)
	for _, address := range []string{"127.0.0.1:" + port, "unix:" + dir + "/spamd.sock"} {
		scannerAlive(t, "spamassassin", func(cfg *Config) {
			cfg.SpamAssassin.Enabled, cfg.SpamAssassin.Address, cfg.SpamAssassin.User = true, address, "nobody"
		})
	}
	o := scan(t, func(cfg *Config) {
		cfg.SpamAssassin.Enabled, cfg.SpamAssassin.Address, cfg.SpamAssassin.Limit = true, "127.0.0.1:"+port, 2<<10
		cfg.Content.Enabled = true // the other check wants to see more
	}, strings.Replace(plainMail, "\r\n\r\n", "\r\n\r\n"+strings.Repeat("All is well.\r\n", 10_000), 1)+spamMail)
	if o.Worst().By != "spamassassin" || o.Worst().Points != 0 {
		t.Errorf("of a large message its beginning is shown: %+v", o)
	}
}

func TestSpamAssassinUnreliable(t *testing.T) {
	const ok = "SPAMD/1.1 0 EX_OK\r\n"
	lies := map[string]func(net.Conn){
		"garbage":            said("\x00\xff\xfe nonsense\r\n\r\n"),
		"another protocol":   said("HTTP/1.1 200 OK\r\nSpam: True ; 20 / 5\r\n\r\n"),
		"failed":             said("SPAMD/1.1 74 EX_IOERR\r\nSpam: True ; 20 / 5\r\n\r\n"),
		"busy":               said("SPAMD/1.0 75 EX_TEMPFAIL\r\n\r\n"),
		"no score":           said(ok + "Content-length: 0\r\n\r\n"),
		"NaN":                said(ok + "Spam: True ; nan / 5.0\r\n\r\n"),
		"infinite":           said(ok + "Spam: True ; inf / 5.0\r\n\r\n"),
		"required NaN":       said(ok + "Spam: True ; 20.0 / NaN\r\n\r\n"),
		"beyond scores":      said(ok + "Spam: True ; 1e30 / 5.0\r\n\r\n"),
		"no numbers":         said(ok + "Spam: True ; many / few\r\n\r\n"),
		"neither":            said(ok + "Spam: Perhaps ; 20 / 5\r\n\r\n"),
		"half a number":      said(ok + "Spam: True ; 20\r\n\r\n"),
		"two scores":         said(ok + "Spam: True ; 20 / 5\r\nSpam: False ; 0 / 5\r\n\r\n"),
		"cut off":            said(ok + "Spam: True ; 20 / 5\r\n"),
		"short":              said(ok + "Content-length: 500\r\nSpam: True ; 20 / 5\r\n\r\nGTUBE"),
		"long":               said(ok + "Content-length: 2\r\nSpam: True ; 20 / 5\r\n\r\nGTUBE"),
		"no length":          said(ok + "Content-length: much\r\nSpam: True ; 20 / 5\r\n\r\nGTUBE"),
		"big answer":         endless(ok + "Spam: True ; 20 / 5\r\n\r\n"),
		"dripping an end":    dripping(ok+"Spam: True ; 20 / 5\r\n\r\n", " "),
		"dripping a version": dripping("SPAMD/1.", "1"),
	}
	unreliable(t, "spamassassin", lies, func(cfg *Config, address *string) *Scanner {
		cfg.SpamAssassin.Address = *address
		return &cfg.SpamAssassin.Scanner
	})
}

func FuzzReadSpamd(f *testing.F) {
	f.Add([]byte("SPAMD/1.1 0 EX_OK\r\nContent-length: 5\r\nSpam: True ; 1000.0 / 5.0\r\n\r\nGTUBE"))
	f.Add([]byte("SPAMD/1.0 74 EX_IOERR\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := readSpamd(text)
		if err == nil && (!(s.Score <= maxScore && s.Score >= -maxScore) || len(s.Symbols) > maxSymbols) {
			t.Errorf("%q gives %+v", text, s)
		}
	})
}
