package check

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"osm"
)

// rspamdConf is an rspamd of its own that asks nobody outside.
const rspamdConf = `
options {
	pidfile = "DIR/pid"; tempdir = "DIR"; control_socket = "DIR/control.sock"; filters = "";
	dns { nameserver = ["127.0.0.1:1"]; timeout = 10ms; retransmits = 1; }
	url_tld = "/usr/share/rspamd/effective_tld_names.dat";
}
logging { type = "console"; level = "info"; }
actions { reject = 15; add_header = 6; greylist = 4; }
group "none" { symbol "NOTHING" { weight = 0; } }
worker "normal" { bind_socket = "127.0.0.1:PORT"; bind_socket = "DIR/worker.sock mode=0666"; count = 1; }
`

func TestRspamd(t *testing.T) {
	dir, err := os.MkdirTemp("", "osm") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port, conf := freePort(t), filepath.Join(dir, "rspamd.conf")
	text := strings.NewReplacer("DIR", dir, "PORT", port).Replace(rspamdConf)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, "rspamd", "listening for control commands", "--no-fork", "--insecure", "--config", conf)
	for _, url := range []string{"http://127.0.0.1:" + port, "unix:" + dir + "/worker.sock"} {
		scannerAlive(t, "rspamd", func(cfg *Config) { cfg.Rspamd.Enabled, cfg.Rspamd.URL = true, url })
	}
}

// TestRspamdIsTold checks what goes over the wire.
func TestRspamdIsTold(t *testing.T) {
	type asked struct {
		header http.Header
		path   string
		body   string
	}
	questions := make(chan asked, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		questions <- asked{r.Header, r.URL.Path, string(body)}
		io.WriteString(w, `{"score":3,"required_score":15,"action":"no action"}`)
	}))
	defer server.Close()
	cfg := defaultRspamd()
	cfg.URL, cfg.Password, cfg.Limit = server.URL+"/", "hunter2", 1<<10
	r := newRspamd(cfg)
	r.client.Transport.(*http.Transport).TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	m := submission()
	for i := range 500 {
		m.Recipients = append(m.Recipients, fmt.Sprintf("r%d@x.example", i))
	}
	if s, err := r.ask(t.Context(), m, []byte(plainMail+strings.Repeat("x", 5000))); err != nil || s.Score != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	q := <-questions
	if q.path != "/checkv2" || len(q.body) != 1<<10 || !strings.HasPrefix(q.body, plainMail) {
		t.Errorf("%s with %d bytes", q.path, len(q.body))
	}
	for name, want := range map[string]string{"Password": "hunter2", "Ip": "192.0.2.7", "Helo": "x??Score: -99??", "From": "ann?@shop.example",
		"User": "ann", "Queue-Id": "1wEoXY-000000003RZ-0bHA", "Hostname": "h?st.example", "Score": ""} {
		if got := q.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if to := q.header["Rcpt"]; len(to) != maxTold || !slices.Equal(to[:2], []string{"bob@friend.example", "<??>"}) {
		t.Errorf("%d recipients: %q", len(to), to)
	}
}

func TestRspamdUnreliable(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	answer := func(body string) func(net.Conn) {
		return said(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
	}
	// Who follows a redirection gets a good answer, and shows the message to a stranger.
	const clean = `{"score":0,"required_score":15,"action":"no action"}`
	elsewhere := fake(t, answer(clean))
	lies := map[string]func(net.Conn){
		"garbage":           said("\x00\xff\xfe nonsense\r\n\r\n"),
		"empty":             answer(""),
		"another language":  answer("<html>"),
		"no object":         answer(`[1]`),
		"no score":          answer(`{"required_score":15,"action":"no action"}`),
		"null":              answer(`{"score":null,"required_score":15,"action":"no action"}`),
		"no action":         answer(`{"score":1,"required_score":15}`),
		"NaN":               answer(`{"score":NaN,"required_score":15,"action":"reject"}`),
		"a text":            answer(`{"score":"20","required_score":15,"action":"reject"}`),
		"beyond numbers":    answer(`{"score":1e999,"required_score":15,"action":"reject"}`),
		"beyond scores":     answer(`{"score":1e300,"required_score":15,"action":"reject"}`),
		"two answers":       answer(`{"score":20,"required_score":15,"action":"reject"}{"score":0}`),
		"its own error":     answer(`{"error":"no license\u001b","score":20,"required_score":15,"action":"reject"}`),
		"refused":           said("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
		"failing":           said("HTTP/1.1 500 Oops\r\nContent-Length: 50\r\n\r\n" + `{"score":20,"required_score":15,"action":"reject"} `),
		"elsewhere":         said("HTTP/1.1 307 Go\r\nLocation: http://" + elsewhere + "/checkv2\r\nContent-Length: 0\r\n\r\n"),
		"short":             said(head + "Content-Length: 5000\r\n\r\n" + `{"score":20,"required_score":15,"action":"reject"}`),
		"big header":        endless("HTTP/1.1 200 OK\r\nX: "),
		"big answer":        endless(head + "\r\n" + `{"score":20,"required_score":15,"action":"reject"`),
		"dripping headers":  dripping("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
		"dripping an end":   dripping(head+"\r\n"+`{"score":20,"required_score":15,"action":"reject"}`, " "),
		"dripping a number": dripping(head+"\r\n"+`{"required_score":15,"action":"reject","score":1`, "0"),
	}
	unreliable(t, "rspamd", lies, func(cfg *Config, address *string) *Scanner {
		cfg.Rspamd.URL = "http://" + *address
		return &cfg.Rspamd.Scanner
	})
}

func TestScannerSettings(t *testing.T) {
	for url, good := range map[string]bool{"http://127.0.0.1:11333": true, "https://scan.example": true, "unix:/run/rspamd.sock": true,
		"unix:run.sock": false, "": false, "127.0.0.1:11333": false, "ftp://x": false, "http://user:pass@x": false, "http://": false} {
		c := defaultRspamd()
		c.URL = url
		checkSetting(t, "url", good, c.check)
	}
	for address, good := range map[string]bool{"127.0.0.1:783": true, "[::1]:783": true, "unix:/run/spamd.sock": true, "unix:x": false, "": false, "host": false} {
		c := defaultSpamAssassin()
		c.Address = address
		checkSetting(t, "address", good, c.check)
	}
	for _, v := range []float64{-1, math.NaN(), math.Inf(1), 1e9} {
		c := defaultSpamAssassin()
		c.Threshold, c.Reject = v, 0
		checkSetting(t, "threshold", false, c.check)
	}
	c := defaultRspamd()
	c.Threshold, c.Reject = 10, 5
	checkSetting(t, "reject", false, c.check)
	c.Limit, c.Reject = osm.Size(100), 20
	checkSetting(t, "limit", false, c.check)
}

// checkSetting wants a setting, and no other, to be reported unless it is good.
func checkSetting(t *testing.T, key string, good bool, check func(report func(key, problem string))) {
	t.Helper()
	var got, want []string
	if !good {
		want = []string{key}
	}
	if check(func(key, _ string) { got = append(got, key) }); !slices.Equal(got, want) {
		t.Errorf("reported are %q, want %q", got, want)
	}
}
